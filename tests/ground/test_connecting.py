"""Many streams on one loop: they take turns to connect, and can hang without the others."""

import functools
import threading
from collections.abc import Callable, Iterator

import pytest

from iot_button.loop import Loop
from iot_button.messages import Session
from iot_button.mqtt import Stream
from iot_button.mqtt.connecting import Connecting
from iot_button.settings import BrokerAddress
from tests.support import DEADLINE, Listener, Program


def test_no_more_than_so_many_connect_at_a_time_and_the_others_follow_in_turn() -> None:
    connecting, began = Connecting(2), list[int]()
    for number in range(5):
        connecting.take(lambda number=number: began.append(number))  # type: ignore[misc]
    assert began == [0, 1]
    connecting.leave()
    assert began == [0, 1, 2]
    connecting.leave()
    connecting.leave()
    assert began == [0, 1, 2, 3, 4]


def test_nobody_begins_while_it_is_held() -> None:
    connecting, began = Connecting(2, is_held=True), list[int]()
    connecting.take(lambda: began.append(1))
    assert began == []
    connecting.release()
    assert began == [1]
    connecting.hold()
    connecting.take(lambda: began.append(2))
    assert began == [1]
    connecting.release()
    assert began == [1, 2]


def test_ten_thousand_that_fail_at_once_do_not_pile_up() -> None:
    connecting, failed = Connecting(1, is_held=True), list[int]()

    def fail() -> None:
        failed.append(1)
        connecting.leave()

    for _ in range(10_000):
        connecting.take(fail)
    connecting.release()
    assert len(failed) == 10_000


def test_one_that_cannot_begin_does_not_end_the_turns_of_the_others() -> None:
    connecting, began = Connecting(2), list[int]()

    def fail() -> None:
        raise RuntimeError("cannot begin")

    with pytest.raises(RuntimeError, match="cannot begin"):
        connecting.take(fail)
    connecting.leave()
    connecting.take(lambda: began.append(1))
    assert began == [1]


def test_without_a_thread_to_connect_on_a_stream_gives_its_place_back_and_tries_again(
    broker: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = threading.Thread.start, list[str]()

    def scarce(thread: threading.Thread) -> None:
        if thread.name == "connect" and len(refused) < 3:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    Streams(broker.port("mqtt"), 2, at_a_time=1).close()
    assert len(refused) == 3


class Streams:
    """Streams of one loop on a thread of its own."""

    def __init__(self, port: int, count: int, *, at_a_time: int) -> None:
        self.loop = Loop()
        self.ready = threading.Semaphore(0)
        connecting = Connecting(at_a_time)
        self.streams = [
            Stream(
                self.loop,
                BrokerAddress(host="127.0.0.1", port=port),
                client_id=f"together-{number}",
                session=Session.CLEAN,
                on_message=lambda _message: None,
                on_change=lambda is_ready: self.ready.release() if is_ready else None,
                connecting=connecting,
            )
            for number in range(count)
        ]
        self.loop.at_end_of_turn(self._flush)
        self._thread = threading.Thread(target=self.loop.run)
        self._thread.start()
        self.call(self._open)
        for _ in self.streams:
            assert self.ready.acquire(timeout=DEADLINE)

    def call(self, action: Callable[[], object]) -> None:
        """Do something on the loop's thread, and wait until it is done."""
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self.loop.call_from_thread(act)
        assert done.wait(DEADLINE)

    def close(self) -> None:
        self.call(self._close)
        self.loop.call_from_thread(self.loop.stop)
        self._thread.join(DEADLINE)
        self.loop.close()

    def _open(self) -> None:
        for stream in self.streams:
            stream.open()

    def _close(self) -> None:
        for stream in self.streams:
            stream.close()

    def _flush(self) -> None:
        for stream in self.streams:
            stream.flush()


@pytest.fixture
def streams(broker: Program) -> Iterator[Streams]:
    together = Streams(broker.port("mqtt"), 9, at_a_time=2)
    yield together
    together.close()


def test_a_frozen_stream_says_nothing_until_it_thaws_and_the_others_go_on(
    broker: Program, streams: Streams
) -> None:
    frozen, other = streams.streams[:2]
    acknowledged = list[str]()
    with Listener(broker.port("mqtt"), "talk/+") as listener:
        streams.call(frozen.freeze)
        for name, stream in (("frozen", frozen), ("other", other)):
            done = functools.partial(acknowledged.append, name)
            say = functools.partial(stream.publish, f"talk/{name}", b"", on_acknowledged=done)
            streams.call(say)
        assert listener.next().topic == "talk/other"
        assert "frozen" not in acknowledged
        streams.call(frozen.thaw)
        assert listener.next().topic == "talk/frozen"
