"""A message to ourselves notices a subscription that has gone silent."""

from collections.abc import Callable, Iterator
from typing import cast

import pytest

from functions.runtime.heartbeat import Heartbeat
from iot_button.loop import Loop
from iot_button.mqtt import Stream


class Silent:
    """A stream whose messages come back, or not."""

    def __init__(self) -> None:
        self.beats = 0
        self.reconnects = 0
        self.on_beat: Callable[[], None] = lambda: None

    def publish(self, topic: str, payload: bytes, **_more: object) -> None:
        assert (topic, payload) == ("beat", b"")
        self.beats += 1
        self.on_beat()

    def reconnect(self, why: str) -> None:
        assert "silent" in why
        self.reconnects += 1


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def beating(loop: Loop, stream: Silent) -> Heartbeat:
    return Heartbeat(loop, cast(Stream, stream), "beat", every=0.02, patience=0.01)


def run(loop: Loop, seconds: float) -> None:
    loop.call_later(seconds, loop.stop)
    loop.run()


def test_a_subscription_that_answers_is_left_alone(loop: Loop) -> None:
    stream = Silent()
    heartbeat = beating(loop, stream)
    stream.on_beat = heartbeat.heard
    heartbeat.start()
    run(loop, 0.3)
    assert stream.beats > 3
    assert stream.reconnects == 0


def test_a_silent_one_is_left_for_a_new_connection(loop: Loop) -> None:
    stream = Silent()
    beating(loop, stream).start()
    run(loop, 0.2)
    assert (stream.beats, stream.reconnects) == (1, 1)


def test_it_beats_again_at_the_next_connection_and_never_twice(loop: Loop) -> None:
    stream = Silent()
    heartbeat = beating(loop, stream)
    heartbeat.start()
    heartbeat.start()
    run(loop, 0.2)
    assert (stream.beats, stream.reconnects) == (2, 1)


def test_one_that_was_stopped_says_nothing(loop: Loop) -> None:
    stream = Silent()
    heartbeat = beating(loop, stream)
    heartbeat.start()
    heartbeat.stop()
    run(loop, 0.1)
    assert (stream.beats, stream.reconnects) == (1, 0)
