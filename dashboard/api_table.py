"""Every route of the API, in one table: what it takes and what it answers."""

from typing import Any, Final

import msgspec

from dashboard.api import Press
from dashboard.arguments import MAX_ID, MAX_OFFSET
from dashboard.history import MAX_TEXT, Row
from dashboard.store.buttons import Button, Change, Names, OneButton
from dashboard.store.charts import BatteryChart, ClickChart, LatencyChart
from dashboard.store.dead_letters import DeadLetterRow

JSON: Final = "application/json"


class Clicks(msgspec.Struct, frozen=True):
    """A page of clicks, newest first; `before` is where the next one goes on, null at the end."""

    clicks: list[Row]
    before: int | None


class Buttons(msgspec.Struct, frozen=True):
    """All buttons, those that were pressed last first."""

    buttons: list[Button]


class DeadLetters(msgspec.Struct, frozen=True, rename="camel"):
    """A page of dead letters, newest first; `before` as in clicks."""

    dead_letters: list[DeadLetterRow]
    before: int | None


class Pressed(msgspec.Struct, frozen=True, rename="camel"):
    """The click that the broker has."""

    serial_number: str
    click_type: str
    event_id: str
    clicked_at: str


class Session(msgspec.Struct, frozen=True, rename="camel"):
    """Who asks, and what they may; `name`: null where nobody has logged in."""

    name: str | None
    role: str
    login_required: bool


class Health(msgspec.Struct, frozen=True):
    """The process lives; `broker`: connected or lost."""

    status: str
    broker: str


class Ready(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the dashboard can do its work, and what is missing."""

    status: str
    broker: str | msgspec.UnsetType = msgspec.UNSET
    store: str | msgspec.UnsetType = msgspec.UNSET


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """What a query or a path says. `schema`: JSON Schema, draft 2020-12."""

    name: str
    schema: dict[str, Any]
    description: str
    is_in_path: bool = False
    is_required: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. `answer`: a type, or a media type where it is no JSON; None: nothing."""

    path: str
    summary: str
    method: str = "GET"
    parameters: tuple[Parameter, ...] = ()
    body: type | None = None
    answer: type | str | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    other_answers: tuple[int, ...] = ()


def _whole(name: str, description: str, *, lowest: int, highest: int) -> Parameter:
    schema = {"type": "integer", "minimum": lowest, "maximum": highest}
    return Parameter(name=name, schema=schema, description=description)


def _text(name: str, description: str) -> Parameter:
    schema = {"type": "string", "maxLength": MAX_TEXT}
    return Parameter(name=name, schema=schema, description=description)


def _moment(name: str, description: str) -> Parameter:
    schema = {"type": "string", "format": "date-time"}
    return Parameter(name=name, schema=schema, description=description)


_SERIAL = Parameter(
    name="serialNumber",
    schema={"type": "string", "minLength": 1},
    description="Which button.",
    is_in_path=True,
    is_required=True,
)
_BEFORE = _whole("before", "Only what has a smaller id.", lowest=0, highest=MAX_ID)
_OFFSET = _whole(
    "offset",
    "Minutes by which the clocks of who asks are before UTC's: their days begin at their midnight.",
    lowest=-MAX_OFFSET,
    highest=MAX_OFFSET,
)
_BUTTON = _text("serialNumber", "Only this button's.")
_SINCE, _UNTIL = _moment("from", "From when on."), _moment("to", "Until when, that exclusive.")
_FILTERS = (
    _BEFORE,
    _whole("after", "Only what has a larger id.", lowest=0, highest=MAX_ID),
    _BUTTON,
    _text("clickType", "Only clicks of this type."),
    _text("text", "Only clicks that have this text somewhere."),
    _SINCE,
    _UNTIL,
)
_LIMIT = _whole("limit", "How many at most; 50 where nothing is said.", lowest=1, highest=1000)
_STEP = Parameter(
    name="step",
    schema={"type": "string", "enum": ["minute", "hour", "day"]},
    description="How much time a point stands for; an hour where nothing is said.",
)
_SPAN = (_STEP, _SINCE, _UNTIL, _OFFSET, _BUTTON)
_CHANGE_ERRORS = (400, 413, 415)

ROUTES: Final = (
    Route(
        path="/api/clicks",
        summary="Processed clicks, newest first, by the page",
        parameters=(_LIMIT, *_FILTERS),
        answer=Clicks,
        errors=(400,),
    ),
    Route(
        path="/api/clicks.ndjson",
        summary="All processed clicks, oldest first, one JSON object a line",
        parameters=_FILTERS,
        answer="application/x-ndjson",
        errors=(400,),
    ),
    Route(
        path="/api/clicks.csv",
        summary="All processed clicks, oldest first, as a table",
        parameters=_FILTERS,
        answer="text/csv",
        errors=(400,),
    ),
    Route(
        path="/api/buttons",
        summary="All buttons",
        parameters=(_OFFSET,),
        answer=Buttons,
        errors=(400,),
    ),
    Route(path="/api/names", summary="What people call the buttons", answer=Names),
    Route(
        path="/api/buttons/{serialNumber}",
        summary="One button, and when it is pressed",
        parameters=(_SERIAL, _OFFSET),
        answer=OneButton,
        errors=(400, 404),
    ),
    Route(
        method="PATCH",
        path="/api/buttons/{serialNumber}",
        summary="Change what people call a button",
        parameters=(_SERIAL, _OFFSET),
        body=Change,
        answer=OneButton,
        errors=(*_CHANGE_ERRORS, 404),
    ),
    Route(
        method="DELETE",
        path="/api/buttons/{serialNumber}",
        summary="Delete a button and all that is known of it, from the disk too",
        parameters=(_SERIAL,),
        status=204,
        errors=(404,),
    ),
    Route(
        path="/api/charts/clicks",
        summary="How many clicks there were, by type",
        parameters=_SPAN,
        answer=ClickChart,
        errors=(400,),
    ),
    Route(
        path="/api/charts/latency",
        summary="How long clicks took, in milliseconds",
        parameters=_SPAN,
        answer=LatencyChart,
        errors=(400,),
    ),
    Route(
        path="/api/charts/battery",
        summary="The voltages of a button",
        parameters=(msgspec.structs.replace(_BUTTON, is_required=True), _SINCE, _UNTIL),
        answer=BatteryChart,
        errors=(400,),
    ),
    Route(
        path="/api/deadletters",
        summary="Failed invocations, newest first, by the page",
        parameters=(
            _whole("limit", "How many at most.", lowest=1, highest=200),
            _BEFORE,
            _text("function", "Only this function's."),
        ),
        answer=DeadLetters,
        errors=(400,),
    ),
    Route(
        method="POST",
        path="/api/press",
        summary="Press a button; answered when the broker has the click",
        body=Press,
        answer=Pressed,
        status=202,
        errors=(*_CHANGE_ERRORS, 503, 504),
    ),
    Route(path="/api/session", summary="Who asks, and what they may", answer=Session),
    Route(path="/api/openapi.json", summary="This document", answer=dict),
    Route(path="/api/asyncapi.json", summary="The topics, as an AsyncAPI document", answer=dict),
    Route(path="/healthz", summary="Whether the process lives", answer=Health),
    Route(
        path="/readyz",
        summary="Whether it can do its work",
        answer=Ready,
        other_answers=(503,),
    ),
    Route(path="/metrics", summary="Figures for Prometheus", answer="text/plain"),
)
