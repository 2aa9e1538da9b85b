"""Who may ask: programs on this machine, not the web pages in its browser.

The runtime listens on loopback without accounts. A page that the user happens to visit can send
requests there too; it is known by the Host (DNS rebinding), the Origin (Fetch standard, "Origin
header") and Sec-Fetch-Site (W3C Fetch Metadata) that its browser sends. No CORS header is ever
set, so such a page cannot read an answer either.
"""

from typing import Final

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import Forbidden

from functions.runtime.http.route_table import RESERVED
from iot_button.hosts import in_url, is_own_host

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""`none`: the user typed the address. `same-site` is not enough: all ports of localhost are."""


def protect(app: Flask, *, host: str) -> None:
    """Check every request of `app`.

    Args:
        app: the application.
        host: the configured name or address, which may be asked for beside loopback's.
    """

    def check() -> None:
        if not is_own_host(request.headers.get("Host", host), configured=host):
            raise Forbidden(_wrong_host(host))
        if _must_be_own() and not _is_own_origin():
            raise Forbidden("this request comes from a page of another origin")

    app.before_request(check)
    app.after_request(_with_headers)
    app.register_error_handler(Forbidden, _refusal)


def _wrong_host(configured: str) -> str:
    own = f"http://{in_url(configured)}:{request.environ['SERVER_PORT']}"
    return f"this runtime does not answer to this Host: use {own}, or localhost and the same port"


def _must_be_own() -> bool:
    """Whether only programs may send this: all of our own APIs, and what may change something."""
    is_ours = request.path.split("/")[1] in RESERVED
    return is_ours or request.method not in _SAFE_METHODS


def _is_own_origin() -> bool:
    own = f"{request.scheme}://{request.headers.get('Host', '')}"
    if request.headers.get("Origin", own) != own:
        return False
    return request.headers.get("Sec-Fetch-Site", "none") in _OWN_SITES


def _with_headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _refusal(error: Forbidden) -> tuple[Response, int]:
    return jsonify(message=error.description), 403
