"""What tests share: real child processes, real listeners, and waiting with a deadline."""

import asyncio
import contextlib
import os
import queue
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import pytest

from iot_button.loop import Loop
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from tests.nursery import Newborn, Nursery, is_of_this_python

T = TypeVar("T")
DEADLINE = 15.0
"""Seconds that any one wait may take: far more than needed, so that a slow machine passes."""


def require_program(name: str, package: str) -> str:
    """Return a program's path; missing, it is a skip at home and a failure where CI is set."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        reason = f"{name} is not installed (sudo apt-get install {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def eventually(condition: Callable[[], T], *, what: str, deadline: float = DEADLINE) -> T:
    """Wait until the condition is true, and return its value."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline:g} s: {what}")
        pause.wait(0.01)
    return value


def aside(call: Callable[[], T]) -> T:
    """Call something on a thread of its own, where no event loop runs, and return its value.

    On a test's own thread one may: the browser of the session is driven by Playwright's loop.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def run_async(work: Coroutine[object, object, None], *, deadline: float = DEADLINE) -> None:
    """Run a coroutine on a loop of its own, aside, to its end."""

    async def in_time() -> None:
        await asyncio.wait_for(work, deadline)

    aside(lambda: asyncio.run(in_time()))


def runs_until(loop: Loop, condition: Callable[[], object], *, deadline: float) -> bool:
    """Let a loop run until the condition is true, or the time over; return whether it is true."""
    end = time.monotonic() + deadline

    def look() -> None:
        if condition() or time.monotonic() > end:
            loop.stop()
        else:
            loop.call_later(0.002, look)

    loop.call_later(0, look)
    loop.run()
    return bool(condition())


def free_port() -> int:
    """Return a port that is free at this moment, and that no outgoing connection is given."""
    while True:
        port = random.randrange(15_000, 32_768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_listening(port: int) -> bool:
    """Whether anyone accepts connections on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


_nursery = Nursery()


def _begun(
    arguments: Sequence[str],
    environment: dict[str, str],
    directory: Path,
    python: str,
    streams: Sequence[int],
) -> Newborn | subprocess.Popen[bytes]:
    if python == sys.executable and is_of_this_python(environment):
        return _nursery.bear(
            arguments, environment=environment, directory=directory, streams=streams
        )
    command = [python, "-m", "iot_button", *arguments]
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        command, stdin=stdin, stdout=stdout, stderr=stderr, env=environment, cwd=directory
    )


class Program:
    """An `iot-button` child process, its output read as it comes."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        directory: Path,
        python: str = sys.executable,
        given: bytes = b"",
    ) -> None:
        """Start it; `given` is its standard input."""
        self.arguments = arguments
        self.said: list[str] = []
        self.printed: list[str] = []
        pipes = [os.pipe(), os.pipe()]
        with tempfile.TemporaryFile() as stdin:
            stdin.write(given)
            stdin.seek(0)
            ends = [stdin.fileno(), *(end for _ours, end in pipes)]
            self.process = _begun(arguments, dict(environment), directory, python, ends)
        for _ours, end in pipes:
            os.close(end)
        self._readers = [
            threading.Thread(target=self._read, args=(ours, lines), daemon=True)
            for (ours, _end), lines in zip(pipes, (self.printed, self.said), strict=True)
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(end: int, lines: list[str]) -> None:
        with open(end, encoding="utf-8") as stream:
            for line in stream:
                lines.append(line.rstrip("\n"))

    def wait_for(self, pattern: str, *, deadline: float = DEADLINE) -> re.Match[str]:
        """Wait until a line on standard error matches."""

        def match() -> re.Match[str] | None:
            found = (re.search(pattern, line) for line in list(self.said))
            return next((m for m in found if m), None)

        def match_or_end() -> re.Match[str] | bool:
            return match() or (self.process.poll() is not None and not self._is_reading())

        found = eventually(
            match_or_end, what=f"{pattern!r} said by {self.arguments}", deadline=deadline
        )
        if isinstance(found, bool):
            found = match() or pytest.fail(
                f"{self.arguments} ended without {pattern!r}: {self.said}"
            )
        return found

    def address(self, name: str) -> str:
        """Return an address from the ready line."""
        return self.wait_for(rf"^ready .*\b{name}=(\S+)")[1]

    def port(self, name: str) -> int:
        """Return the port of an address from the ready line."""
        return int(self.address(name).rpartition(":")[2])

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, *, deadline: float = DEADLINE) -> int:
        """Wait for its end and return its exit status."""
        try:
            status = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.arguments} did not end within {deadline:g} s; it said {self.said}")
        for reader in self._readers:
            reader.join(deadline)
        return status

    def stop(self) -> int:
        """Stop it with SIGTERM and return its exit status."""
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        return self.end()

    def _is_reading(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)


def run(
    *arguments: str,
    environment: Mapping[str, str],
    directory: Path | None = None,
    given: bytes = b"",
) -> subprocess.CompletedProcess[str]:
    """Run `iot-button ARGUMENTS` to its end, as `subprocess.run` does."""
    place = directory or Path.cwd()
    program = Program(*arguments, environment=environment, directory=place, given=given)
    status = program.end()
    stdout, stderr = ("".join(f"{line}\n" for line in n) for n in (program.printed, program.said))
    return subprocess.CompletedProcess(arguments, status, stdout, stderr)


class Listener:
    """A subscriber that keeps what it gets, in order."""

    def __init__(
        self,
        port: int,
        *filters: str,
        session: Session = Session.CLEAN,
        client_id: str | None = None,
    ) -> None:
        self._messages: queue.Queue[Message] = queue.Queue()
        self.connection = Connection(
            BrokerAddress(host="127.0.0.1", port=port),
            client_id=client_id or f"listener-{os.getpid()}-{id(self)}",
            session=session,
            on_message=self._messages.put,
        )
        for topic_filter in filters:
            self.connection.subscribe(topic_filter)

    def __enter__(self) -> Self:
        self.connection.__enter__()
        self.connection.wait_ready(DEADLINE)
        return self

    def __exit__(self, *_error: object) -> None:
        self.connection.__exit__()

    def next(self, *, deadline: float = DEADLINE) -> Message:
        """Return the next message."""
        try:
            return self._messages.get(timeout=deadline)
        except queue.Empty:
            pytest.fail(f"no message within {deadline:g} s")

    @property
    def is_empty(self) -> bool:
        """Whether every message that came has been taken."""
        return self._messages.empty()

    def publish(self, topic: str, payload: bytes | str, *, deadline: float = DEADLINE) -> None:
        """Publish at QoS 1 and wait for the PUBACK."""
        acknowledged = threading.Event()
        data = payload.encode() if isinstance(payload, str) else payload
        self.connection.publish(topic, data, on_acknowledged=acknowledged.set)
        assert acknowledged.wait(deadline), f"{topic} was not acknowledged"
