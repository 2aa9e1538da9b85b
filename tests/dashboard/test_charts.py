import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.store import Reader, Store, latencies
from dashboard.store.batteries import ends_at
from dashboard.store.charts import Span, battery_chart, click_chart, latency_chart
from dashboard.store.tidying import Keep
from iot_button.events import format_instant
from tests.dashboard.helpers import click, keep, keep_each
from tests.support import eventually

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
START = int(MIDNIGHT.timestamp())
DAY = 86_400


@pytest.mark.parametrize(("step", "offset"), [(60, 0), (3600, 0), (3600, 345), (86400, -210)])
def test_sums_are_what_counting_the_clicks_would_give(
    tmp_path: Path, step: int, offset: int
) -> None:
    chance = random.Random(step + offset)
    span = Span(step=step, since=START, until=START + 40 * step, offset=offset * 60)
    moments = [chance.randrange(span.times.start, span.until) for _ in range(200)]
    kinds = [chance.choice(["SINGLE", "DOUBLE", "LONG", "TRIPLE"]) for _ in moments]
    with Store(tmp_path) as store:
        when = [datetime.fromtimestamp(moment, UTC) for moment in moments]
        keep_each(store, list(zip((click(click_type=kind) for kind in kinds), when, strict=True)))
        reader = Reader(store.path)
        chart = click_chart(reader, span, serial_number=None)
        same = click_chart(reader, span, serial_number="B-1")
        reader.close()
    counted = Counter(zip(map(span.begin, moments), kinds, strict=True))
    for kind, values in chart.series.items():
        name = "TRIPLE" if kind == "other" else kind
        assert values == [counted[time, name] for time in chart.times]
    assert sum(map(sum, chart.series.values())) == len(moments)
    assert same == chart


def test_latencies_are_told_as_percentiles_of_their_step(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        moments = [MIDNIGHT - timedelta(milliseconds=number) for number in range(1, 101)]
        keep(store, *(click(clicked_at=format_instant(it)) for it in moments), at=MIDNIGHT)
        reader = Reader(store.path)
        span = Span(step=60, since=START - 60, until=START + 60)
        chart = latency_chart(reader, span, serial_number=None)
        reader.close()
    assert (chart.p50[0], chart.count) == (None, [0, 100])
    for found, exact in ((chart.p50, 50), (chart.p90, 90), (chart.p99, 99)):
        assert found[1] == pytest.approx(exact, rel=0.0625)


@given(st.integers(0, 10**13))
def test_a_latency_is_near_the_middle_of_its_bucket(milliseconds: int) -> None:
    middle = latencies.middle(latencies.bucket(milliseconds))
    assert middle == pytest.approx(milliseconds, rel=0.0667)
    assert milliseconds > 15 or middle == milliseconds


@given(st.lists(st.integers(0, 100_000), min_size=1), st.lists(st.integers(0, 100_000)))
def test_histograms_add_up_through_the_disk(first: list[int], second: list[int]) -> None:
    merged: latencies.Histogram = {}
    for values in (first, second):
        latencies.merge(merged, latencies.encode(Counter(map(latencies.bucket, values))))
    assert merged == Counter(map(latencies.bucket, first + second))
    (median,) = latencies.percentiles(merged, [0.5])
    exact = sorted(first + second)[(len(first + second) - 1) // 2]
    assert median == pytest.approx(exact, rel=0.0667)


def test_old_days_stay_when_their_clicks_and_finer_sums_are_deleted(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Store(tmp_path, keep=Keep(days=10)) as store:
        for days in (30, 20, 5, 0):
            keep(store, click(f"{days}", battery_voltage="1700mV"), at=now - timedelta(days=days))
    with Store(tmp_path, keep=Keep(days=10)) as store:
        reader = Reader(store.path)
        eventually(
            lambda: reader("SELECT count(*) FROM click") == [(2,)], what="the old are deleted"
        )
        until = int(now.timestamp()) + 1
        span = Span(step=DAY, since=until - 40 * DAY, until=until)
        chart = click_chart(reader, span, serial_number=None)
        voltages = battery_chart(reader, "B-1", since=0, until=until)
        (kept,) = reader("SELECT min(start), count(*) FROM rollup WHERE step = 60 AND button = 0")
        reader.close()
    assert sum(chart.series["SINGLE"]) == 4
    assert len(voltages.times) == 4
    assert kept[1] == 2


def test_a_battery_curve_has_a_thousand_points_at_most(tmp_path: Path) -> None:
    rows = [(86400, 1, day * DAY, 1, 0, 0, 0, 3000 - day, None) for day in range(2500)]
    with Store(tmp_path) as store:
        keep(store, click())
        store.run(
            lambda database: database.write_many(
                "INSERT INTO rollup VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
        )
        reader = Reader(store.path)
        chart = battery_chart(reader, "B-1", since=0, until=START)
        reader.close()
    assert 500 <= len(chart.times) <= 1000
    assert (chart.times[0], chart.millivolts[0]) == (0, 3000)


@pytest.mark.parametrize(
    ("voltages", "end"),
    [
        ([1800, 1790, 1780], "1970-03-05"),  # low at 1170, 10 mV a day: after 63 days
        ([1500, 1400, 1300, 1800, 1790, 1780], "1970-03-08"),  # a new battery on the fourth day
        ([1800, 1800, 1800], None),
        ([1700, 1710, 1720], None),
        ([1800, 1790], None),
        ([1000, 900, 800], "1970-01-03"),
    ],
)
def test_the_end_of_a_battery_is_estimated_since_it_was_new(
    voltages: list[int], end: str | None
) -> None:
    found = ends_at(list(enumerate(voltages)), highest=1800)
    assert (found and found.isoformat()) == (end and str(end))


def test_latencies_of_clocks_that_were_never_set_are_left_out_of_sums_from_before() -> None:
    merged: latencies.Histogram = {}
    year = 365 * 86_400_000
    kept = Counter(map(latencies.bucket, (8, 4 * year)))
    latencies.merge(merged, latencies.encode(kept + Counter([latencies.bucket(56 * year)])))
    assert merged == kept
