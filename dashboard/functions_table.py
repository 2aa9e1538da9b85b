"""The routes of functions, costs and traces, for the table of the API."""

from typing import Any, Final

from dashboard.api_table import Parameter, Route
from dashboard.arguments import MAX_ID
from dashboard.costs import Costs
from dashboard.functions_api import SWITCHES
from dashboard.functions_client import MOST_LINES
from dashboard.functions_figures import FunctionFigures
from dashboard.functions_views import (
    FunctionLetters,
    FunctionsAnswer,
    Lines,
    Redrive,
    Redriven,
)
from dashboard.traces import Waterfall


def _in_path(name: str, description: str, **schema: Any) -> Parameter:
    return Parameter(
        name=name,
        schema={"type": "string", "minLength": 1, **schema},
        description=description,
        is_in_path=True,
        is_required=True,
    )


_NAME = _in_path("name", "Which function.")
_SWITCH = _in_path(
    "switch",
    "Keep its events, run them, give each up at once, or run them as its manifest has it.",
    enum=list(SWITCHES),
)
_ID = Parameter(
    name="id",
    schema={"type": "integer", "minimum": 0, "maximum": MAX_ID},
    description="Which click.",
    is_in_path=True,
    is_required=True,
)
_LOG = (
    Parameter(
        name="after",
        schema={"type": "integer", "minimum": 0, "maximum": 1 << 53},
        description="Only lines with a larger number.",
    ),
    Parameter(
        name="run",
        schema={"type": "string", "maxLength": 200},
        description="The run that `after` is of; with another one all lines are new.",
    ),
    Parameter(
        name="limit",
        schema={"type": "integer", "minimum": 1, "maximum": MOST_LINES},
        description="The newest lines, so many at most; 200 where nothing is said.",
    ),
)

ROUTES: Final = (
    Route(
        path="/api/clicks/{id}/trace",
        summary="Where a click's time went",
        parameters=(_ID,),
        answer=Waterfall,
        errors=(404,),
    ),
    Route(
        path="/api/functions",
        summary="All functions, or why the runtime does not tell of them",
        answer=FunctionsAnswer,
    ),
    Route(
        path="/api/costs",
        summary="What this month's work would have cost on AWS, and what a small server costs",
        answer=Costs,
    ),
    Route(
        path="/api/functions/{name}",
        summary="One function: its state, its counts and its durations",
        parameters=(_NAME,),
        answer=FunctionFigures,
        errors=(404,),
    ),
    Route(
        path="/api/functions/{name}/logs",
        summary="What a function wrote, oldest first",
        parameters=(_NAME, *_LOG),
        answer=Lines,
        errors=(400, 404),
    ),
    Route(
        path="/api/functions/{name}/deadletters",
        summary="A function's newest failed invocations, newest first",
        parameters=(_NAME,),
        answer=FunctionLetters,
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/api/functions/{name}/redrive",
        summary="Run the event of a dead letter again, or those of all",
        parameters=(_NAME,),
        body=Redrive,
        answer=Redriven,
        errors=(400, 404, 413, 415),
    ),
    Route(
        method="POST",
        path="/api/functions/{name}/{switch}",
        summary="Pause a function or let it run; the kill switch, and its end",
        parameters=(_NAME, _SWITCH),
        answer=FunctionFigures,
        errors=(404,),
    ),
)
