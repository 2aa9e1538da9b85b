"""Reads the records of failed invocations, in AWS Lambda's form, out of hostile bytes."""

import base64
from typing import Annotated, Any

import msgspec

from dashboard.history import cut
from dashboard.store.arrivals import DeadLetter
from iot_button.events import SERIAL_NUMBER

MAX_PAYLOAD = 16 * 1024
"""Bytes kept of what the function was given; the function runtime has all of it."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class NotADeadLetterError(ValueError):
    """A message that is no record of a failed invocation."""


class _Context(msgspec.Struct, frozen=True, rename="camel"):
    request_id: str | None = None
    condition: str = ""
    approximate_invoke_count: _Count | None = None


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    request_context: _Context
    request_payload: msgspec.Raw = msgspec.Raw(b"null")
    response_payload: Any = None


class _Bytes(msgspec.Struct, frozen=True, rename="camel"):
    payload_base64: str


class _Click(msgspec.Struct, frozen=True, rename="camel"):
    serial_number: str


_decode = msgspec.json.Decoder(_Record).decode
_decode_bytes = msgspec.json.Decoder(_Bytes).decode
_decode_click = msgspec.json.Decoder(_Click).decode


def decode_dead_letter(payload: bytes, *, function: str) -> DeadLetter:
    """Decode a record that came on the topic of a function.

    Raises:
        NotADeadLetterError: it is no such record.
    """
    try:
        record = _decode(payload)
    except (ValueError, RecursionError) as error:
        raise NotADeadLetterError(str(error)[:200]) from error
    given = _given(bytes(record.request_payload))
    context = record.request_context
    return DeadLetter(
        function=cut(function),
        reason=cut(_reason(context.condition, record.response_payload)),
        attempts=context.approximate_invoke_count,
        request_id=None if context.request_id is None else cut(context.request_id),
        serial_number=_serial_number(given),
        payload=_beginning(given),
    )


def _given(payload: bytes) -> bytes:
    """Return what the function was given: JSON, or the bytes that were none."""
    try:
        return base64.b64decode(_decode_bytes(payload).payload_base64, validate=True)
    except (ValueError, RecursionError):
        return payload


def _beginning(payload: bytes) -> bytes:
    """Return at most `MAX_PAYLOAD` bytes; of a text, whole characters."""
    kept = payload[:MAX_PAYLOAD]
    try:
        payload.decode()
    except UnicodeDecodeError:
        return kept
    return kept.decode(errors="ignore").encode()


def _reason(condition: str, response: Any) -> str:
    message = response.get("errorMessage") if isinstance(response, dict) else None
    return f"{condition}: {message}" if isinstance(message, str) and message else condition


def _serial_number(payload: bytes) -> str | None:
    try:
        found = _decode_click(payload).serial_number
    except (ValueError, RecursionError):
        return None
    return found if SERIAL_NUMBER.fullmatch(found) else None
