"""The parent side of an execution environment, as small as it can be: for tests of the child."""

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from functions.runtime import inside
from tests.support import DEADLINE

BOOTSTRAP = Path(inside.__file__).with_name("bootstrap.py")
SAMPLES = Path(__file__).with_name("handlers")
SUCCESS, FAILURE, READY, INIT_FAILURE = range(4)


@dataclass(frozen=True, slots=True)
class Frame:
    """What came back. `duration` is microseconds, `memory` KiB."""

    kind: int
    sequence: int
    duration: int
    memory: int
    body: bytes

    @property
    def value(self) -> Any:
        """The body, decoded; it must be JSON in UTF-8."""
        return json.loads(self.body.decode(), parse_constant=pytest.fail)


class Child:
    """A running execution environment."""

    def __init__(
        self, handler: str, *, root: Path, timeout: float, variables: Mapping[str, str]
    ) -> None:
        self.events, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.results, results = os.pipe()
        self.log, log = os.pipe()
        self.sequence = 0
        self.request_id = ""
        self.logged = b""
        self._read = b""
        config = {
            "events": self._theirs.fileno(),
            "results": results,
            "handler": handler,
            "root": str(root),
            "timeout": timeout,
            "name": "sample",
            "memory": 128,
            "arn": "arn:aws:lambda:eu-west-1:000000000000:function:sample",
            "version": "$LATEST",
            "logGroup": "/aws/lambda/sample",
            "logStream": "2026/11/22/[$LATEST]0",
            "parent": os.getpid(),
        }
        self.process = subprocess.Popen(
            [sys.executable, str(BOOTSTRAP), json.dumps(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(self._theirs.fileno(), results),
            env={"PATH": os.environ["PATH"], "TZ": ":UTC", **variables},
            start_new_session=True,
        )
        os.close(results)
        os.close(log)

    def send(self, payload: bytes, *, kind: bytes = b"E", header: Any = None) -> str:
        """Send an event and return its request id."""
        self.sequence += 1
        self.request_id = str(uuid.uuid4())
        head = json.dumps(header).encode() if header is not None else b""
        fixed = struct.pack("<cIH36s", kind, self.sequence, len(head), self.request_id.encode())
        self.events.settimeout(DEADLINE)
        self.events.send(fixed + head + payload)
        return self.request_id

    def frame(self) -> Frame:
        """Return the next frame."""
        (length,) = struct.unpack("<I", self._take(4))
        body = self._take(length)
        kind, sequence, duration, memory = struct.unpack("<BIII", body[:13])
        return Frame(kind, sequence, duration, memory, body[13:])

    def invoke(self, event: Any, *, header: Any = None) -> Frame:
        """Send an event and return its frame."""
        self.send(json.dumps(event).encode(), header=header)
        frame = self.frame()
        assert frame.sequence == self.sequence
        return frame

    def result(self, event: Any, *, header: Any = None) -> Any:
        """Send an event and return what the handler returned."""
        frame = self.invoke(event, header=header)
        assert frame.kind == SUCCESS, frame.value
        return frame.value

    def failure(self, event: Any, *, header: Any = None) -> dict[str, Any]:
        """Send an event and return the error response."""
        frame = self.invoke(event, header=header)
        assert frame.kind == FAILURE, frame.value
        response: dict[str, Any] = frame.value
        return response

    def take_back(self) -> bytes:
        """Take back the first event that it has not received."""
        return self._theirs.recv(65_536, socket.MSG_DONTWAIT)

    def is_silent(self) -> bool:
        """Whether it sends nothing more: its end of the pipe is closed."""
        self._wait(self.results)
        return os.read(self.results, 1) == b""

    def end(self) -> int:
        """Wait for its end and return its exit status."""
        return self.process.wait(DEADLINE)

    def log_text(self) -> str:
        """Return all that it has logged so far. What an event logs is there before its frame."""
        while select.select([self.log], [], [], 0)[0] and (data := os.read(self.log, 65_536)):
            self.logged += data
        return self.logged.decode()

    def close(self) -> None:
        """End it, with whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait(DEADLINE)
        self.events.close()
        self._theirs.close()
        os.close(self.results)
        os.close(self.log)

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._wait(self.results)
            data = os.read(self.results, 1_048_576)
            if not data:
                pytest.fail(f"the child is gone; it said {self.log_text()!r}")
            self._read += data
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def _wait(self, descriptor: int) -> None:
        end = time.monotonic() + DEADLINE
        while not select.select([descriptor], [], [], 0.1)[0]:
            self.log_text()  # a child that logs much must not wait for us
            if time.monotonic() > end:
                pytest.fail(f"no frame within {DEADLINE:g} s; it said {self.logged!r}")


@contextlib.contextmanager
def child(
    handler: str,
    *,
    root: Path,
    timeout: float = 3.0,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """Start an execution environment; its first frame is not read."""
    started = Child(handler, root=root, timeout=timeout, variables=variables or {})
    try:
        yield started
    finally:
        started.close()


@contextlib.contextmanager
def ready(handler: str, *, root: Path, timeout: float = 3.0) -> Iterator[Child]:
    """Start an execution environment and wait until it is ready."""
    with child(handler, root=root, timeout=timeout) as started:
        frame = started.frame()
        assert (frame.kind, frame.sequence, frame.body) == (READY, 0, b""), frame
        yield started


def init_failure(handler: str, *, root: Path) -> dict[str, Any]:
    """Start an execution environment that must fail, and return its error response."""
    with child(handler, root=root) as started:
        frame = started.frame()
        assert (frame.kind, frame.sequence) == (INIT_FAILURE, 0), frame
        assert started.is_silent()
        assert started.end() == 1
        response: dict[str, Any] = frame.value
        return response
