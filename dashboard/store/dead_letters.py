"""Dead letters by the page, newest first."""

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from dashboard.store.pages import Read
from iot_button.events import EPOCH, format_instant


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A failed invocation as the browser gets it. Every text is hostile until shown as text.

    `payload`: what the function was given, or its beginning; in base64 where it is no text.
    """

    id: int
    received_at: str
    function: str
    reason: str
    attempts: int | None
    request_id: str | None
    payload: str
    payload_is_base64: bool


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Some dead letters, newest first; `before`: where the next page goes on, None at the end."""

    letters: list[DeadLetterRow]
    before: int | None


def dead_letters(
    read: Read, *, before: int | None, function: str | None, limit: int
) -> DeadLetterPage:
    """Return the newest dead letters before an id, of one function or of all."""
    end = _END if before is None else before
    query = _PAGE.format(function="" if function is None else "AND function = ?")
    wanted = (end, limit + 1) if function is None else (end, function, limit + 1)
    found = [_row(*values) for values in read(query, wanted)]
    letters = found[:limit]
    return DeadLetterPage(letters, letters[-1].id if len(found) > limit else None)


def as_text(payload: bytes) -> tuple[str, bool]:
    """Return a payload as text, and whether that is base64 because it is none."""
    try:
        return payload.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), True


def _row(row_id: int, received_at: int, *values: Any) -> DeadLetterRow:
    function, reason, attempts, request_id, payload = values
    text, is_base64 = as_text(payload)
    return DeadLetterRow(
        id=row_id,
        received_at=format_instant(EPOCH + timedelta(milliseconds=received_at)),
        function=function,
        reason=reason,
        attempts=attempts,
        request_id=request_id,
        payload=text,
        payload_is_base64=is_base64,
    )


_END = (1 << 63) - 1
_PAGE = """
SELECT id, received_at, function, reason, attempts, request_id, payload FROM dead_letter
WHERE id < ? {function} ORDER BY id DESC LIMIT ?
"""
