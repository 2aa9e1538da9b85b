"""A phone as a button: a page to press, which installs as an app and opens from a QR code."""

import io
import json
from typing import Any

import segno
from flask import Blueprint, Response, abort, current_app, render_template, request, url_for

from dashboard.store import Reader, Store
from iot_button.events import SERIAL_NUMBER
from iot_button.hosts import host_of
from iot_button.settings import is_loopback

_ICONS = (
    ("icons/icon-192.png", "192x192", "any"),
    ("icons/icon-512.png", "512x512", "any"),
    ("icons/maskable-512.png", "512x512", "maskable"),
)
_NAME = "SELECT name FROM button WHERE serial_number = ?"
_SHORT_NAME = 12
"""Characters that fit below an icon on most phones."""


def create_blueprint(store: Store) -> Blueprint:
    """Return `/press/SERIAL` and what belongs to it."""
    read = store.reader()
    blueprint = Blueprint("press", __name__, url_prefix="/press")

    @blueprint.get("/worker.js")
    def worker() -> Response:
        """Return the service worker; its place says which pages are its own."""
        return current_app.send_static_file("worker.js")

    @blueprint.get("/offline.html")
    def offline() -> str:
        """Show what the app shows when the dashboard cannot be reached."""
        return render_template("offline.html")

    @blueprint.get("/<serial_number>")
    def page(serial_number: str) -> str:
        """Show one big button."""
        name = _name(read, checked(serial_number))
        return render_template("press.html", serial_number=serial_number, name=name)

    @blueprint.get("/<serial_number>/app.webmanifest")
    def manifest(serial_number: str) -> Response:
        """Return what a phone needs to install the page: one app for each button."""
        name = _name(read, checked(serial_number))
        body = json.dumps(_manifest(serial_number, name))
        return Response(body, mimetype="application/manifest+json")

    @blueprint.get("/<serial_number>/qr.svg")
    def qr_code(serial_number: str) -> Response:
        """Return the page's address as a QR code."""
        address = url_for("press.page", serial_number=checked(serial_number), _external=True)
        picture = io.BytesIO()
        code = segno.make_qr(address, error="m")
        code.save(picture, kind="svg", border=2, omitsize=True, light="#fff", svgclass=None)
        return Response(picture.getvalue(), mimetype="image/svg+xml")

    @blueprint.app_template_global()
    def can_be_pressed(serial_number: str) -> bool:
        """Whether a button of that serial number can be."""
        return SERIAL_NUMBER.fullmatch(serial_number) is not None

    @blueprint.app_template_global()
    def is_asked_on_loopback() -> bool:
        """Whether the page's own address is one that no other machine can reach."""
        name = host_of(request.host)
        return name is not None and (is_loopback(name) or name in ("0.0.0.0", "::"))  # noqa: S104

    return blueprint


def checked(serial_number: str) -> str:
    """Return a serial number from an address; 404 where no button can have it."""
    if SERIAL_NUMBER.fullmatch(serial_number) is None:
        abort(404, "a serial number is 1 to 64 of A-Z a-z 0-9 _ -")
    return serial_number


def _name(read: Reader, serial_number: str) -> str:
    """Return what people call a button; it need not have been pressed yet."""
    for (name,) in read(_NAME, (serial_number,)):
        return name or serial_number
    return serial_number


def _manifest(serial_number: str, name: str) -> dict[str, Any]:
    start = url_for("press.page", serial_number=serial_number)
    return {
        "id": start,
        "name": name,
        "short_name": name if len(name) <= _SHORT_NAME else f"{name[: _SHORT_NAME - 1]}…",
        "description": f"Press the button {name}.",
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "orientation": "any",
        "background_color": "#15130f",
        "theme_color": "#15130f",
        "icons": [
            {
                "src": url_for("static", filename=file),
                "sizes": size,
                "type": "image/png",
                "purpose": purpose,
            }
            for file, size, purpose in _ICONS
        ],
    }
