import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from iot_button.lifetime import INTERRUPTED, Lifetime
from tests.support import DEADLINE

Start = Callable[..., "subprocess.Popen[bytes]"]

WAIT = """
from iot_button.lifetime import Lifetime
with Lifetime(until_stdin_closes={until_stdin_closes}) as lifetime:
    print("ready", flush=True)
    lifetime.wait()
    print("asked", flush=True)
    {stopping}
    print("stopped", flush=True)
"""


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[subprocess.Popen[bytes]] = []

    def start_one(
        *, until_stdin_closes: bool = False, stopping: str = "pass"
    ) -> "subprocess.Popen[bytes]":
        program = WAIT.format(until_stdin_closes=until_stdin_closes, stopping=stopping)
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        assert next_line(child) == "ready"
        return child

    yield start_one
    for child in children:
        with child:  # which closes its pipes and waits for it
            child.kill()


def next_line(child: "subprocess.Popen[bytes]") -> str:
    stream = pipe(child.stdout)
    assert select.select([stream], [], [], DEADLINE)[0], "the child says nothing"
    return stream.readline().decode().strip()


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def end(child: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """Return exit status and standard error, its standard input still open."""
    status = child.wait(DEADLINE)
    return status, pipe(child.stderr).read().decode()


@pytest.mark.parametrize("until_stdin_closes", [False, True])
def test_sigterm_ends_a_process_with_0(start: Start, *, until_stdin_closes: bool) -> None:
    child = start(until_stdin_closes=until_stdin_closes)
    child.terminate()
    assert end(child) == (0, "")


@pytest.mark.parametrize("until_stdin_closes", [False, True])
def test_ctrl_c_ends_a_process_with_130(start: Start, *, until_stdin_closes: bool) -> None:
    child = start(until_stdin_closes=until_stdin_closes)
    child.send_signal(signal.SIGINT)
    assert end(child) == (INTERRUPTED, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_stops_in_order_is_let_finish(start: Start, number: signal.Signals) -> None:
    child = start()
    child.send_signal(number)
    assert [next_line(child), next_line(child)] == ["asked", "stopped"]


def test_the_end_of_standard_input_ends_a_process_with_0(start: Start) -> None:
    child = start(until_stdin_closes=True)
    pipe(child.stdin).close()
    assert end(child) == (0, "")


def test_what_comes_on_standard_input_does_not_end_a_process(start: Start) -> None:
    child = start(until_stdin_closes=True)
    pipe(child.stdin).write(b"x" * 10_000)
    pipe(child.stdin).flush()
    assert not select.select([pipe(child.stdout)], [], [], 0.2)[0]
    pipe(child.stdin).close()
    assert end(child) == (0, "")


def test_without_the_option_the_end_of_standard_input_ends_nothing(start: Start) -> None:
    child = start()
    pipe(child.stdin).close()
    assert not select.select([pipe(child.stdout)], [], [], 0.2)[0]
    child.terminate()
    assert end(child) == (0, "")


def test_a_standard_input_that_was_never_open_has_ended() -> None:
    program = WAIT.format(until_stdin_closes=True, stopping="pass")
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, program],
        capture_output=True,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_second_ctrl_c_ends_a_process_that_does_not_stop(start: Start) -> None:
    child = start(stopping="import threading; threading.Event().wait()")
    child.send_signal(signal.SIGINT)
    assert next_line(child) == "asked"
    child.send_signal(signal.SIGINT)
    assert end(child)[0] == 130


def test_sigterm_after_ctrl_c_still_counts_as_interrupted(start: Start) -> None:
    child = start(stopping="input()")
    child.send_signal(signal.SIGINT)
    assert next_line(child) == "asked"
    child.terminate()
    pipe(child.stdin).write(b"\n")
    pipe(child.stdin).flush()
    assert end(child)[0] == INTERRUPTED


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put back the signal handlers that a Lifetime in this process replaces."""
    kept = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_waiting_is_bounded_and_says_whether_it_was_asked() -> None:
    with Lifetime() as lifetime:
        assert not lifetime.wait(0.001)
        assert not lifetime.wait(-5.0)
        over = [lifetime.is_over]
        lifetime.stop()
        lifetime.stop()
        assert [*over, lifetime.is_over] == [False, True]
        assert lifetime.wait()
        assert lifetime.wait(0.0)


@pytest.mark.usefixtures("handlers")
def test_all_who_wait_are_let_go() -> None:
    with Lifetime() as lifetime:
        waiters = [threading.Thread(target=lifetime.wait) for _ in range(5)]
        for waiter in waiters:
            waiter.start()
        os.kill(os.getpid(), signal.SIGTERM)
        for waiter in waiters:
            waiter.join(DEADLINE)
        assert not any(waiter.is_alive() for waiter in waiters)


@pytest.mark.usefixtures("handlers")
def test_it_says_at_once_that_it_was_asked() -> None:
    said = threading.Event()
    with Lifetime(on_asked=said.set) as lifetime:
        os.kill(os.getpid(), signal.SIGTERM)
        assert said.wait(DEADLINE)
        assert not lifetime.interrupted


ASKED_IN_THE_MIDDLE_OF_WAITING = """
import signal, time
from iot_button.lifetime import Lifetime
asked = 0
end = time.monotonic() + 1.0
while time.monotonic() < end or asked <= 50:
    with Lifetime() as lifetime:
        signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        while not lifetime.wait(0.00001):
            pass
        asked += 1
print(asked)
"""


def test_a_signal_in_the_middle_of_waiting_does_not_wait_for_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED_IN_THE_MIDDLE_OF_WAITING],
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assert int(done.stdout) > 50
