"""Who may ask, and what a browser may do with the answer.

The dashboard listens on loopback without accounts. Against web pages that the user happens to
visit stand: the Host check (DNS rebinding), the Origin check (requests and WebSockets across
sites), and the Content-Security-Policy (text from devices that got to be markup after all).
"""

from typing import Final

from flask import Flask, Response, abort, request
from simple_websocket import ConnectionError as HandshakeError
from werkzeug.exceptions import HTTPException
from wsproto.utilities import ProtocolError

from iot_button.hosts import is_own_host

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def protect(app: Flask, *, host: str) -> None:
    """Check every request of `app`, and set the headers of every answer.

    Args:
        app: the application.
        host: the configured name or address, which may be asked for beside loopback's.
    """

    def check() -> None:
        if not is_own_host(request.headers.get("Host", host), configured=host):
            abort(403, "this dashboard answers to its own address only, not to this Host")
        if _acts() and not _is_same_origin():
            abort(403, "this request comes from another site's page")

    app.before_request(check)
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _refusal)
    app.register_error_handler(ProtocolError, _bad_handshake)
    app.register_error_handler(HandshakeError, _bad_handshake)


def content_security_policy(host: str) -> str:
    """Return the policy for a page at `host`: our own files, our own WebSocket, nothing else."""
    # The policy's grammar knows no IPv6 address; there 'self' alone has to cover the WebSocket.
    websocket = "" if host.startswith("[") else f" ws://{host}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'{websocket}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _acts() -> bool:
    is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
    return is_websocket or request.method not in _SAFE_METHODS


def _is_same_origin() -> bool:
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.scheme}://{request.headers.get('Host', '')}"


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    host = request.headers.get("Host", "")
    own = host if response.status_code < 400 else "localhost"
    response.headers["Content-Security-Policy"] = content_security_policy(own)
    # Static files carry an ETag and are asked for again each time, so that a new version shows.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _refusal(error: HTTPException) -> tuple[dict[str, str | None], int]:
    return {"error": error.description}, error.code or 500


def _bad_handshake(_error: Exception) -> tuple[dict[str, str | None], int]:
    return {"error": "not a WebSocket handshake (RFC 6455)"}, 400
