"""The tables. Moments are whole milliseconds since 1970 where they are not called `start`."""

APPLICATION = 0x62746E68
"""SQLite's application_id of the dashboard's file."""

FILE = "dashboard.db"

MINUTE = 60
QUARTER = 900
DAY = 86_400
STEPS = (MINUTE, QUARTER, DAY)
"""The lengths of what is summed up, in seconds. Quarters of an hour, because hours and days begin
at one everywhere, also where clocks differ from UTC by 5 h 45 min. Days are UTC's."""

EVERY_BUTTON = 0
"""The number under which all buttons together are summed up."""

SCHEMA = (
    """
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO fact VALUES ('id', lower(hex(randomblob(8)))), ('fine_from', '0');
    INSERT INTO fact VALUES ('last_click', '0');

    CREATE TABLE button (
        number INTEGER PRIMARY KEY,
        serial_number TEXT UNIQUE,
        name TEXT,
        place TEXT,
        colour TEXT,
        clicks INTEGER NOT NULL DEFAULT 0,
        clicked_at INTEGER,
        click_type TEXT,
        battery INTEGER,
        battery_highest INTEGER NOT NULL DEFAULT 0,
        state TEXT,
        state_at INTEGER
    );

    CREATE TABLE click (
        id INTEGER PRIMARY KEY,
        button INTEGER NOT NULL,
        event_id TEXT,
        received_at INTEGER NOT NULL,
        latency INTEGER,
        click_type TEXT NOT NULL,
        battery INTEGER,
        battery_highest INTEGER,
        ip_address TEXT NOT NULL,
        title TEXT NOT NULL,
        timestamp TEXT NOT NULL,
        clicked_at TEXT
    );
    CREATE UNIQUE INDEX click_once ON click (button, event_id) WHERE event_id IS NOT NULL;
    CREATE INDEX click_by_button ON click (button);
    CREATE INDEX click_by_type ON click (click_type);
    CREATE INDEX click_by_time ON click (received_at);

    CREATE TABLE rollup (
        step INTEGER NOT NULL,
        button INTEGER NOT NULL,
        start INTEGER NOT NULL,
        single INTEGER NOT NULL,
        double INTEGER NOT NULL,
        long INTEGER NOT NULL,
        other INTEGER NOT NULL,
        battery INTEGER,
        latencies BLOB,
        PRIMARY KEY (step, button, start)
    ) WITHOUT ROWID;

    CREATE TABLE dead_letter (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        received_at INTEGER NOT NULL,
        function TEXT NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER,
        request_id TEXT,
        serial_number TEXT,
        payload BLOB NOT NULL
    );
    CREATE UNIQUE INDEX dead_letter_once ON dead_letter (function, request_id)
        WHERE request_id IS NOT NULL;
    CREATE INDEX dead_letter_by_button ON dead_letter (serial_number)
        WHERE serial_number IS NOT NULL
    """,
    """
    ALTER TABLE click ADD COLUMN trace BLOB
    """,
    """
    INSERT INTO fact SELECT 'has_leftovers', '1'
        WHERE EXISTS (SELECT * FROM button) OR EXISTS (SELECT * FROM dead_letter)
    """,
    """
    UPDATE click SET latency = NULL WHERE latency >= 157680000000
    """,
)
"""Scripts: number n leads from version n to n + 1. An index ends with the id by itself.

A button's row may outlive its clicks: its days stay summed up. One without a serial number is
being deleted, in steps, which go on after a crash.
`last_click`: the highest id that a click ever had: none is given twice.
`has_leftovers`: the file is from before deleted rows were overwritten, and has not been written
anew since.
Latencies of five years and more were those of clocks that were never set.
`fine_from`: the day (in seconds) from which minutes and quarters are kept; of what was before it,
days alone.
"""
