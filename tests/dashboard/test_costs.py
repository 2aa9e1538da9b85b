"""What the work would have cost on AWS, and how it is added up over starts and months."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.costs import Used, bill, costs, gb_seconds
from dashboard.costs_usage import Usage
from dashboard.functions_figures import Durations, FunctionFigures

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def usage(tmp_path: Path, clock: Clock) -> Usage:
    return Usage(tmp_path / "dashboard" / "usage.json", now=clock)


def figures(invocations: int, *, total: float = 0.0, events: int | None = None) -> FunctionFigures:
    """Return the figures of a function of 1 GB. `total`: milliseconds of all runs."""
    nothing = Durations(count=0, total=0.0, mean=None, p50=None, p90=None, p99=None)
    return FunctionFigures(
        name="enrich",
        state="active",
        handler="enrich.lambda_handler",
        timeout=3.0,
        memory_megabytes=1024,
        events=[],
        invocations=invocations,
        errors=0,
        throttles=0,
        events_received=invocations if events is None else events,
        events_dropped=0,
        dead_letter_errors=0,
        concurrency=0,
        concurrency_limit=1,
        environments=1,
        waiting=0,
        oldest_waiting=None,
        dead_letters=0,
        duration=Durations(count=invocations, total=total, mean=None, p50=None, p90=None, p99=None),
        cold_starts=nothing,
        event_age=nothing,
    )


def quantities(usage: Usage) -> dict[str, float]:
    return {item.item: item.quantity for item in usage.costs().items}


def test_requests_and_gb_seconds_cost_what_lambda_asks_for_them() -> None:
    """The example of Lambda's price page: 3 million runs of 120 ms with 1,536 MB."""
    used = Used(requests=3_000_000, gb_seconds=3_000_000 * 0.120 * 1.5)
    requests, compute, *_rest = bill([used], minutes=0)
    assert (requests.cost, requests.cost_after_free) == pytest.approx((0.60, 0.40))
    assert compute.cost_after_free == pytest.approx(2.33, abs=0.005)


def test_an_event_is_three_messages_a_rule_an_action_and_a_minute() -> None:
    lines = bill([Used(requests=1_000_000, events=1_000_000)], minutes=0)
    costs_of = {line.item: line.cost for line in lines}
    assert costs_of["messages"] == pytest.approx(3.00)
    assert costs_of["rules triggered"] == pytest.approx(0.15)
    assert costs_of["actions executed"] == pytest.approx(0.15)
    assert costs_of["minutes of connection"] == pytest.approx(0.08)


def test_each_run_is_billed_by_begun_milliseconds() -> None:
    assert gb_seconds(seconds=0.02, runs=1000, megabytes=128) == pytest.approx(1.02 / 8)


def test_the_pace_of_a_month_has_the_free_tier_of_a_month() -> None:
    used = [Used(requests=1_000_000)]
    short = costs(used, since=NOON, now=NOON + timedelta(minutes=59))
    assert short.pace is None
    day = costs(used, since=NOON, now=NOON + timedelta(days=1))
    assert day.total_after_free == pytest.approx(24 * 60 * 0.08 / 1_000_000)
    assert day.pace_after_free == pytest.approx(29.44 * 0.20 + 30.44 * 24 * 60 * 0.08 / 1_000_000)


def test_what_was_counted_is_counted_once(usage: Usage) -> None:
    for total in (10, 10, 25):
        usage.take([figures(total, total=total * 1.0)])
    found = quantities(usage)
    assert (found["requests"], found["messages"]) == (25, 75)
    assert found["GB-seconds"] == pytest.approx(25 * 0.002)


def test_a_runtime_that_was_started_again_counts_on(usage: Usage) -> None:
    usage.take([figures(100, total=100.0)])
    usage.take([figures(7, total=7.0)])
    found = quantities(usage)
    assert found["requests"] == 107
    assert found["GB-seconds"] == pytest.approx(107 * 0.002)


def test_a_dashboard_that_was_started_again_counts_on(
    usage: Usage, tmp_path: Path, clock: Clock
) -> None:
    usage.take([figures(100)])
    clock.now += timedelta(days=2)
    other = Usage(tmp_path / "dashboard" / "usage.json", now=clock)
    other.take([figures(130)])
    assert quantities(other)["requests"] == 130
    assert other.costs().since == "2026-11-22T12:00:00Z"


def test_with_a_month_the_bill_begins_anew(usage: Usage, clock: Clock) -> None:
    usage.take([figures(100)])
    clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    usage.take([figures(104)])
    assert (quantities(usage)["requests"], usage.costs().month) == (4, "2026-12")


def test_a_damaged_file_and_a_full_disk_cost_the_sums_and_no_more(
    usage: Usage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "usage.json").write_text("{")
    usage.take([figures(3)])
    assert quantities(usage)["requests"] == 3
    assert "begin anew" in caplog.text
    (tmp_path / "file").touch()
    Usage(tmp_path / "file" / "usage.json").take([figures(3)])
    assert "could not be written down" in caplog.text


def test_a_server_of_ones_own_has_ones_own_price(tmp_path: Path) -> None:
    found = Usage(tmp_path / "usage.json", server_price=3.5).costs().server
    assert (found.name, found.price) == ("", 3.5)
