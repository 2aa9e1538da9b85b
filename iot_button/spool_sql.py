"""The spool's tables, and those of its queries whose plan matters.

INDEXED BY, because the planner may choose the other index: measured with 1,000,000 waiting entries
on SQLite 3.40, `due` then took 130 ms instead of 0.5.
"""

APPLICATION = 0x62746E71
"""SQLite's application_id of a spool."""

SCHEMA = (
    """
    CREATE TABLE queue (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL,
        due REAL NOT NULL,
        added REAL NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX entry_by_queue ON entry (queue);
    CREATE INDEX entry_by_due ON entry (queue, due)
    """,
)
"""Scripts: number n leads from version n to n + 1. An index ends with the id by itself."""

ENTRY = "SELECT id, name, due, added, body FROM entry JOIN queue ON number = queue"
_BY_QUEUE = "FROM entry INDEXED BY entry_by_queue WHERE queue = ?"
_BY_DUE = "FROM entry INDEXED BY entry_by_due WHERE queue = ?"

OLDEST = f"SELECT added {_BY_QUEUE} ORDER BY id LIMIT 1"
TRIM = f"DELETE FROM entry WHERE id IN (SELECT id {_BY_QUEUE} ORDER BY id LIMIT ?)"  # noqa: S608 - constants
NEXT_DUE = f"SELECT due {_BY_DUE} AND due > ? ORDER BY due LIMIT 1"
RIPE = f"SELECT id {_BY_DUE} AND due > 0 AND due <= ? ORDER BY due LIMIT ?"
DUE_AT = f"SELECT id {_BY_DUE} AND due = ? AND id > ? ORDER BY id LIMIT ?"
DUE_AFTER = f"SELECT id {_BY_DUE} AND due > ? AND due <= ? ORDER BY due, id LIMIT ?"
