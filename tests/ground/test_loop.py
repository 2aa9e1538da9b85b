"""The selector loop: timers, files, calls from other threads, and errors."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from iot_button.loop import READ, WRITE, Loop
from tests.support import DEADLINE


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def run(loop: Loop) -> None:
    """Run until something stops it, or the deadline does, as a failure."""
    late: list[bool] = []

    def stop() -> None:
        late.append(True)
        loop.stop()

    timer = loop.call_later(DEADLINE, stop)
    loop.run()
    timer.cancel()
    assert not late, "nothing stopped the loop"


def fail() -> None:
    raise RuntimeError("an error of a test")


def test_timers_come_in_the_order_of_their_moments(loop: Loop) -> None:
    came: list[int] = []
    for number in (3, 1, 2):
        loop.call_later(number / 100, lambda number=number: came.append(number))  # type: ignore[misc]
    loop.call_later(0.05, loop.stop)
    run(loop)
    assert came == [1, 2, 3]


def test_timers_of_one_moment_come_in_the_order_in_which_they_were_set(loop: Loop) -> None:
    came: list[int] = []
    moment = time.monotonic() + 0.01
    for number in range(20):
        loop.call_at(moment, lambda number=number: came.append(number))  # type: ignore[misc]
    loop.call_at(moment, loop.stop)
    run(loop)
    assert came == list(range(20))


def test_no_timer_comes_early(loop: Loop) -> None:
    start = time.monotonic()
    loop.call_later(0.03, loop.stop)
    run(loop)
    assert time.monotonic() - start >= 0.03


def test_a_cancelled_timer_never_comes(loop: Loop) -> None:
    came: list[int] = []
    timer = loop.call_later(0.01, lambda: came.append(1))
    loop.call_later(0.005, timer.cancel)
    loop.call_later(0.03, loop.stop)
    run(loop)
    assert came == []


def test_a_timer_may_set_another(loop: Loop) -> None:
    def again() -> None:
        loop.call_later(0, loop.stop)

    loop.call_later(0, again)
    run(loop)


def test_a_call_from_a_thread_wakes_the_loop_at_once(loop: Loop) -> None:
    threads: list[int] = []

    def ask() -> None:
        loop.call_from_thread(lambda: threads.append(threading.get_ident()))
        loop.call_from_thread(loop.stop)

    loop.call_later(3600, fail)
    other = threading.Thread(target=ask)
    loop.call_later(0, other.start)
    start = time.monotonic()
    run(loop)
    other.join()
    assert time.monotonic() - start < 5
    assert threads == [threading.get_ident()]


def test_many_threads_may_call_and_no_call_is_lost(loop: Loop) -> None:
    came: list[int] = []

    def ask() -> None:
        for number in range(2_000):
            loop.call_from_thread(lambda number=number: came.append(number))  # type: ignore[misc]

    threads = [threading.Thread(target=ask) for _ in range(4)]

    def look() -> None:
        if len(came) == 8_000:
            loop.stop()
        else:
            loop.call_later(0.005, look)

    for thread in threads:
        thread.start()
    look()
    run(loop)
    for thread in threads:
        thread.join()
    assert sorted(came) == sorted([*range(2_000)] * 4)


@pytest.mark.parametrize(
    "begin",
    [
        lambda loop: loop.call_later(0, fail),
        lambda loop: loop.call_from_thread(fail),
        lambda loop: loop.at_end_of_turn(fail),
    ],
)
def test_an_error_in_a_callback_is_logged_and_the_loop_goes_on(
    loop: Loop, caplog: pytest.LogCaptureFixture, begin: Callable[[Loop], object]
) -> None:
    begin(loop)
    loop.call_later(0.02, loop.stop)
    run(loop)
    assert "an error of a test" in caplog.text


def test_a_file_is_watched_until_it_is_not(loop: Loop) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        came: list[bytes] = []

        def read() -> None:
            came.append(ours.recv(100))
            loop.unwatch(ours.fileno())
            loop.unwatch(ours.fileno())
            theirs.send(b"two")
            loop.call_later(0.02, loop.stop)

        loop.watch(ours.fileno(), READ, read)
        theirs.send(b"one")
        run(loop)
        assert came == [b"one"]


def test_what_a_file_is_watched_for_can_be_changed(loop: Loop) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        came: list[str] = []
        loop.watch(ours.fileno(), READ, lambda: came.append("read"))
        loop.watch(ours.fileno(), READ | WRITE, loop.stop)
        run(loop)
        assert came == []


def test_the_end_of_a_turn_comes_after_all_its_callbacks_also_the_last(loop: Loop) -> None:
    came: list[str] = []
    loop.at_end_of_turn(lambda: came.append("end"))
    loop.call_later(0, lambda: came.append("one"))
    loop.call_later(0, lambda: came.append("two"))
    loop.call_later(0, loop.stop)
    run(loop)
    assert came[-1] == "end"
    assert [word for word in came if word != "end"] == ["one", "two"]


def test_a_closed_loop_may_still_be_called_by_a_thread() -> None:
    loop = Loop()
    loop.close()
    loop.call_from_thread(fail)


def test_a_timer_that_sets_itself_again_for_at_once_keeps_nothing_else_from_running(
    loop: Loop,
) -> None:
    def again() -> None:
        loop.call_later(0, again)

    again()
    loop.call_from_thread(loop.stop)
    run(loop)
