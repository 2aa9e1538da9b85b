"""Lambda's Invoke: `POST /2015-03-31/functions/{name}/invocations` (Lambda API reference)."""

import base64
import binascii
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from flask import Blueprint, Response, request

from functions.runtime.control import Control
from functions.runtime.http.aws_errors import AwsError
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.function_names import LATEST, function_name
from functions.runtime.http.lambda_errors import add_error_handlers, too_many
from functions.runtime.http.places import Places
from functions.runtime.http.whole_body import whole_body

MAX_SYNC_BYTES: Final = 6 * 1024 * 1024
MAX_ASYNC_BYTES: Final = 1024 * 1024
MAX_LOG_BYTES: Final = 4096
MAX_CLIENT_CONTEXT_BYTES: Final = 3583
"""Lambda's own limits (Lambda API reference, "Invoke")."""

_INVOCATION_TYPES: Final = ("RequestResponse", "Event", "DryRun")
_UNSUPPORTED: Final = ("X-Amz-Tenant-Id", "X-Amz-Durable-Execution-Name")


def create_blueprint(control: Control, deployment: Deployment, places: Places) -> Blueprint:
    """Return Invoke, for the three invocation types."""
    blueprint = Blueprint("invoke_api", __name__)

    @blueprint.post("/2015-03-31/functions/<anything:name>/invocations")
    def invoke(name: str) -> Response:
        kind = _invocation_type()
        known = _known(control, name, deployment)
        event = _event(MAX_ASYNC_BYTES if kind == "Event" else MAX_SYNC_BYTES)
        if kind == "DryRun":
            return _plain_answer(204, str(uuid.uuid4()))
        if kind == "Event":
            return _plain_answer(202, control.invoke_later(known, event))
        return _run(control, known, event, places)

    add_error_handlers(blueprint, deployment)
    return blueprint


def _run(control: Control, name: str, event: bytes, places: Places) -> Response:
    wants_log = _wants_log()
    client_context = _client_context()
    with places.taken() as has_place:
        if not has_place:
            raise too_many("ConcurrentInvocationLimitExceeded")
        done = control.invoke(name, event, client_context=client_context)
    response = Response(done.payload, 200, content_type="application/json")
    response.headers["x-amzn-RequestId"] = done.request_id
    response.headers["X-Amz-Executed-Version"] = LATEST
    if done.function_error is not None:
        response.headers["X-Amz-Function-Error"] = done.function_error
    if wants_log:
        tail = done.log_tail.encode(errors="replace")[-MAX_LOG_BYTES:]
        response.headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
    return response


def _plain_answer(status: int, request_id: str) -> Response:
    response = Response(status=status)
    response.headers["x-amzn-RequestId"] = request_id
    return response


def _known(control: Control, asked_for: str, deployment: Deployment) -> str:
    """Return the plain name of a function, which there is.

    Raises:
        AwsError: there is none.
    """
    name = function_name(asked_for, request.args.get("Qualifier"), deployment)
    if all(status.spec.name != name for status in control.functions()):
        message = f"Function not found: {deployment.function_arn(name)}"
        raise AwsError(404, "ResourceNotFoundException", message)
    return name


def _invocation_type() -> str:
    for header in _UNSUPPORTED:
        if header in request.headers:
            raise _invalid_parameter(f"{header} is not supported here")
    kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind not in _INVOCATION_TYPES:
        choices = ", ".join(_INVOCATION_TYPES)
        raise _invalid_parameter(f"X-Amz-Invocation-Type is {kind!r}; it can be {choices}")
    return kind


def _wants_log() -> bool:
    kind = request.headers.get("X-Amz-Log-Type", "None")
    if kind not in ("None", "Tail"):
        raise _invalid_parameter(f"X-Amz-Log-Type is {kind!r}; it can be None or Tail")
    return kind == "Tail"


def _event(limit: int) -> bytes:
    """Return the body, checked to be JSON; an empty one is the event `{}`, as on AWS."""
    body = whole_body(limit)
    if not body:
        return b"{}"
    try:
        json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid_content(f"Could not parse request body into json: {error}") from None
    return body


def _client_context() -> Mapping[str, Any] | None:
    header = request.headers.get("X-Amz-Client-Context")
    if header is None:
        return None
    if len(header) > MAX_CLIENT_CONTEXT_BYTES:
        message = f"Client context must be at most {MAX_CLIENT_CONTEXT_BYTES} bytes"
        raise _invalid_content(message)
    try:
        context = json.loads(base64.b64decode(header, validate=True))
    except (ValueError, RecursionError, binascii.Error):
        context = None
    if not isinstance(context, dict):
        raise _invalid_content("Client context must be a valid Base64-encoded JSON object")
    return context


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _invalid_content(message: str) -> AwsError:
    return AwsError(400, "InvalidRequestContentException", message)


def _invalid_parameter(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterValueException", message)
