"""A click as a microcontroller words it itself: the JSON of the wire, or a part of it."""

import logging
from typing import Any

import msgspec

from iot_button.errors import NotAClickError
from iot_button.events import MAX_PAYLOAD_BYTES, decode_click

log = logging.getLogger(__name__)

_decoder = msgspec.json.Decoder(dict[str, Any])


def read_own_click(payload: bytes, *, serial_number: str) -> dict[str, Any] | None:
    """Return the fields that the button gives; None where that is no click, and log why.

    All may be left out but `clickType`. A serial number must be `serial_number`.
    """
    try:
        fields = _decoder.decode(payload[: MAX_PAYLOAD_BYTES + 1])
        fields = {name: value for name, value in fields.items() if value is not None}
        whole = msgspec.json.encode({"serialNumber": serial_number, **fields})
        decode_click(whole, serial_number=serial_number)
    except NotAClickError as error:
        log.warning("the button sent what is no click: %s", error.reason)
    except (ValueError, RecursionError) as error:
        log.warning("the button sent what is no click: %s", error)
    else:
        return fields
    return None
