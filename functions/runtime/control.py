"""What other threads may ask of the running runtime: a narrow, thread-safe face of its one thread.

The HTTP side knows the runtime by this alone.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from functions.runtime.manifest.model import FunctionSpec
from iot_button.errors import IotButtonError


class UnknownFunctionError(IotButtonError):
    """No function of that name runs here."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no function {name!r}", mend=f"there are: {', '.join(known) or 'none'}"
        )
        self.name = name


class ThrottledError(IotButtonError):
    """All of a function's reserved concurrency is in use (HTTP 429 on AWS)."""


class State(enum.StrEnum):
    """Whether a function takes events: KILLED sends them to the dead letters, PAUSED keeps them."""

    ACTIVE = "active"
    PAUSED = "paused"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStatus:
    """One function at this moment.

    `waiting`: events that wait for a free slot, a retry or `resume`, in memory and on disk.
    `oldest_waiting`: seconds since the oldest of them came; None where none waits.
    """

    spec: FunctionSpec
    state: State
    concurrency_limit: int
    environments: int
    running: int
    waiting: int
    oldest_waiting: float | None
    dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How one invocation ended. Durations are seconds.

    `payload`: the result, or Lambda's error response, as JSON. `function_error`: None, or
    `Unhandled` as in X-Amz-Function-Error. `log_tail`: its last log lines, START to REPORT.
    """

    request_id: str
    payload: bytes
    function_error: str | None
    log_tail: str
    duration: float
    init_duration: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a function wrote, or START, END and REPORT. `number` counts up without gaps.

    `moment`: seconds since 1970. `request_id`: empty where it is not known.
    """

    number: int
    moment: float
    request_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A failed invocation that can be redriven. `record`: AWS's on-failure destination record."""

    id: int
    moment: float
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Durations in seconds. `counts` has one more than `bounds`: what was above the last bound."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionMetrics:
    """Counts since the start, with the names of AWS Lambda's metrics (CloudWatch).

    `async_event_age` is the age, in seconds, at which asynchronous events began to run.
    """

    name: str
    invocations: int
    errors: int
    throttles: int
    async_events_received: int
    async_events_dropped: int
    dead_letter_errors: int
    concurrent_executions: int
    duration: Histogram
    init_duration: Histogram
    async_event_age: Histogram


class Control(Protocol):
    """What the HTTP side may ask; every method may be called from any thread.

    A name that does not exist is an `UnknownFunctionError`; a runtime that is stopping raises
    `IotButtonError`.
    """

    def functions(self) -> Sequence[FunctionStatus]:
        """Return all functions, in the order of their manifest."""

    def invoke(
        self, name: str, event: bytes, *, client_context: Mapping[str, Any] | None = None
    ) -> Invocation:
        """Run a function now and wait for its end (RequestResponse).

        Raises:
            ThrottledError: its concurrency is in use, it is paused, or its limit is 0.
        """

    def invoke_later(self, name: str, event: bytes) -> str:
        """Queue an event (Event); it is on disk when this returns its request id."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish, and return when the broker has acknowledged it (at once for QoS 0).

        Raises:
            BrokerUnreachableError: not acknowledged within 5 s.
        """

    def throttle(self, name: str, concurrency: int | None) -> None:
        """Set the reserved concurrency; 0 is the kill switch, None goes back to the manifest's.

        It outlives a restart, as `pause` does.
        """

    def pause(self, name: str) -> None:
        """Keep a function's events on disk from now on."""

    def resume(self, name: str) -> None:
        """Run them, in the order in which they came."""

    def dead_letters(self, name: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return the newest dead letters, oldest first."""

    def redrive(self, name: str, *, id: int | None = None) -> int:  # noqa: A002
        """Queue the original events of dead letters again, of one or of all; return how many."""

    def logs(
        self, name: str, *, after: int = 0, limit: int = 1000, wait: float = 0
    ) -> Sequence[LogLine]:
        """Return lines with a number above `after`, the newest `limit` of them, oldest first.

        Where there is none yet, wait up to `wait` seconds for one.
        """

    def metrics(self) -> Sequence[FunctionMetrics]:
        """Return the metrics of each function."""
