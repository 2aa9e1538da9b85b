"""The `normalize` function: a press of somebody else's button becomes a click.

The rules in serverless.yml name the same topics as `sources.SOURCES`, and hand over a message as it
came: `{"topic": ..., "data": its bytes in base64}`. What is no press gives None, and nothing is
published.

Standard library only, so that this package runs here and on AWS Lambda unchanged.
"""

import base64
import hashlib
import json
import re
import uuid
from typing import Any

# The package has another name where it runs: `normalize`, not `functions.handlers.normalize`.
from .press import LONG, Press  # noqa: TID252
from .repeats import Repeats  # noqa: TID252
from .sources import SOURCES  # noqa: TID252

_NAMESPACE = uuid.UUID("0b4ad3f2-5f0d-4c9e-8f0a-61f7c8a2f1de")
_repeats = Repeats()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """Return the click of a message; the caller publishes it to `iotbutton/{serialNumber}`."""
    request_id = getattr(context, "aws_request_id", None) or str(uuid.uuid4())
    press = read(event["topic"], base64.b64decode(event["data"]))
    if press is None or _repeats.is_one(press, request_id) or press.presses is None:
        return None
    return _click(press, request_id)


def read(topic: str, payload: bytes) -> Press | None:
    """Return what a message says; None where it is no message of a button that is known."""
    levels = topic.split("/")
    for topic_filter, reader in SOURCES.items():
        pattern = topic_filter.split("/")
        if len(pattern) == len(levels) and all(
            wanted in ("+", level) for wanted, level in zip(pattern, levels, strict=True)
        ):
            return reader(levels, _content(payload))
    return None


def _content(payload: bytes) -> Any:
    text = payload.decode(errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _click(press: Press, request_id: str) -> dict[str, Any]:
    click: dict[str, Any] = {
        "serialNumber": serial_number(press.name),
        "clickType": {LONG: "LONG", 1: "SINGLE"}.get(press.presses or 0, "DOUBLE"),
        # The same for all attempts, and for the message when it comes again; not for its like.
        "eventId": request_id,
    }
    if press.presses is not None and press.presses > 2:
        click["presses"] = press.presses
    if press.millivolts is not None:
        click["batteryVoltage"] = f"{press.millivolts}mV"
    if press.moment is not None:
        click["clickedAt"] = press.moment
        if press.is_dated:  # also what its sender sends twice is one click
            text = f"{click['serialNumber']} {press.presses} {press.moment}"
            click["eventId"] = str(uuid.uuid5(_NAMESPACE, text))
    return click


def serial_number(name: str) -> str:
    """Return a name as a serial number: 1 to 64 of A-Z a-z 0-9 _ -.

    One that has to be changed gets a hash of what it was, so that no two become the same.
    """
    fitting = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if fitting == name and 0 < len(name) <= 64:
        return name
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{fitting[:55]}-{digest}"
