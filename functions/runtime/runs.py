"""One event on its way through an execution environment, and how that ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec


class Ended(msgspec.Struct, frozen=True, gc=False):
    """How a run ended. Durations are seconds, memory is in MiB.

    `payload`: the result, or Lambda's error response, as JSON. `init_duration`: of the cold start,
    where this was the first event of its environment.
    """

    is_error: bool
    payload: bytes
    duration: float
    max_memory: int = 0
    init_duration: float | None = None


@dataclass(slots=True, eq=False)
class Run:
    """An event for a function. `header`: client context and the like, as JSON, or empty.

    `on_ended` is called once, at its end. `sequence`: its number in the environment that has it.
    `begun`: when the environment came to it (`time.monotonic`); `is_cold`: it had to wait for the
    environment to start.
    """

    request_id: str
    event: bytes
    on_ended: Callable[[Ended], None]
    header: bytes = b""
    sequence: int = 0
    begun: float = 0.0
    is_cold: bool = False


def error_response(kind: str, message: str, *, request_id: str = "") -> bytes:
    """Return Lambda's error response for what was not the handler's own exception."""
    response: dict[str, Any] = {"errorMessage": message, "errorType": kind}
    if request_id:
        response["errorMessage"] = f"RequestId: {request_id} Error: {message}"
    return json.dumps(response, separators=(",", ":")).encode()


def timed_out(run: Run, timeout: float) -> Ended:
    """Return the end of a run that was killed at its timeout, as AWS words it."""
    message = f"Task timed out after {timeout:.2f} seconds"
    return Ended(
        True, error_response("Sandbox.Timedout", message, request_id=run.request_id), timeout
    )


def crashed(run: Run, status: int | None, duration: float) -> Ended:
    """Return the end of a run whose process ended under it; `status` as of `subprocess`."""
    how = f"signal: {_signal_name(-status)}" if status and status < 0 else f"exit status {status}"
    message = f"Runtime exited with error: {how}"
    return Ended(
        True, error_response("Runtime.ExitError", message, request_id=run.request_id), duration
    )


def last_words(ended: Ended) -> bytes:
    """Return what the log says of a run whose process was ended, or ended under it."""
    response = json.loads(ended.payload)
    return f"{response['errorMessage']}\n{response['errorType']}\n".encode()


def _signal_name(number: int) -> str:
    known = {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}
    return known.get(number, str(number))
