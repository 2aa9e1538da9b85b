"""The HTTP API: press a button, and ask whether we are well."""

import threading
from typing import Annotated, Any

import msgspec
from flask import Blueprint, abort, request

from iot_button.events import (
    SERIAL_NUMBER,
    Click,
    ClickType,
    encode_click,
    format_instant,
    new_event_id,
    utc_now,
)
from iot_button.mqtt import Connection
from iot_button.topics import Topics

DEFAULT_SERIAL_NUMBER = "WEB-BUTTON"
CONFIRM_TIMEOUT = 5.0
"""Seconds that the broker has to acknowledge a press."""


class Press(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of `POST /api/press`."""

    click_type: ClickType
    serial_number: Annotated[str, msgspec.Meta(pattern=f"^{SERIAL_NUMBER.pattern}\\Z")] = (
        DEFAULT_SERIAL_NUMBER
    )


_decode_press = msgspec.json.Decoder(Press).decode


def create_blueprint(connection: Connection, topics: Topics) -> Blueprint:
    """Return `/api/press` and `/healthz`, which speak JSON. Errors are `{"error": "..."}`."""
    blueprint = Blueprint("api", __name__)

    @blueprint.post("/api/press")
    def press() -> tuple[dict[str, Any], int]:
        """Publish a click; 202 with its `eventId` once the broker has it."""
        click = _click(_press_from_request())
        _publish(connection, topics.click(click.serial_number), click)
        return click.as_event(), 202

    @blueprint.get("/healthz")
    def health() -> dict[str, str]:
        """Answer as long as the process lives; `broker` is `connected` or `lost`."""
        return {"status": "ok", "broker": "connected" if connection.is_ready else "lost"}

    return blueprint


def _press_from_request() -> Press:
    if request.mimetype != "application/json":
        abort(415, "a press comes as JSON, with Content-Type: application/json")
    try:
        return _decode_press(request.get_data())
    except (ValueError, RecursionError) as error:
        abort(400, f"not a press: {error}; clickType is one of {', '.join(ClickType)}")


def _click(press: Press) -> Click:
    now = utc_now()
    return Click(
        serial_number=press.serial_number,
        click_type=press.click_type,
        event_id=new_event_id(now),
        clicked_at=now,
    )


def _publish(connection: Connection, topic: str, click: Click) -> None:
    """Publish and wait for the broker. Nothing is queued for a broker that is away.

    A queued click would be reported as failed now and delivered later.
    """
    if not connection.is_ready:
        abort(503, f"the broker at {connection.address} is lost; nothing was sent")
    confirmed = threading.Event()
    connection.publish(topic, encode_click(click), qos=1, on_acknowledged=confirmed.set)
    if not confirmed.wait(CONFIRM_TIMEOUT):
        abort(
            504,
            f"not confirmed: the broker has not answered within {CONFIRM_TIMEOUT:g} s; "
            f"the click of {format_instant(utc_now())} may still arrive",
        )
