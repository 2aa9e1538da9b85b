"""What comes in to be kept, decoded: clicks, dead letters, and how buttons are."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from iot_button.events import EPOCH, ProcessedClick


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A failed invocation.

    `payload`: what the function was given, or its beginning. `serial_number`: of the button whose
    click it was, where the payload says so.
    """

    function: str
    reason: str
    attempts: int | None
    request_id: str | None
    serial_number: str | None
    payload: bytes


class ButtonStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a button says it is; None: nobody knows any more."""

    serial_number: str
    state: str | None


Content = ProcessedClick | DeadLetter | ButtonStatus
"""What a message can be."""


class Arrival(msgspec.Struct, frozen=True):
    """One message, when it came, and what to call when it is on the disk."""

    content: Content
    received_at: datetime
    on_stored: Callable[[], None]


def milliseconds(moment: datetime) -> int:
    """Return a moment as the tables have it."""
    return (moment - EPOCH) // timedelta(milliseconds=1)  # floats would round
