"""Child processes in order: started, watched, started again, stopped.

Each child leads a process group of its own, so that Ctrl-C in the terminal reaches only the
supervisor, which then stops the children in its order; and so that what a killed child leaves
behind can be ended with it. Each child's standard input is a pipe that only the supervisor holds:
should the supervisor be killed, the pipe ends, and the child stops by itself.
"""

import contextlib
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Self

from iot_button.console import say
from iot_button.errors import IotButtonError

READY_TIMEOUT = 20.0
STABLE_AFTER = 10.0
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A part to run: its name, the arguments of `iot-button` that run it, its time to get ready."""

    name: str
    arguments: Sequence[str]
    ready_timeout: float = READY_TIMEOUT


@dataclass(frozen=True, slots=True)
class _Ready:
    name: str
    addresses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Ended:
    name: str
    process: subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


@dataclass(slots=True)
class _Part:
    plan: Plan
    process: subprocess.Popen[str]
    started_at: float
    failures: int
    ready_by: float
    """The moment by which it has to be ready; infinite once it is, or has ended."""


def restart_delay(failures: int) -> float:
    """Return the seconds to wait before a start, after so many failures in a row."""
    return float(min(_FIRST_DELAY * 2**failures, _LONGEST_DELAY))


class Supervisor:
    """Runs parts as child processes from `with` to the end of its block.

    Args:
        environment: for all children, on top of our own; may be added to between starts.
        options: of `iot-button`, for all children.
        stop_timeout: seconds for all parts together to stop in; the rest is killed.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        options: Sequence[str] = ("--until-stdin-closes",),
        stop_timeout: float = 4.5,
    ) -> None:
        self.environment = dict(environment)
        self._options = options
        self._stop_timeout = stop_timeout
        self._parts: dict[str, _Part] = {}
        self._events: queue.SimpleQueue[_Ready | _Ended | _Stop] = queue.SimpleQueue()
        self._restarts: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop_all()

    def ask_to_stop(self) -> None:
        """Make `start` and `watch` return."""
        self._events.put(_Stop())

    def start(self, plan: Plan) -> Mapping[str, str] | None:
        """Start a part and wait until it is ready; return its addresses, None if asked to stop.

        Raises:
            IotButtonError: it ended, or was not ready in time; its own words are above.
        """
        self._parts[plan.name] = self._spawn(plan, failures=0)
        while not isinstance(event := self._next_event(), _Stop):
            if event.name != plan.name:
                self._handle(event)
            elif isinstance(event, _Ended):
                raise IotButtonError(f"{plan.name} did not start; its reason is above")
            else:
                self._parts[plan.name].ready_by = math.inf
                return event.addresses
        return None

    def watch(self) -> None:
        """Start parts again when they end, until asked to stop."""
        while not isinstance(event := self._next_event(), _Stop):
            self._handle(event)

    def _next_event(self) -> _Ready | _Ended | _Stop:
        """Return the next event; meanwhile start what is due, and kill what is late."""
        while True:
            self._restart_those_due()
            self._kill_those_late()
            due = min(
                *self._restarts.values(), *(p.ready_by for p in self._parts.values()), math.inf
            )
            wait = max(0.0, due - time.monotonic())
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=None if math.isinf(wait) else wait)

    def _handle(self, event: _Ready | _Ended) -> None:
        part = self._parts[event.name]
        if isinstance(event, _Ready):
            part.ready_by = math.inf
            say(f"{event.name} is ready again")
        elif part.process is event.process:
            self._plan_restart(part)

    def _plan_restart(self, part: _Part) -> None:
        _end_group(part.process)
        part.ready_by = math.inf
        ran = time.monotonic() - part.started_at
        part.failures = 0 if ran > STABLE_AFTER else part.failures
        delay = restart_delay(part.failures)
        part.failures += 1
        self._restarts[part.plan.name] = time.monotonic() + delay
        reason = _reason(part.process)
        say(f"{part.plan.name} ended ({reason}); starting it again in {delay:g} s")

    def _kill_those_late(self) -> None:
        for name, part in self._parts.items():
            if part.ready_by <= time.monotonic():
                part.ready_by = math.inf
                say(f"{name} was not ready within {part.plan.ready_timeout:g} s; it is killed")
                part.process.kill()

    def _restart_those_due(self) -> None:
        for name in [n for n, due in self._restarts.items() if due <= time.monotonic()]:
            del self._restarts[name]
            before = self._parts[name]
            self._parts[name] = self._spawn(before.plan, failures=before.failures)

    def _spawn(self, plan: Plan, *, failures: int) -> _Part:
        process = subprocess.Popen(
            [sys.executable, "-m", "iot_button", *plan.arguments, *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a PIPE
        reader = threading.Thread(target=self._read, args=(plan.name, process.stdout), daemon=True)
        reader.start()
        threading.Thread(
            target=self._await_end, args=(plan.name, process, reader), daemon=True
        ).start()
        now = time.monotonic()
        return _Part(plan, process, now, failures, ready_by=now + plan.ready_timeout)

    def _read(self, name: str, lines: IO[str]) -> None:
        """Pass on what a part says; its ready line is for us, and we say our own."""
        with lines:
            for line in lines:
                words = line.split()
                if words[:2] == ["ready", name]:
                    pairs = (word.partition("=") for word in words[2:])
                    self._events.put(_Ready(name, {key: value for key, _, value in pairs}))
                else:
                    say(f"{name}: {line.rstrip()}")

    def _await_end(
        self, name: str, process: subprocess.Popen[str], reader: threading.Thread
    ) -> None:
        process.wait()
        # Its last words first. Not for ever: a child that outlives it can hold the pipe open.
        reader.join(0.5)
        self._events.put(_Ended(name, process))

    def _stop_all(self) -> None:
        """Stop the parts, the last started first; each has a fair share of the time."""
        deadline = time.monotonic() + self._stop_timeout
        remaining = len(self._parts)
        for part in reversed(self._parts.values()):
            share = max(0.0, deadline - time.monotonic()) / remaining
            remaining -= 1
            part.process.terminate()
            try:
                part.process.wait(share)
            except subprocess.TimeoutExpired:
                say(f"{part.plan.name} did not stop within {share:.1f} s; it is killed")
            _end_group(part.process)
            assert part.process.stdin is not None  # noqa: S101 - it is a PIPE
            part.process.stdin.close()


def _end_group(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a part and of the children it had."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _reason(process: subprocess.Popen[str]) -> str:
    status = process.returncode
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):  # a real-time signal has no name
            return f"killed by {signal.Signals(-status).name}"
        return f"killed by signal {-status}"
    return f"status {status}"
