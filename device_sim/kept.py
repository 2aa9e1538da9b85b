"""A click as the outbox keeps it, and how far it has come."""

import enum
from typing import Any

import msgspec

from device_sim.moments import Moment


class Kept(msgspec.Struct, frozen=True):
    """A click in the outbox. `event` is what is published, but for its `clickedAt`.

    `has_own_time`: the button itself said when it was pressed, in `event`. `taken_back`: when its
    owner let it wait once more after it had been given up.
    """

    event: dict[str, Any]
    pressed: Moment
    has_own_time: bool = False
    taken_back: Moment | None = None

    @property
    def event_id(self) -> str:
        """The click's id."""
        return str(self.event["eventId"])


class Progress(enum.Enum):
    """How far a click has come."""

    PUBLISHED = "published"
    PROCESSED = "processed"
    DEAD_LETTER = "dead letter"
    GIVEN_UP = "given up"


_decoder = msgspec.json.Decoder(Kept)


def read_kept(body: bytes) -> Kept | None:
    """Read a click; None where the bytes are none."""
    try:
        kept = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return kept if isinstance(kept.event.get("eventId"), str) else None
