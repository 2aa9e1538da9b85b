"""Logging in and out, with or without JavaScript."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from dashboard.accounts import LoginError
from dashboard.gate import current, the_gate

blueprint = Blueprint("login", __name__)

_MOST_BYTES = 16 * 1024
"""A form with a password of 1,024 characters, each percent-encoded."""

Answer = Response | str | tuple[str, int, dict[str, str]]


@blueprint.get("/login")
def login_page() -> Answer:
    """Show the form, to who is not in already."""
    target = request.args.get("next")
    if not the_gate().asks_who or current().name is not None:
        return redirect(own_path(target), 303)
    return _form(target)


@blueprint.post("/login")
def log_in() -> Answer:
    """Begin a session, and go to where somebody wanted to."""
    request.max_content_length = _MOST_BYTES
    target = request.form.get("next")
    if the_gate().asks_who:
        try:
            the_gate().check_token()
            the_gate().log_in(request.form.get("name", ""), request.form.get("password", ""))
        except Forbidden:
            g.visitor = current()
            return _form(target, "this page had been open for too long; try again", 403)
        except LoginError as error:
            return _form(target, error.problem, error.status)
    return redirect(own_path(target), 303)


@blueprint.post("/logout")
def log_out() -> Answer:
    """End the session, for every copy of its cookie."""
    if the_gate().asks_who:
        the_gate().log_out()
    return redirect("/login", 303)


@blueprint.get("/api/session")
def session() -> dict[str, Any]:
    """Say who asks, and what they may."""
    visitor = current()
    return {
        "name": visitor.name,
        "role": visitor.role,
        "loginRequired": the_gate().asks_who,
    }


def own_path(path: str | None) -> str:
    """Return where to go after the login: a path of ours, and never another site's address."""
    is_path = path is not None and path.startswith("/") and not path.startswith("//")
    # Browsers take a backslash for a slash, and leave control characters out.
    is_plain = path is not None and path.isprintable() and "\\" not in path
    return path if path is not None and is_path and is_plain else "/"


def _form(target: str | None, problem: str | None = None, status: int = 200) -> Answer:
    page = render_template("login.html", next=target, problem=problem)
    return page, status, {"Retry-After": "30"} if status == 429 else {}
