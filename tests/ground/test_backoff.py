"""How long a lost connection waits: soon after a good one, longer and longer after others."""

import pytest

from iot_button.mqtt import backoff as module
from iot_button.mqtt.backoff import STANDS_AFTER, Backoff


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr("random.uniform", lambda _least, _most: 1.0)
    return clock


@pytest.mark.usefixtures("clock")
def test_each_try_in_vain_doubles_the_delay_up_to_a_limit() -> None:
    backoff = Backoff("me")
    delays = [backoff.delay() for _ in range(30)]
    assert delays[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])
    assert set(delays[5:]) == {5.0}


def test_after_a_connection_that_stood_for_a_while_the_next_try_comes_soon(clock: Clock) -> None:
    backoff = Backoff("me")
    for _ in range(6):
        backoff.delay()
    backoff.stands()
    clock.now += STANDS_AFTER + 1.0
    assert backoff.lost("it closed the connection") == "it closed the connection"
    assert backoff.delay() == pytest.approx(0.2)


def test_who_is_thrown_out_again_and_again_slows_down_and_names_the_likely_cause(
    clock: Clock,
) -> None:
    backoff, said, delays = Backoff("button-7"), [], []
    for _ in range(5):
        backoff.stands()
        clock.now += 0.5
        said.append(backoff.lost("it closed the connection"))
        delays.append(backoff.delay())
    assert delays == sorted(delays)
    assert delays[-1] > 3.0
    assert said[0] == "it closed the connection"
    assert said[-1].endswith("; is another client there under our id, button-7?")


def test_who_leaves_by_itself_comes_back_soon() -> None:
    backoff = Backoff("me")
    for _ in range(6):
        backoff.delay()
    backoff.stands()
    backoff.left()
    assert backoff.lost("it went silent") == "it went silent"
    assert backoff.delay() < 0.5
