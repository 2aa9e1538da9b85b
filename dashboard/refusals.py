"""What those get who may not."""

from typing import Final

import msgspec
from flask import Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from dashboard.accounts import LoginError
from iot_button.errors import SettingError
from iot_button.settings import Settings

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


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


def refused(name: str | None, role: str) -> BaseResponse:
    """Refuse a request: whoever has not logged in may do so, and nobody else may more by it."""
    if name is not None:
        abort(403, f"{name} may not do this: the account is one of a {role}")
    wants_page = request.method in SAFE_METHODS and request.accept_mimetypes.accept_html
    if wants_page and not request.path.startswith("/api/") and "Upgrade" not in request.headers:
        return redirect(url_for("login.login_page", next=_here()), 303)
    return _challenge("log in first: with the page at /login, or with HTTP Basic", 401)


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
