"""`/api/asyncapi.json`: the topics of this installation as an AsyncAPI 3.0 document."""

from typing import Any, Final

import msgspec
from flask import Blueprint, Response

from iot_button.events import SERIAL_NUMBER, ClickType
from iot_button.topics import Topics

JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_BATTERY: Final = {"type": ["string", "null"], "pattern": "^[0-9]+mV$", "examples": ["1716mV"]}
_SERIAL: Final = {"type": "string", "pattern": f"^{SERIAL_NUMBER.pattern}$"}
_CLICK: Final = {
    "serialNumber": _SERIAL,
    "batteryVoltage": _BATTERY,
    "clickType": {"type": "string", "enum": [kind.value for kind in ClickType]},
    "eventId": {**_TEXT, "description": "Makes a delivery that came twice one click."},
    "clickedAt": {**_INSTANT, "description": "When the click happened, where it is sent late."},
}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required]}


MESSAGES: Final[dict[str, dict[str, Any]]] = {
    "click": _object(_CLICK, "serialNumber", "clickType"),
    "processedClick": _object(
        {"title": _TEXT, "timestamp": _INSTANT, "ipAddress": _TEXT, **_CLICK},
        *("title", "timestamp", "ipAddress", "serialNumber", "batteryVoltage", "clickType"),
    ),
    "receipt": _object(
        {
            "eventId": _TEXT,
            "outcome": {"type": "string", "enum": ["processed", "deadletter"]},
            "timestamp": _INSTANT,
        },
        *("eventId", "outcome", "timestamp"),
    ),
    "buttonStatus": _object(
        {"state": {"type": "string", "enum": ["online", "sleeping", "offline"]}}, "state"
    ),
    "deadLetter": _object(
        {
            "version": _TEXT,
            "timestamp": _INSTANT,
            "requestContext": {"type": "object"},
            "requestPayload": {},
            "responseContext": {"type": "object"},
            "responsePayload": {},
        },
        *("requestContext", "requestPayload"),
    ),
}
"""What goes over each topic, as JSON Schema; whoever publishes may add fields."""


def document(topics: Topics) -> dict[str, Any]:
    """Return the document, with the topics as they are in this installation.

    AsyncAPI's `send` is what this system publishes, `receive` what it takes.
    """
    button, function = topics.click("{serialNumber}"), topics.dead_letter("{function}")
    channels = {
        "clicks": _channel(button, "click", "A button's clicks, at QoS 1, never retained."),
        "processed": _channel(topics.processed, "processedClick", "What enrich makes of them."),
        "receipts": _channel(
            topics.receipt("{serialNumber}"), "receipt", "What became of a click with an eventId."
        ),
        "status": _channel(
            topics.status("{serialNumber}"), "buttonStatus", "Retained; also the button's will."
        ),
        "deadLetters": _channel(
            function, "deadLetter", "A failed invocation, in AWS Lambda's on-failure record."
        ),
    }
    takes = ("clicks", "status")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "iot-button topics",
            "version": "1",
            "description": "MQTT 3.1.1 at QoS 1; the payload is JSON in UTF-8.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": JSON,
        "channels": channels,
        "operations": {name: _operation(name, takes=name in takes) for name in channels},
        "components": {
            "messages": {
                name: {"name": name, "contentType": JSON, "payload": schema}
                for name, schema in MESSAGES.items()
            }
        },
    }


def _channel(address: str, message: str, description: str) -> dict[str, Any]:
    parameters = {
        name: {"description": words}
        for name, words in (("serialNumber", "which button"), ("function", "which function"))
        if f"{{{name}}}" in address
    }
    return {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        **({"parameters": parameters} if parameters else {}),
        "bindings": {"mqtt": {}},
    }


def _operation(channel: str, *, takes: bool) -> dict[str, Any]:
    return {
        "action": "receive" if takes else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "bindings": {"mqtt": {"qos": 1, "retain": channel == "status"}},
    }


def create_blueprint(topics: Topics) -> Blueprint:
    """Return `/api/asyncapi.json`."""
    blueprint = Blueprint("asyncapi", __name__)
    text = msgspec.json.encode(document(topics))

    @blueprint.get("/api/asyncapi.json")
    def asyncapi() -> Response:
        """Return the document."""
        return Response(text, mimetype=JSON)

    return blueprint
