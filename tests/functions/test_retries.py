"""When a failed event is tried again: pure."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.retries import (
    DELAYS,
    Condition,
    GiveUp,
    RetryAt,
    after_failure,
    is_too_old,
)
from tests.functions.service_support import function

NOW = 1_790_000_000.0


def decide(tmp_path: Path, *, attempts: int, age: float = 0.0, **more: Any) -> object:
    spec = function(tmp_path, "", **more)
    return after_failure(spec, attempts=attempts, received=NOW - age, now=NOW)


def test_the_first_retry_is_after_a_minute_and_the_second_after_two(tmp_path: Path) -> None:
    assert decide(tmp_path, attempts=1) == RetryAt(NOW + 60)
    assert decide(tmp_path, attempts=2) == RetryAt(NOW + 120)
    assert decide(tmp_path, attempts=3) == GiveUp(Condition.RETRIES_EXHAUSTED)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_function_may_have_fewer(tmp_path: Path, retries: int) -> None:
    assert decide(tmp_path, attempts=retries + 1, retries=retries) == GiveUp(
        Condition.RETRIES_EXHAUSTED
    )


def test_a_retry_beyond_the_maximum_age_is_given_up_at_once(tmp_path: Path) -> None:
    assert decide(tmp_path, attempts=1, age=41, event_age=100.0) == GiveUp(
        Condition.EVENT_AGE_EXCEEDED
    )
    assert decide(tmp_path, attempts=1, age=40, event_age=100.0) == RetryAt(NOW + 60)


def test_a_clock_that_was_set_back_makes_no_event_old(tmp_path: Path) -> None:
    spec = function(tmp_path, "", event_age=60.0)
    assert not is_too_old(spec, received=NOW, now=NOW - 10_000)


@given(
    attempts=st.integers(1, 20),
    retries=st.integers(0, 20),
    delays=st.lists(st.floats(0, 1e6), min_size=1, max_size=4).map(tuple),
)
def test_every_failure_is_tried_again_or_given_up_and_the_last_delay_holds_on(
    tmp_path_factory: pytest.TempPathFactory,
    attempts: int,
    retries: int,
    delays: tuple[float, ...],
) -> None:
    spec = function(tmp_path_factory.getbasetemp(), "", retries=retries, event_age=1e9)
    decision = after_failure(spec, attempts=attempts, received=NOW, now=NOW, delays=delays)
    if attempts > retries:
        assert decision == GiveUp(Condition.RETRIES_EXHAUSTED)
    else:
        assert decision == RetryAt(NOW + delays[min(attempts - 1, len(delays) - 1)])


def test_the_delays_are_those_of_aws() -> None:
    assert DELAYS == (60.0, 120.0)
