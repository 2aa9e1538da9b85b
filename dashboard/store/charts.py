"""Charts out of the sums: as many points as there are steps, however many clicks there were."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from dashboard.store import latencies
from dashboard.store.pages import Read
from dashboard.store.rollups import KINDS
from dashboard.store.schema import DAY, EVERY_BUTTON, MINUTE, QUARTER, STEPS

HOUR = 3600
BASES = {MINUTE: MINUTE, HOUR: QUARTER, DAY: QUARTER}
"""Which sums a chart's step is made of."""

MAX_POINTS = 5000
MAX_VOLTAGES = 1000
_ALL = 1_000_000
_PERCENTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a chart shows. All in seconds.

    `step`: one of `BASES`. `since`, `until`: since 1970, `until` exclusive. `offset`: by which the
    clocks of who asks are before UTC's: their days begin at their midnight.
    """

    step: int
    since: int
    until: int
    offset: int = 0

    @property
    def times(self) -> range:
        """The moments at which the steps begin."""
        return range(self.begin(self.since), max(self.until, self.since), self.step)

    def begin(self, moment: int) -> int:
        """Return when the step of a moment begins."""
        return (moment + self.offset) // self.step * self.step - self.offset


class ClickChart(msgspec.Struct, frozen=True):
    """Clicks by type: a list for each, as long as `times`."""

    step: int
    times: list[int]
    series: dict[str, list[int]]


class LatencyChart(msgspec.Struct, frozen=True):
    """Latency in milliseconds; None where no click came that says when it was."""

    step: int
    times: list[int]
    p50: list[int | None]
    p90: list[int | None]
    p99: list[int | None]
    count: list[int]


class BatteryChart(msgspec.Struct, frozen=True):
    """The last voltage of each minute, quarter of an hour or day in which one was told."""

    times: list[int]
    millivolts: list[int]


def click_chart(read: Read, span: Span, *, serial_number: str | None) -> ClickChart:
    """Return the clicks of one button, or of all."""
    times = span.times
    series = [[0] * len(times) for _ in KINDS]
    grouped = f"{_begin(span)}, {_COUNTS}"
    for start, *counts in _sums(read, grouped, span, serial_number, order="GROUP BY 1"):
        place = _place(times, span, start)
        for values, count in zip(series, counts, strict=True):
            values[place] += count
    return ClickChart(span.step, list(times), dict(zip(KINDS, series, strict=True)))


def latency_chart(read: Read, span: Span, *, serial_number: str | None) -> LatencyChart:
    """Return percentiles of the latency of one button's clicks, or of all."""
    times = span.times
    merged: defaultdict[int, latencies.Histogram] = defaultdict(dict)
    for start, data in _sums(read, "start, latencies", span, serial_number):
        latencies.merge(merged[_place(times, span, start)], data)
    histograms = [merged[place] for place in range(len(times))]
    found = [latencies.percentiles(histogram, _PERCENTILES) for histogram in histograms]
    p50, p90, p99 = ([values[number] for values in found] for number in range(3))
    counts = list(map(latencies.count, histograms))
    return LatencyChart(span.step, list(times), p50, p90, p99, counts)


def battery_chart(read: Read, serial_number: str, *, since: int, until: int) -> BatteryChart:
    """Return a button's voltages, of the finest sums that make `MAX_VOLTAGES` points at most."""
    rows: list[tuple[Any, ...]] = []
    for step in STEPS:
        most = _ALL if step == DAY else MAX_VOLTAGES + 1
        found = read(_VOLTAGES, (step, serial_number, since - since % step, until, most))
        # Where the finer sums are deleted already, the coarser ones reach further back.
        if not rows or len(rows) > MAX_VOLTAGES or found[0][0] < rows[0][0] - step:
            rows = list(found)
    rows = rows[:: -(-len(rows) // MAX_VOLTAGES) or 1]
    return BatteryChart([time for time, _ in rows], [voltage for _, voltage in rows])


def _sums(
    read: Read, columns: str, span: Span, serial_number: str | None, *, order: str = ""
) -> Iterable[tuple[Any, ...]]:
    """Yield the sums in a span; of days whose quarters are deleted, the days'."""
    ((number,),) = read(_NUMBER, (serial_number,)) if serial_number else [(EVERY_BUTTON,)]
    base, since = BASES[span.step], span.times.start
    query = f"SELECT {columns} {_FROM} {order}"
    if span.step == DAY:
        ((fine_from,),) = read("SELECT value FROM fact WHERE name = 'fine_from'")
        end = min(span.until, int(fine_from))
        yield from read(query, (DAY, number, since - since % DAY, end))
        since = max(since, int(fine_from))
    yield from read(query, (base, number, since, span.until))


def _begin(span: Span) -> str:
    """Return SQL for when the step begins that a sum is part of: fewer rows to read."""
    return f"(start + {span.offset}) / {span.step} * {span.step} - {span.offset}"


def _place(times: range, span: Span, start: int) -> int:
    return max(0, (span.begin(start) - times.start) // span.step)


_NUMBER = "SELECT coalesce((SELECT number FROM button WHERE serial_number = ?), -1)"
_FROM = "FROM rollup WHERE step = ? AND button = ? AND start >= ? AND start < ?"
_COUNTS = ", ".join(
    f"CAST(sum({name}) AS BIGINT)" for name in ("single", "double", "long", "other")
)
_VOLTAGES = """
SELECT start, battery FROM rollup
WHERE step = ? AND button = (SELECT number FROM button WHERE serial_number = ?)
    AND start >= ? AND start < ? AND battery IS NOT NULL
ORDER BY start LIMIT ?
"""
