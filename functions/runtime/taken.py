"""Which id each delivery got, for the one that comes again to the next process (MQTT 3.1.1, 4.4).

Two presses of a button that sends no ids can be two messages of equal bytes. Only the packet id and
the DUP flag tell them from one message that came twice; the process before may have had the first.
"""

import struct
import uuid

from functions.runtime.under_way import KEYED, Key

TAKEN = 4
"""The kind of its records in the journal, beside those of `under_way`."""
WINDOW = 2_000
"""How many are remembered: what a broker may send again after a lost connection."""

_ID = struct.Struct("<16s")


class Taken:
    """The ids of the last deliveries, each a UUID, by what the delivery is known by."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._ids: dict[Key, str] = {}

    def get(self, key: Key) -> str | None:
        """Return the id that a delivery got; None: not known."""
        return self._ids.get(key)

    def note(self, key: Key, text: str) -> bytes:
        """Remember a delivery's id, and forget the oldest; return the record of it."""
        self._ids.pop(key, None)
        self._ids[key] = text
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return _pack(key, text)

    def records(self) -> bytes:
        """Return records that say all of it."""
        return b"".join(_pack(key, text) for key, text in self._ids.items())

    def replay(self, body: bytes, start: int) -> int:
        """Do what the record at `start` says; return where it ends."""
        _, key = KEYED.unpack_from(body, start)
        (raw,) = _ID.unpack_from(body, start + KEYED.size)
        self.note(key, str(uuid.UUID(bytes=raw)))
        return start + KEYED.size + _ID.size


def _pack(key: Key, text: str) -> bytes:
    return KEYED.pack(TAKEN, key) + bytes.fromhex(text.replace("-", ""))
