"""What the dashboard's history costs: inserts, first pages, and charts, as it grows.

    python bench/dashboard_history.py [--sizes 10000 100000 1000000] [--runs 21]

A history is made up at once, in SQL: clicks of 50 buttons, evenly over the last 90 days, and their
sums. Then 10,000 clicks of now go through the store as fast as it takes them, and 100 one by one,
every commit on the disk. Queries run in the same process, one after the other, as the data API
runs them. Figures are medians, with the lowest and the highest, in milliseconds.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dashboard.store import Reader, Store, latencies
from dashboard.store.arrivals import Arrival, milliseconds
from dashboard.store.buttons import buttons, one_button
from dashboard.store.charts import Span, click_chart, latency_chart
from dashboard.store.engine import Engine
from dashboard.store.pages import Filter, page
from dashboard.store.schema import STEPS
from dashboard.store.tidying import Keep
from iot_button.events import ProcessedClick, format_instant, new_event_id, utc_now

BUTTONS = 50
DAYS = 90
BURST = 10_000
DAY = 86_400

# Every 9th is double, the very first one long.
FILL = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :size)
INSERT INTO click
SELECT n, 1 + abs(random()) % :buttons, printf('%08x-%s', n, lower(hex(randomblob(13)))),
    :start + n * :days * 86400000 / :size, abs(random()) % 30,
    CASE WHEN n = 1 THEN 'LONG' WHEN n % 9 = 0 THEN 'DOUBLE' ELSE 'SINGLE' END,
    1800 - n * 400 / :size, 1800, '192.0.2.17', 'Demo event assembled by lambda python function',
    '2026-11-22T10:15:30.131Z', '2026-11-22T10:15:30.123Z', NULL
FROM number
"""
FILL_SUMS = """
INSERT INTO rollup
SELECT :step, {number}, received_at / 1000 / :step * :step, sum(click_type = 'SINGLE'),
    sum(click_type = 'DOUBLE'), sum(click_type = 'LONG'), 0, min(battery), :latencies
FROM click GROUP BY 1, 2, 3
"""
FILL_BUTTONS = """
INSERT INTO button (serial_number, clicks, clicked_at, click_type, battery, battery_highest)
SELECT printf('BENCH-%03d', button), count(*), max(received_at), 'SINGLE', 1400, 1800
FROM click GROUP BY button ORDER BY button
"""


def fill(database: Engine, size: int) -> None:
    start = milliseconds(utc_now() - timedelta(days=DAYS))
    sample = latencies.encode({number: 1 + number % 7 for number in range(2, 24)})
    numbers = {"size": size, "buttons": BUTTONS, "days": DAYS, "start": start}
    database.write(FILL, numbers)  # type: ignore[arg-type]  # names in place of a sequence
    database.write(FILL_BUTTONS)
    database.write("UPDATE fact SET value = ? WHERE name = 'last_click'", (str(size),))
    for step in STEPS:
        for number in ("0", "button"):
            query = FILL_SUMS.format(number=number)
            database.write(query, {"step": step, "latencies": sample})  # type: ignore[arg-type]


def new_click(chance: random.Random) -> Arrival:
    now = utc_now()
    clicked_at = now - timedelta(milliseconds=chance.randrange(30))
    click = ProcessedClick(
        serial_number=f"BENCH-{1 + chance.randrange(BUTTONS):03d}",
        click_type="SINGLE",
        title="Demo event assembled by lambda python function",
        timestamp=format_instant(now),
        ip_address="192.0.2.17",
        battery_voltage="1400mV",
        event_id=new_event_id(clicked_at),
        clicked_at=format_instant(clicked_at),
    )
    return Arrival(click, now, threading.Event().set)


def insert(store: Store) -> float:
    """Return how many clicks a second the store took."""
    chance = random.Random(1)
    stored = threading.Semaphore(0)
    made = [new_click(chance) for _ in range(BURST)]
    began = time.perf_counter()
    for arrival in made:
        store.put(Arrival(arrival.content, arrival.received_at, stored.release))
    for _ in made:
        stored.acquire()
    return BURST / (time.perf_counter() - began)


def one_by_one(store: Store, count: int = 100) -> list[float]:
    """Return the milliseconds from each click's coming in to its being told."""
    chance, times = random.Random(2), []
    for _ in range(count):
        arrival, stored = new_click(chance), threading.Event()
        began = time.perf_counter()
        store.put(Arrival(arrival.content, arrival.received_at, stored.set))
        stored.wait()
        times.append((time.perf_counter() - began) * 1000)
    return times


def queries(read: Reader, size: int) -> dict[str, Callable[[], object]]:
    now = utc_now()
    until = int(now.timestamp())
    early = milliseconds(now - timedelta(days=DAYS * 0.9))
    day = Span(step=60, since=until - DAY, until=until)
    month = Span(step=3600, since=until - 30 * DAY, until=until)
    quarter = Span(step=DAY, since=until - 90 * DAY, until=until, offset=3600)
    serial = "BENCH-007"

    def first(**wanted: object) -> Callable[[], object]:
        return lambda: page(read, Filter(**wanted), limit=50)  # type: ignore[arg-type]

    return {
        "first page": first(),
        "page in the middle": first(before=size // 2),
        "of one button": first(serial_number=serial),
        "of a rare type": first(click_type="LONG"),
        "of a day long ago": first(since=early, until=early + DAY * 1000),
        "of the last 81 days": first(since=early),
        "a text that none has": first(text="needle"),
        "clicks, 1 day by minute": lambda: click_chart(read, day, serial_number=None),
        "clicks, 30 days by hour": lambda: click_chart(read, month, serial_number=None),
        "clicks, 90 days by day": lambda: click_chart(read, quarter, serial_number=None),
        "clicks of one button": lambda: click_chart(read, month, serial_number=serial),
        "latency, 1 day by minute": lambda: latency_chart(read, day, serial_number=None),
        "latency, 30 days by hour": lambda: latency_chart(read, month, serial_number=None),
        "all buttons": lambda: buttons(read, now=now, offset=3600),
        "one button, heat map": lambda: one_button(read, serial, now=now, offset=3600),
    }


def measured(query: Callable[[], object], runs: int) -> list[float]:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        query()
        times.append((time.perf_counter() - began) * 1000)
    return times


def measure(directory: Path, size: int, runs: int) -> dict[str, str]:
    figures = {}
    with Store(directory, keep=Keep(days=1000, megabytes=100_000)) as store:
        store.run(lambda database: fill(database, size), timeout=600)
        figures["file, MB"] = f"{store.path.stat().st_size / 1e6:,.0f}"
        figures["inserts/s"] = f"{insert(store):,.0f}"
        figures["one click"] = shown(one_by_one(store))
        reader = Reader(store.path)
        for name, query in queries(reader, size).items():
            figures[name] = shown(measured(query, runs))
        reader.close()
    return figures


def shown(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the dashboard's history.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    columns = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as directory:
            columns.append(measure(Path(directory), size, options.runs))
    print(f"{'':26}" + "".join(f"{size:>22,}" for size in options.sizes))
    for name in columns[0]:
        print(f"{name:26}" + "".join(f"{column[name]:>22}" for column in columns))


if __name__ == "__main__":
    main()
