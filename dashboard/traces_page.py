"""`/clicks/ID` and `/api/clicks/ID/trace`: where a click's time went."""

from flask import Blueprint, Response, abort, render_template

from dashboard.answers import as_json
from dashboard.arguments import MAX_ID
from dashboard.store import Reader, Store
from dashboard.store.traces import click_and_trace
from dashboard.traces import Step, Waterfall, waterfall
from iot_button.files import StorageError

LEAST_SHARE = 0.004
"""Of the whole width: what a bar has at least, to be seen."""


def create_blueprint(store: Store) -> Blueprint:
    """Return the page and what it shows, as JSON."""
    read = store.reader()
    blueprint = Blueprint("traces", __name__)
    blueprint.register_error_handler(StorageError, _unreadable)

    @blueprint.get("/clicks/<int:click_id>")
    def click_page(click_id: int) -> str:
        """Show a click's way; the page is whole without a script."""
        found = _found(read, click_id)
        bars = [(step, *_bar(step, found.total_ms)) for step in found.steps]
        return render_template("trace.html", trace=found, bars=bars, click=found.click, took=took)

    @blueprint.get("/api/clicks/<int:click_id>/trace")
    def click_trace(click_id: int) -> Response:
        """Return a click's way."""
        return as_json(_found(read, click_id))

    return blueprint


def took(milliseconds: float | None) -> str:
    """Return a length of time in words: 140 µs, 3.1 ms, 1.5 s, 2 h."""
    if milliseconds is None:
        return "not known"
    for limit, unit, size in (
        (0.9995, "µs", 0.001),
        (999.5, "ms", 1.0),
        (60_000.0, "s", 1000.0),
        (3_600_000.0, "min", 60_000.0),
        (172_800_000.0, "h", 3_600_000.0),
    ):
        if milliseconds < limit:
            number = milliseconds / size
            return (
                f"{number:.1f} {unit}" if number < 9.95 and unit != "µs" else f"{number:.0f} {unit}"
            )
    return f"{milliseconds / 86_400_000:.0f} d"


def _found(read: Reader, click_id: int) -> Waterfall:
    found = click_and_trace(read, click_id) if click_id < MAX_ID else None
    if found is None:
        abort(404, "there is no such click: it may have been deleted")
    return waterfall(*found)


def _bar(step: Step, total: float) -> tuple[float, float]:
    """Return where a bar begins and how wide it is, of 1,000; the last ones stay within it."""
    if not step.length_ms or not total:
        return 0.0, 0.0
    width = max(step.length_ms / total, LEAST_SHARE)
    return 1000 * min(step.start_ms / total, 1 - width), 1000 * width


def _unreadable(error: StorageError) -> tuple[dict[str, str], int]:
    return {"error": error.problem}, 503
