"""One invocation of a handler, in this process: an event in, a result or a failure out.

Limits, stated honestly: the handler runs on the thread of the MQTT connection, so one that hangs
stops the runtime, and its timeout is told to it (`get_remaining_time_in_millis`) but not enforced.
"""

import json
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions.runtime.context import LambdaContext

TIMEOUT = 3.0
"""Seconds that an invocation may take: AWS Lambda's default."""

Handler = Callable[[Any, LambdaContext], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A handler and the name that it has in topics and records."""

    name: str
    handler: Handler


@dataclass(frozen=True, slots=True)
class Result:
    """What a handler returned, as JSON."""

    request_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """What a handler raised, in the form of AWS Lambda's error response."""

    request_id: str
    response: dict[str, Any]


def invoke(function: Function, event: Any) -> Result | Failure:
    """Run the handler once. What it raises is a `Failure`, and so is a result JSON cannot hold."""
    request_id = str(uuid.uuid4())
    context = LambdaContext(
        function_name=function.name,
        aws_request_id=request_id,
        deadline=time.monotonic() + TIMEOUT,
    )
    try:
        result = function.handler(event, context)
    except SystemExit as error:  # as on AWS, the handler's exit is its failure, not ours
        return Failure(request_id, _response(error, request_id, "Runtime.ExitError"))
    except Exception as error:  # noqa: BLE001 - the handler is the user's; it may raise anything
        return Failure(request_id, _response(error, request_id))
    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Result(request_id, text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        return Failure(request_id, _response(error, request_id, "Runtime.MarshalError"))


def _response(error: BaseException, request_id: str, kind: str | None = None) -> dict[str, Any]:
    # The first frame of the trace is ours.
    trace = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return {
        "errorMessage": str(error),
        "errorType": kind or type(error).__name__,
        "requestId": request_id,
        "stackTrace": trace,
    }
