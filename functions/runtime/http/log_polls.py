"""`GET /-/functions/<name>/logs?after=N&run=RUN&limit=N&wait=S`: log lines, as they come.

A long poll: where there is no line yet, the answer waits up to `wait` seconds for one. `run` tells
one start of the runtime from the next, since line numbers begin anew: with another run's, `after`
counts as 0.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from functions.runtime.control import Control, LogLine
from functions.runtime.http.administration import add_error_handlers
from functions.runtime.http.arguments import seconds, whole_number
from functions.runtime.http.places import Places

MAX_WAIT: Final = 30.0
MAX_LINES: Final = 10_000
_SLICE: Final = 0.25
"""Seconds that a poll waits before it looks whether the server is stopping."""


def create_blueprint(control: Control, places: Places, stopping: threading.Event) -> Blueprint:
    """Return the logs. Without a free place a poll is answered at once; `stopping` ends all."""
    blueprint = Blueprint("log_polls", __name__, url_prefix="/-")
    run = str(uuid.uuid4())

    @blueprint.get("/functions/<name>/logs")
    def logs(name: str) -> Response:
        after = whole_number("after", 0) if request.args.get("run", run) == run else 0
        limit = min(MAX_LINES, whole_number("limit", 1000))
        wait = seconds("wait", maximum=MAX_WAIT)

        def ask(slice_of_wait: float) -> Sequence[LogLine]:
            return control.logs(name, after=after, limit=limit, wait=slice_of_wait)

        with places.taken() as may_wait:
            lines = _poll(ask, wait if may_wait else 0.0, stopping)
        return jsonify(run=run, lines=[_as_json(line) for line in lines])

    add_error_handlers(blueprint)
    return blueprint


def _poll(
    ask: Callable[[float], Sequence[LogLine]], wait: float, stopping: threading.Event
) -> Sequence[LogLine]:
    end = time.monotonic() + wait
    while True:
        left = 0.0 if stopping.is_set() else max(0.0, end - time.monotonic())
        lines = ask(min(_SLICE, left))
        if lines or left == 0.0:
            return lines


def _as_json(line: LogLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "moment": line.moment,
        "requestId": line.request_id,
        "text": line.text,
    }
