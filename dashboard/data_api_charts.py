"""The data API's charts."""

import time
from typing import Final

from flask import Blueprint, Response, abort, request

from dashboard import arguments
from dashboard.answers import as_json
from dashboard.store import Reader
from dashboard.store.charts import (
    HOUR,
    MAX_POINTS,
    Span,
    battery_chart,
    click_chart,
    latency_chart,
)
from dashboard.store.schema import DAY, MINUTE

STEPS: Final = {"minute": MINUTE, "hour": HOUR, "day": DAY}
_POINTS: Final = {"minute": 180, "hour": 7 * 24, "day": 90}
"""How far a chart reaches back where nobody says from when."""

_LATEST: Final = 253_402_300_800  # the end of the year 9999


def add_to(blueprint: Blueprint, read: Reader) -> None:
    """Add `/api/charts/...`."""

    @blueprint.get("/api/charts/clicks")
    def click_counts() -> Response:
        """Return the clicks of each step, by type."""
        return as_json(click_chart(read, _span(), serial_number=arguments.text("serialNumber")))

    @blueprint.get("/api/charts/latency")
    def latency() -> Response:
        """Return the latency of each step."""
        return as_json(latency_chart(read, _span(), serial_number=arguments.text("serialNumber")))

    @blueprint.get("/api/charts/battery")
    def battery() -> Response:
        """Return the voltages of a button."""
        serial_number = arguments.text("serialNumber")
        if serial_number is None:
            abort(400, "serialNumber: whose battery?")
        since, until = _moment("from"), _moment("to")
        return as_json(
            battery_chart(
                read,
                serial_number,
                since=0 if since is None else since,
                until=_LATEST if until is None else until,
            )
        )


def _span() -> Span:
    name = request.args.get("step", "hour")
    if name not in STEPS:
        abort(400, f"step = {name[:40]!r} is none of {', '.join(STEPS)}")
    step = STEPS[name]
    until, since = _moment("to"), _moment("from")
    until = int(time.time()) + 1 if until is None else until
    since = max(0, until - step * _POINTS[name]) if since is None else since
    span = Span(step=step, since=since, until=until, offset=arguments.offset())
    if len(span.times) > MAX_POINTS:
        abort(
            400, f"that is more than {MAX_POINTS} steps: ask for a shorter time, or a longer step"
        )
    return span


def _moment(name: str) -> int | None:
    found = arguments.moment(name)
    return None if found is None else max(0, int(found.timestamp()))
