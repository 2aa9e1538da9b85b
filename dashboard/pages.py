"""The pages. Each is a frame that its scripts fill from the data API."""

from flask import Blueprint, abort, current_app, render_template

from dashboard.functions_api import overview_of
from dashboard.reference import operations

COLOURS = (
    ("#c2410c", "red"),
    ("#b45309", "amber"),
    ("#3f7d20", "green"),
    ("#0f766e", "teal"),
    ("#1d6fa5", "blue"),
    ("#5b4bb7", "violet"),
    ("#a0337a", "pink"),
    ("#5f5a52", "grey"),
)
"""What a button's page offers, with the names that are read out."""

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def live_page() -> str:
    """Show clicks as they come, and a button to press."""
    return render_template("live.html")


@blueprint.get("/buttons")
def buttons_page() -> str:
    """Show a card for each button."""
    return render_template("buttons.html")


@blueprint.get("/buttons/<path:serial_number>")
def button_page(serial_number: str) -> str:
    """Show one button: its history, its battery, what it is called, and the way to delete it.

    Any text may be asked for: what came under a name that no button can have is deleted here too.
    """
    return render_template("button.html", serial_number=serial_number, colours=COLOURS)


@blueprint.get("/functions")
def functions_page() -> str:
    """Show a card for each function."""
    return render_template("functions.html")


@blueprint.get("/functions/<name>")
def function_page(name: str) -> str:
    """Show one function: its numbers, its switches, its dead letters, its log."""
    found = overview_of(current_app).get()
    if found.problem is None and all(each.name != name for each in found.functions):
        abort(404, "there is no such function")
    return render_template("function.html", name=name)


@blueprint.get("/charts")
def charts_page() -> str:
    """Show clicks, latencies and batteries over time."""
    return render_template("charts.html")


@blueprint.get("/reference")
def reference_page() -> str:
    """Show the API: what can be asked, with which parameters, and what is answered."""
    return render_template("reference.html", operations=operations())
