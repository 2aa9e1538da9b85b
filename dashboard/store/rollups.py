"""Sums per minute, quarter of an hour and day, kept with each click and never by reading clicks."""

from dataclasses import dataclass, field

from dashboard.history import Row
from dashboard.store import latencies
from dashboard.store.engine import Engine
from dashboard.store.latencies import Histogram
from dashboard.store.schema import EVERY_BUTTON, STEPS

KINDS = ("SINGLE", "DOUBLE", "LONG", "other")
"""What is counted apart: the order of the columns."""

_PLACES = {kind: place for place, kind in enumerate(KINDS)}

Key = tuple[int, int, int]
"""Step, button, start: what the table's rows are found by."""


@dataclass(slots=True)
class Sum:
    """What came within one step."""

    counts: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    battery: int | None = None
    histogram: Histogram = field(default_factory=dict)


class Rollups:
    """What a batch of clicks adds, gathered first: each row is then read and written once."""

    def __init__(self) -> None:
        self._sums: dict[Key, Sum] = {}

    def add(self, row: Row, *, button: int, moment: int) -> None:
        """Count a click. `moment`: seconds since 1970."""
        kind = _PLACES.get(row.click_type, len(KINDS) - 1)
        bucket = None if row.latency_ms is None else latencies.bucket(row.latency_ms)
        for step in STEPS:
            start = moment - moment % step
            for number in (button, EVERY_BUTTON):
                this = self._sum((step, number, start))
                this.counts[kind] += 1
                if bucket is not None:
                    this.histogram[bucket] = this.histogram.get(bucket, 0) + 1
                if number == button and row.battery_millivolts is not None:
                    this.battery = row.battery_millivolts

    def _sum(self, key: Key) -> Sum:
        known = self._sums.get(key)
        if known is None:
            known = self._sums[key] = Sum()
        return known

    def write(self, database: Engine) -> None:
        """Add all to what the tables have."""
        database.write_many(_WRITE, [_merged(database, *item) for item in self._sums.items()])


def _merged(database: Engine, key: Key, new: Sum) -> tuple[int | bytes | None, ...]:
    for (before,) in database.read(_READ, key):
        latencies.merge(new.histogram, before)
    return *key, *new.counts, new.battery, latencies.encode(new.histogram)


_READ = """
SELECT latencies FROM rollup WHERE step = ? AND button = ? AND start = ? AND latencies IS NOT NULL
"""
_WRITE = """
INSERT INTO rollup VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (step, button, start) DO UPDATE SET
    single = rollup.single + excluded.single, double = rollup.double + excluded.double,
    long = rollup.long + excluded.long, other = rollup.other + excluded.other,
    battery = coalesce(excluded.battery, rollup.battery), latencies = excluded.latencies
"""
