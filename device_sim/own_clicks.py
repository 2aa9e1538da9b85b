"""A click as a microcontroller words it itself: the JSON of the wire, or a part of it."""

import logging
from typing import Any

import msgspec

from iot_button.errors import NotAClickError
from iot_button.events import MAX_PAYLOAD_BYTES, decode_click

log = logging.getLogger(__name__)

_MOST_BYTES = MAX_PAYLOAD_BYTES - 1024
"""So that the click is within the limit also with what is added to it."""
_DEEPEST = 20
"""Objects and lists within each other. Beyond some hundreds no JSON library follows."""

_decoder = msgspec.json.Decoder(dict[str, Any])


def read_own_click(payload: bytes, *, serial_number: str) -> dict[str, Any] | None:
    """Return the fields that the button gives; None where that is no click, and log why.

    All may be left out but `clickType`. A serial number must be `serial_number`.
    """
    try:
        if len(payload) > _MOST_BYTES:
            raise ValueError(f"{len(payload)} bytes, more than {_MOST_BYTES}")
        fields = _decoder.decode(payload)
        fields = {name: value for name, value in fields.items() if value is not None}
        if _is_deep(fields, _DEEPEST):
            raise ValueError(f"more than {_DEEPEST} objects or lists within each other")
        whole = msgspec.json.encode({"serialNumber": serial_number, **fields})
        decode_click(whole, serial_number=serial_number)
    except NotAClickError as error:
        log.warning("the button sent what is no click: %s", error.reason)
    except (ValueError, RecursionError) as error:
        log.warning("the button sent what is no click: %s", error)
    else:
        return fields
    return None


def _is_deep(value: Any, limit: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not limit or any(_is_deep(it, limit - 1) for it in inner)
