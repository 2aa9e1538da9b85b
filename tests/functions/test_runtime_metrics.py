"""Counts and durations under AWS's names."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.metrics import Durations, Metrics
from tests.functions.service_support import one_function

FAILING_ON_0 = "def lambda_handler(event, context):\n    return 1 / event\n"


@given(seconds=st.lists(st.floats(0, 2_000), max_size=50))
def test_each_duration_is_counted_once_in_the_first_bound_that_is_not_below_it(
    seconds: list[float],
) -> None:
    durations = Durations()
    for value in seconds:
        durations.add(value)
    found = durations.snapshot()
    assert found.count == len(seconds)
    for number, bound in enumerate(found.bounds):
        assert sum(found.counts[: number + 1]) == sum(value <= bound for value in seconds)


def test_a_snapshot_does_not_change_afterwards() -> None:
    metrics = Metrics()
    before = metrics.snapshot("mine", concurrent_executions=0)
    metrics.invocations += 1
    metrics.duration.add(1.0)
    assert (before.invocations, before.duration.count) == (0, 0)


def test_runs_are_counted_as_aws_counts_them(tmp_path: Path) -> None:
    with one_function(tmp_path, FAILING_ON_0, retries=1, delays=(0.01,)) as workshop:
        for event in (b"1", b"2", b"0"):
            workshop.take(event)
        workshop.until_sent("deadletter/mine")
        workshop.settle()
        found = workshop.member.measured()
    assert (found.invocations, found.errors) == (4, 2)
    assert (found.async_events_received, found.async_events_dropped) == (3, 1)
    assert found.duration.count == 4
    assert found.init_duration.count >= 1
    assert found.async_event_age.count == 3
    assert found.concurrent_executions == 0


def test_a_dead_letter_that_the_broker_would_refuse_is_an_error_of_its_own(
    tmp_path: Path,
) -> None:
    code = "def lambda_handler(event, context):\n    raise ValueError\n"
    with one_function(tmp_path, code, retries=0, dead_letter_topic="queue") as workshop:
        workshop.take(b'"' + b"x" * 1_000_000 + b'"')
        workshop.until_sent("deadletter/mine")
        assert workshop.member.measured().dead_letter_errors == 1
