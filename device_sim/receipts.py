"""What the function runtime says of a click that carried an `eventId`: what became of it."""

import enum

import msgspec


class Outcome(enum.StrEnum):
    """What became of a click."""

    PROCESSED = "processed"
    DEAD_LETTER = "deadletter"


class Receipt(msgspec.Struct, frozen=True, rename="camel"):
    """One receipt."""

    event_id: str
    outcome: Outcome


_decoder = msgspec.json.Decoder(Receipt)


def read_receipt(payload: bytes) -> Receipt | None:
    """Read a message from a button's receipt topic; None where it is no receipt that we know."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return None
