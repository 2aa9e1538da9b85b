"""Which click is which: ids for clicks that bring none, and a memory of bounded size.

Brokers deliver at least once (MQTT QoS 1), so the same click can come again; it is known by its id.
"""

import uuid
from datetime import datetime
from typing import Generic, TypeVar

from iot_button.events import Click, encode_click, new_event_id
from iot_button.messages import Message

K = TypeVar("K")
V = TypeVar("V")

_NAMESPACE = uuid.UUID("5d3c2f0e-6b0a-4c53-9d1f-7e0f6c3f9a11")
WINDOW = 2_000
"""How many clicks are remembered: what a broker may send again after a lost connection."""


class Recent(Generic[K, V]):
    """The last `size` entries that were put in; in memory, so a restart forgets them."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._entries: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return what was put in last under `key`, while it is remembered."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember an entry as the newest; the oldest is forgotten when there are too many."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]


class EventIdGiver:
    """Gives an id to each click that has none: the same id to a redelivery of the same message.

    A click that says when it was is named by what it says. Otherwise a message that comes again
    says so (DUP flag), and has the packet id and the bytes that it had the first time (MQTT 3.1.1,
    4.4). Two presses with equal bytes are two messages and get two ids.
    """

    def __init__(self, size: int = WINDOW) -> None:
        self._given: Recent[tuple[int, str, bytes], str] = Recent(size)

    def event_id(self, click: Click, message: Message, moment: datetime) -> str:
        """Return the click's own id, or the one that it gets."""
        if click.event_id is not None:
            return click.event_id
        if click.clicked_at is not None:
            return str(uuid.uuid5(_NAMESPACE, encode_click(click).decode()))
        key = (message.delivery.packet_id, message.topic, message.payload)
        known = self._given.get(key) if message.duplicate else None
        event_id = known or new_event_id(moment)
        self._given.put(key, event_id)
        return event_id
