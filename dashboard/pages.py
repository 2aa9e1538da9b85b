"""The pages. There is one so far."""

from flask import Blueprint, render_template

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def live_page() -> str:
    """Show clicks as they come, and a button to press."""
    return render_template("live.html")
