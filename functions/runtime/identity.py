"""Which click is which: ids for clicks that bring none, and a memory of bounded size.

Brokers deliver at least once (MQTT QoS 1), so the same click can come again; it is known by its id.
"""

import hashlib
import uuid
from typing import Generic, TypeVar

from functions.runtime.under_way import Key
from iot_button.events import Click, encode_click
from iot_button.messages import Message
from iot_button.randomness import random_hex

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


def new_request_id() -> str:
    """Return a UUID version 4 (RFC 9562, section 5.4): what AWS's request ids are."""
    rest = random_hex(32)
    variant = "89ab"[int(rest[16], 16) & 3]
    return f"{rest[:8]}-{rest[8:12]}-4{rest[13:16]}-{variant}{rest[17:20]}-{rest[20:]}"


def request_id_of_rule(request_id: str, number: int) -> str:
    """Return the request id of a message's event number `number`, from that of its first, 0."""
    if not number:
        return request_id
    digits = hashlib.blake2b(f"{request_id}{number}".encode(), digest_size=16).hexdigest()
    return str(uuid.UUID(digits, version=4))


def key_of_delivery(message: Message) -> Key:
    """Return what a delivery is known by when it comes again: its packet id, topic and bytes."""
    digest = hashlib.blake2b(message.payload, digest_size=16)
    digest.update(f"\0{message.delivery.packet_id}\0{message.topic}".encode(errors="surrogatepass"))
    return digest.digest()


def id_of_content(click: Click) -> str:
    """Return the id of a click that has none but says when it was: made of what it says."""
    return str(uuid.uuid5(_NAMESPACE, encode_click(click).decode()))


class Deliveries(Generic[V]):
    """Knows a message that comes again: by its DUP flag, packet id and bytes (MQTT 3.1.1, 4.4).

    Two presses with equal bytes are two messages.
    """

    def __init__(self, size: int = WINDOW) -> None:
        # Hashes, not the bytes: as many messages of a mebibyte each would fill the memory.
        self._known: Recent[int, tuple[int, V]] = Recent(size)

    def find(self, message: Message) -> V | None:
        """Return what was kept for a message when it first came; None: it is new."""
        if not message.duplicate:
            return None
        known = self._known.get(message.delivery.packet_id)
        if known is None or known[0] != hash((message.topic, message.payload)):
            return None
        return known[1]

    def keep(self, message: Message, value: V) -> None:
        """Keep something for a message, in case it comes again."""
        content = hash((message.topic, message.payload))
        self._known.put(message.delivery.packet_id, (content, value))
