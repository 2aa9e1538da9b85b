"""`/-/`: what the `iot-button functions` commands ask of a running runtime. JSON, and ours alone.

Errors are `{"error": ..., "mend": ...}`: 404 for a function that is not there, 400 for a request
that makes no sense, 503 where the runtime cannot do it now.
"""

from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import HTTPException

from functions.runtime.control import Control, FunctionStatus, UnknownFunctionError
from functions.runtime.http.arguments import number_from_body, whole_number
from iot_button.errors import IotButtonError


def create_blueprint(control: Control) -> Blueprint:
    """Return the administration, all but the logs."""
    blueprint = Blueprint("administration", __name__, url_prefix="/-")

    @blueprint.get("/health")
    def health() -> Response:
        """Answer as long as the runtime's own thread does."""
        return jsonify(status="ok", functions=len(control.functions()))

    @blueprint.get("/functions")
    def functions() -> Response:
        return jsonify(functions=[_as_json(status) for status in control.functions()])

    @blueprint.post("/functions/<name>/throttle")
    def throttle(name: str) -> Response:
        wanted = number_from_body("concurrency")
        control.throttle(name, wanted)
        return jsonify(_status(control, name))

    @blueprint.post("/functions/<name>/<any(pause, resume):what>")
    def pause_or_resume(name: str, what: str) -> Response:
        (control.pause if what == "pause" else control.resume)(name)
        return jsonify(_status(control, name))

    @blueprint.get("/functions/<name>/dead-letters")
    def dead_letters(name: str) -> Response:
        found = control.dead_letters(name, limit=whole_number("limit", 100))
        return jsonify(
            deadLetters=[{"id": d.id, "moment": d.moment, "record": d.record} for d in found]
        )

    @blueprint.post("/functions/<name>/redrive")
    def redrive(name: str) -> Response:
        return jsonify(redriven=control.redrive(name, id=number_from_body("id")))

    add_error_handlers(blueprint)
    return blueprint


def add_error_handlers(blueprint: Blueprint) -> None:
    """Answer errors as the administration does."""
    blueprint.register_error_handler(IotButtonError, _refused)
    blueprint.register_error_handler(HTTPException, _http_error)


def _as_json(status: FunctionStatus) -> dict[str, Any]:
    spec = status.spec
    return {
        "name": spec.name,
        "state": status.state.value,
        "handler": spec.handler,
        "timeout": spec.timeout,
        "memorySize": spec.memory_megabytes,
        "concurrencyLimit": status.concurrency_limit,
        "environments": status.environments,
        "running": status.running,
        "waiting": status.waiting,
        "oldestWaiting": status.oldest_waiting,
        "deadLetters": status.dead_letters,
        "rules": [rule.sql for rule in spec.rules],
        "schedules": [schedule.expression for schedule in spec.schedules],
        "routes": [f"{route.method} {route.path}" for route in spec.routes],
    }


def _status(control: Control, name: str) -> dict[str, Any]:
    found = next(status for status in control.functions() if status.spec.name == name)
    return _as_json(found)


def _refused(error: IotButtonError) -> tuple[Response, int]:
    status = 404 if isinstance(error, UnknownFunctionError) else 503
    return jsonify(error=error.problem, mend=error.mend), status


def _http_error(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description, mend=""), error.code or 500
