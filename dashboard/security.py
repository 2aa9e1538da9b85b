"""Which requests are answered at all, and what a browser may do with the answer.

Against web pages that the user happens to visit stand: the Host check (DNS rebinding), the Origin
check (requests and WebSockets across sites), and the Content-Security-Policy (text from devices
that got to be markup after all). Who may do what is in `dashboard/gate.py`.
"""

import ipaddress
import socket
from typing import Final

from flask import Flask, Response, abort, request
from simple_websocket import ConnectionError as HandshakeError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from wsproto.utilities import ProtocolError

from dashboard.refusals import SAFE_METHODS, error_answer
from iot_button.dashboard_settings import DashboardSettings
from iot_button.hosts import host_of, is_own_host

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: then Chromium sends `Origin: null` with our own forms (Fetch, 4.6).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def protect(app: Flask, settings: DashboardSettings) -> None:
    """Check every request of `app`, and set the headers of every answer."""
    if settings.proxies:
        n = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]

    def check() -> None:
        if not is_ours(request.headers.get("Host", settings.host), settings):
            name = "or to one that is in the setting dashboard.names"
            abort(403, f"this dashboard answers to its own address only, {name}, not to this Host")
        if _acts() and not _is_same_origin():
            abort(403, "this request comes from another site's page")

    app.before_request(check)
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, error_answer)
    app.register_error_handler(ProtocolError, _bad_handshake)
    app.register_error_handler(HandshakeError, _bad_handshake)


def is_ours(header: str, settings: DashboardSettings) -> bool:
    """Whether a Host header names this machine.

    Where it listens on every address, each of them may be asked for: a page that rebinds a name
    of its own to one of them still sends that name.
    """
    if is_own_host(header, configured=settings.host):
        return True
    name = host_of(header)
    if name is None or not settings.asks_who:
        return False
    own = socket.gethostname().lower().removesuffix(".local")
    is_named = name in (*(one.lower() for one in settings.names), own, f"{own}.local")
    return is_named or (settings.host in ("0.0.0.0", "::") and _is_address(name))  # noqa: S104


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def content_security_policy(host: str, *, scheme: str = "ws") -> str:
    """Return the policy for a page at `host`: our own files, our own WebSocket, nothing else."""
    # The policy's grammar knows no IPv6 address; there 'self' alone has to cover the WebSocket.
    websocket = "" if host.startswith("[") else f" {scheme}://{host}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "manifest-src 'self'; "
        f"connect-src 'self'{websocket}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _acts() -> bool:
    is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
    return is_websocket or request.method not in SAFE_METHODS


def _is_same_origin() -> bool:
    # A browser says it also where it sends no Origin; what is no browser says nothing.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.scheme}://{request.headers.get('Host', '')}"


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    host = request.headers.get("Host", "")
    own = host if response.status_code < 400 else "localhost"
    response.headers["Content-Security-Policy"] = content_security_policy(
        own, scheme="wss" if request.is_secure else "ws"
    )
    # Static files carry an ETag and are asked for again each time, so that a new version shows.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _bad_handshake(_error: Exception) -> tuple[dict[str, str | None], int]:
    return {"error": "not a WebSocket handshake (RFC 6455)"}, 400
