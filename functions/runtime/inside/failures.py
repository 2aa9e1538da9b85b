"""What went wrong in a handler, as AWS Lambda's error response and as lines of its log.

The response has errorMessage, errorType, requestId and stackTrace (AWS Lambda developer guide,
"Lambda function errors in Python"). Ours differ in size only: a message of 256 KiB at most, a
trace of 100 entries at most.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any

MESSAGE_BYTES = 256 * 1024
_ENTRY_BYTES = 2048
_FRAMES = 1000
_ENTRIES = 100
_HERE = os.path.dirname(__file__)  # noqa: PTH120 - importing pathlib takes 10 ms


class LambdaError(Exception):
    """A failure that AWS's runtime names itself, such as `Runtime.MarshalError`."""

    def __init__(self, kind: str, message: str, trace: "Sequence[str]" = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = list(trace)


def error_response(error: BaseException, request_id: str = "") -> "dict[str, Any]":
    """Return the response to an error; without a request (at init) the id is empty, as on AWS."""
    if isinstance(error, LambdaError):
        kind, message, trace = error.kind, error.message, error.trace
    elif isinstance(error, SystemExit):
        kind, message, trace = "Runtime.ExitError", _of_exit(error, request_id), _trace(error)
    else:
        kind, message, trace = type(error).__name__, _message(error), _trace(error)
    return {
        "errorMessage": _clean(message, MESSAGE_BYTES),
        "errorType": _clean(kind, _ENTRY_BYTES),
        "requestId": request_id,
        "stackTrace": [_clean(entry, _ENTRY_BYTES) for entry in trace],
    }


def as_text(response: "dict[str, Any]") -> str:
    """Return the response as AWS logs it, with plain spaces where AWS has no-break spaces."""
    message = response["errorMessage"]
    first = f"[ERROR] {response['errorType']}" + (f": {message}" if message else "")
    trace = "".join(response["stackTrace"])
    return f"{first}\nTraceback (most recent call last):\n{trace}"


def _of_exit(error: SystemExit, request_id: str) -> str:
    # `sys.exit("text")` is status 1 and `sys.exit()` status 0 (Python library reference).
    status = error.code if isinstance(error.code, int) else int(error.code is not None)
    how = f"with error: exit status {status}" if status else "without providing a reason"
    return f"RequestId: {request_id} Error: Runtime exited {how}".removeprefix(
        "RequestId:  Error: "
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - `__str__` is the user's; it may raise anything
        return f"<an unprintable {type(error).__name__}>"


def _trace(error: BaseException) -> list[str]:
    try:
        import traceback  # takes 5 ms, and only failures need it

        frames = traceback.extract_tb(_of_user(error.__traceback__), limit=_FRAMES)
        # Without columns, as on AWS: no marks under the source.
        entries = traceback.format_list(
            [(f.filename, f.lineno or 0, f.name, f.line) for f in frames]
        )
    except Exception:  # noqa: BLE001 - no file descriptor left, or a module of the user's in its place
        return []
    left_out = len(entries) - _ENTRIES
    if left_out > 0:
        half = _ENTRIES // 2
        entries[half:-half] = [f"  [{left_out} entries left out]\n"]
    return entries


def _of_user(trace: "TracebackType | None") -> "TracebackType | None":
    """Leave out the frames at the beginning that are ours."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    return trace


def _clean(text: str, limit: int) -> str:
    """Make a text fit for JSON in UTF-8: no lone surrogates, at most `limit` bytes."""
    data = text.encode(errors="backslashreplace")
    if len(data) > limit:
        note = f"... [cut; it has {len(data)} bytes]"
        data = data[: limit - len(note)] + note.encode()
    return data.decode(errors="ignore")
