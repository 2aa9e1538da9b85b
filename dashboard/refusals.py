"""What those get who may not."""

from collections.abc import Mapping
from typing import Final

import msgspec
from flask import Response, abort, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from dashboard.access import Level
from dashboard.accounts import LoginError
from iot_button.errors import SettingError
from iot_button.settings import Settings

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


_FOR_PROGRAMS: Final = ("/metrics", "/healthz", "/readyz")
_WITH_ARTICLE: Final[Mapping[Level, str]] = {
    Level.ANYONE: "nobody who logs in",
    Level.VIEWER: "a viewer",
    Level.OPERATOR: "an operator",
    Level.ADMIN: "an admin",
}
_OPTIONS: Final[Mapping[Level, str]] = {
    Level.VIEWER: "--dashboard",
    Level.OPERATOR: "--operator",
    Level.ADMIN: "--admin",
}
"""Of `iot-button account add`."""


def nobody_can(settings: Settings) -> SettingError:
    """Return why a dashboard does not start where one has to log in, and nobody can."""
    ours = settings.dashboard
    why = f"dashboard.host = {ours.host!r} is beyond loopback"
    if ours.login == "required":
        why = "dashboard.login = 'required'"
    elif ours.names or ours.proxies:
        why = "dashboard.names and dashboard.proxies let others in"
    return SettingError(
        "dashboard.host",
        f"{why}, and there is no account that can log in",
        mend="make one: iot-button account add NAME --admin (or --operator, or --dashboard)",
    )


def refused(name: str | None, level: Level, needs: Level) -> BaseResponse:
    """Refuse a request: whoever has not logged in may do so, and nobody else may more by it."""
    if name is not None:
        takes, is_one = _WITH_ARTICLE[needs], _WITH_ARTICLE[level]
        abort(
            403,
            f"{name} may not do this: it takes {takes}, and the account is that of {is_one}. "
            "Who runs the dashboard can make it another: "
            f"iot-button account remove {name}; iot-button account add {name} {_OPTIONS[needs]}",
        )
    if request.method in SAFE_METHODS and wants_page():
        return redirect(url_for("login.login_page", next=_here()), 303)
    return _challenge("log in first: with the page at /login, or with HTTP Basic", 401)


def wants_page() -> bool:
    """Whether a person will see the answer: a browser says what it can show, a program hardly."""
    is_for_programs = request.path.startswith("/api/") or request.path in _FOR_PROGRAMS
    kinds = {kind for kind, _quality in request.accept_mimetypes}
    return "text/html" in kinds and not is_for_programs and "Upgrade" not in request.headers


def error_answer(error: HTTPException) -> tuple[str | dict[str, str | None], int]:
    """Answer a request that ends in an error: with a page for people, in JSON for programs."""
    status = error.code or 500
    if not wants_page():
        return {"error": error.description}, status
    return render_template("error.html", title=error.name, problem=error.description), status


def _here() -> str | None:
    return request.full_path.rstrip("?") if request.path != "/" else None


def not_let_in(error: LoginError) -> BaseResponse:
    """Answer a login that failed, of a program."""
    return _challenge(error.problem, error.status)


def _challenge(problem: str, status: int) -> BaseResponse:
    response = Response(
        msgspec.json.encode({"error": problem}), status, mimetype="application/json"
    )
    if status == 401 and "Sec-Fetch-Site" not in request.headers:
        # A browser would ask for a password in a window of its own, and keep it.
        response.headers["WWW-Authenticate"] = 'Basic realm="iot-button", charset="UTF-8"'
    if status == 429:
        response.headers["Retry-After"] = "30"
    return response
