"""`/api/functions`: how the functions do, what they wrote, what failed, and the switches."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from flask import Blueprint, Flask, Response, abort, request

from dashboard import arguments
from dashboard.answers import JSON, as_json
from dashboard.costs_usage import Usage
from dashboard.functions_client import MOST_LINES, NoRuntimeError, RefusedError, RuntimeClient
from dashboard.functions_figures import FunctionFigures, together
from dashboard.functions_views import (
    FunctionLetters,
    FunctionsAnswer,
    Lines,
    Redrive,
    Redriven,
    letter_of,
    line_of,
)
from iot_button.settings import Settings

GOOD_FOR: Final = 1.0
"""Seconds for which all browsers are shown one answer of the runtime."""

_decode = msgspec.json.Decoder(Redrive).decode
_SWITCHES: Final[Mapping[str, Callable[[RuntimeClient, str], None]]] = {
    "pause": lambda runtime, name: runtime.pause(name),
    "resume": lambda runtime, name: runtime.resume(name),
    "kill": lambda runtime, name: runtime.throttle(name, 0),
    "restore": lambda runtime, name: runtime.throttle(name, None),
}
SWITCHES: Final = tuple(_SWITCHES)
"""What becomes of a function's events: kept, run, given up, run as the manifest has it."""


class Overview:
    """What all functions do, asked once for all who want to know at about the same time.

    Args:
        runtime: who is asked.
        usage: what adds up what they use.
    """

    def __init__(self, runtime: RuntimeClient, usage: Usage) -> None:
        self._runtime = runtime
        self._usage = usage
        self._lock = threading.Lock()
        self._good_until = 0.0
        self._answer = FunctionsAnswer(runtime.url, None, [])

    def get(self) -> FunctionsAnswer:
        """Return them as they were at most `GOOD_FOR` seconds ago."""
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._answer = self._ask()
                self._good_until = time.monotonic() + GOOD_FOR
            return self._answer

    def forget(self) -> None:
        """Ask anew the next time: something was changed."""
        with self._lock:
            self._good_until = 0.0

    def _ask(self) -> FunctionsAnswer:
        runtime = self._runtime
        try:
            found = together(runtime.functions(), runtime.metrics())
        except (NoRuntimeError, RefusedError) as error:
            return FunctionsAnswer(runtime.url, error.problem, [])
        except ValueError:
            return FunctionsAnswer(runtime.url, f"what {runtime.url} tells makes no sense", [])
        self._usage.take(found)
        return FunctionsAnswer(runtime.url, None, found)


def create_blueprint(settings: Settings) -> Blueprint:
    """Return everything about functions under `/api/`."""
    runtime = RuntimeClient(settings.functions)
    usage = Usage(
        Path(settings.state_dir) / "dashboard" / "usage.json",
        server_price=settings.dashboard.server_price,
    )
    overview = Overview(runtime, usage)
    blueprint = Blueprint("functions", __name__)
    blueprint.register_error_handler(NoRuntimeError, _away)
    blueprint.register_error_handler(RefusedError, _refused)
    blueprint.record(lambda state: state.app.extensions.update(functions=overview))
    _add_reading(blueprint, runtime, overview, usage)
    _add_changing(blueprint, runtime, overview)
    return blueprint


def _add_reading(
    blueprint: Blueprint, runtime: RuntimeClient, overview: Overview, usage: Usage
) -> None:
    @blueprint.get("/api/functions")
    def functions() -> Response:
        """Return all functions; also 200 where no runtime answers, with the problem."""
        return as_json(overview.get())

    @blueprint.get("/api/costs")
    def costs() -> Response:
        """Return what this month would have cost on AWS."""
        overview.get()
        return as_json(usage.costs())

    @blueprint.get("/api/functions/<name>")
    def function(name: str) -> Response:
        """Return one function."""
        return as_json(_one(overview, name))

    @blueprint.get("/api/functions/<name>/logs")
    def logs(name: str) -> Response:
        """Return lines of a function's log, oldest first."""
        after = arguments.number("after", default=0, lowest=0, highest=1 << 53) or 0
        limit, run = arguments.limit(200, highest=MOST_LINES), arguments.text("run")
        found = runtime.logs(name, after=after, run=run, limit=limit)
        return as_json(Lines(found.run, [line_of(line) for line in found.lines]))

    @blueprint.get("/api/functions/<name>/deadletters")
    def dead_letters(name: str) -> Response:
        """Return a function's newest dead letters, newest first."""
        letters = [letter_of(name, letter) for letter in reversed(runtime.dead_letters(name))]
        return as_json(FunctionLetters(letters))


def _add_changing(blueprint: Blueprint, runtime: RuntimeClient, overview: Overview) -> None:
    @blueprint.post("/api/functions/<name>/redrive")
    def redrive(name: str) -> Response:
        """Queue dead letters again."""
        letter = _redrive_from_request().id
        count = runtime.redrive(name, letter)
        overview.forget()
        if letter is not None and not count:
            abort(404, "there is no such dead letter: it has been run again, or is too old")
        return as_json(Redriven(count))

    @blueprint.post("/api/functions/<name>/<any(pause,resume,kill,restore):switch>")
    def switch(name: str, switch: str) -> Response:
        """Pause a function, or let it run; return it as it is now."""
        _SWITCHES[switch](runtime, name)
        overview.forget()
        return as_json(_one(overview, name))


def overview_of(app: Flask) -> Overview:
    """Return an application's overview."""
    found: Overview = app.extensions["functions"]
    return found


def _one(overview: Overview, name: str) -> FunctionFigures:
    answer = overview.get()
    if answer.problem is not None:
        abort(503, answer.problem)
    found = next((each for each in answer.functions if each.name == name), None)
    return abort(404, "there is no such function") if found is None else found


def _redrive_from_request() -> Redrive:
    if request.mimetype != JSON:
        abort(415, "which dead letter comes as JSON, with Content-Type: application/json")
    try:
        return _decode(request.get_data())
    except (ValueError, RecursionError) as error:
        abort(400, f"not which dead letter: {error}; there is id, a number or null")


def _away(error: NoRuntimeError) -> tuple[dict[str, Any], int]:
    return {"error": error.problem}, 503


def _refused(error: RefusedError) -> tuple[dict[str, Any], int]:
    status = error.status if error.status in (400, 404) else 503
    return {"error": error.problem}, status
