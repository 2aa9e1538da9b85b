"""http events: a request becomes an event, and what the handler returns the answer.

API Gateway's timeout of 29 or 30 s is not kept: a function's own timeout ends the wait.
"""

import json
import logging
import re
import time
import uuid
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from functions.runtime.control import Control, ThrottledError
from functions.runtime.http.aws_errors import AwsError, data_plane_answer
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.invoke_api import MAX_SYNC_BYTES
from functions.runtime.http.places import Places
from functions.runtime.http.proxy_answers import HttpAnswer, message, proxy_answer
from functions.runtime.http.proxy_events import HttpRequest, proxy_event
from functions.runtime.http.route_table import RESERVED, Match, RouteTable
from functions.runtime.http.whole_body import whole_body
from iot_button.errors import IotButtonError

log = logging.getLogger(__name__)

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RAW_HEADERS: Final = "iot_button.headers"
"""Where the server keeps the headers as they were sent: WSGI itself loses case and repetition."""

_UNSUPPORTED: Final = frozenset({"retainedMessage", "things", "connections"})
"""First segments of the IoT data plane's other operations; a function's route may take them."""

_LAMBDA_VERSION: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""First segments of the Lambda API's operations, each the date of its version."""


def create_blueprint(control: Control, deployment: Deployment, places: Places) -> Blueprint:
    """Return the routes of all functions' http events; anything else is not found.

    Raises:
        RouteError: they cannot be served beside each other.
    """
    blueprint = Blueprint("routes", __name__)
    table = RouteTable(status.spec for status in control.functions())

    # Flask's own answer to OPTIONS would take it from the functions.
    @blueprint.route("/", methods=METHODS, provide_automatic_options=False)
    @blueprint.route("/<anything:_path>", methods=METHODS, provide_automatic_options=False)
    def route(_path: str = "") -> Response:
        return _respond(_answer(control, deployment, places, table))

    @blueprint.errorhandler(RequestEntityTooLarge)
    def too_large(_error: Exception) -> Response:
        return _respond(message(413, "Request Entity Too Large"))

    blueprint.register_error_handler(AwsError, data_plane_answer)
    return blueprint


def _answer(
    control: Control, deployment: Deployment, places: Places, table: RouteTable
) -> HttpAnswer:
    path, _, query = str(request.environ["RAW_URI"]).partition("?")
    try:
        match = table.match(request.method, path)
    except UnicodeDecodeError:
        return message(400, "Bad Request")
    if match is None or request.path.split("/")[1] in RESERVED:
        return _not_found(path)
    event = proxy_event(_as_it_came(path, query), match, deployment)
    payload = json.dumps(event, separators=(",", ":")).encode()
    if len(payload) > MAX_SYNC_BYTES:
        return message(413, "Request Entity Too Large")
    return _run(control, match, payload, places)


def _run(control: Control, match: Match, payload: bytes, places: Places) -> HttpAnswer:
    form = match.route.form
    # A REST API answers as Lambda does; an HTTP API is "unavailable".
    busy = (
        message(429, "Too Many Requests") if form == "1.0" else message(503, "Service Unavailable")
    )
    with places.taken() as has_place:
        if not has_place:
            return busy
        try:
            return proxy_answer(control.invoke(match.function.name, payload), form)
        except ThrottledError:
            return busy
        except IotButtonError as error:
            log.warning("%s %s: %s", match.route.method, match.route.path, error.problem)
            return message(503, "Service Unavailable")


def _not_found(path: str) -> HttpAnswer:
    """Answer what nothing is served for, as an HTTP API does.

    Raises:
        AwsError: an AWS operation that is not served here was asked for.
    """
    first, _, rest = path.removeprefix("/").partition("/")
    if first in _UNSUPPORTED or (first == "api" and rest.startswith("things/")):
        problem = f"{request.method} {path}: of the IoT data plane, only Publish is served here"
        raise AwsError(501, "UnsupportedOperationException", problem)
    if _LAMBDA_VERSION.fullmatch(first):
        problem = f"{request.method} {path}: this operation of the Lambda API is not served here"
        raise AwsError(501, "UnsupportedOperationException", problem)
    return message(404, "Not Found")


def _as_it_came(path: str, query: str) -> HttpRequest:
    environ = request.environ
    return HttpRequest(
        method=request.method,
        path=path,
        query=query,
        headers=environ.get(RAW_HEADERS) or list(request.headers.items()),
        body=whole_body(MAX_SYNC_BYTES),
        source_ip=request.remote_addr or "",
        server_port=int(environ["SERVER_PORT"]),
        protocol=str(environ["SERVER_PROTOCOL"]),
        request_id=str(uuid.uuid4()),
        moment=time.time(),
    )


def _respond(answer: HttpAnswer) -> Response:
    response = Response(answer.body, answer.status)
    response.headers.clear()
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response
