"""Publishing what waits in one queue, in order, until the other side has acknowledged it.

A message leaves the disk at its PUBACK. What was under way when a connection or this process ended
is sent again from the queue: then it can arrive twice, and its first arrivals are still in order.
It is then a new PUBLISH, without the DUP flag and the packet id of before (MQTT 3.1.1, 4.4, wants
both kept for a session that is carried on; no receiver can tell at QoS 1, where DUP says nothing
that it could rely on).
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from iot_button.errors import IotButtonError
from iot_button.files import StorageError
from iot_button.mqtt import Stream
from iot_button.spool import Entry, Spool

log = logging.getLogger(__name__)

WINDOW = 100
"""Messages on their way at a time: what AWS IoT Core allows a connection."""
SUSPICIOUS_AFTER = 3
"""Connections lost in a row, with the same message under way, until it goes alone."""
ASIDE_AFTER = 8
"""And until it is set aside."""
MOST_ASIDE = 1000


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A message on disk, under the name that it has on the side where it goes."""

    topic: str
    payload: bytes
    retained: bool


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Stored).decode


@dataclass(slots=True)
class Counts:
    """What became of messages since the start: all directions of one bridge together."""

    forwarded: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str) -> None:
        """Count one that goes nowhere."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


class Sender:
    """Empties the queue for one side into its connection. One thread's.

    Some brokers end the connection at a message that they do not want, AWS IoT Core for one. So a
    message at which one connection after the other ends is sent alone, and if they still end, set
    aside in a queue of its own; the next only after another was acknowledged in between, so that a
    broker that takes nothing at all loses us nothing.

    Args:
        name: of the bridge and the side, for what is logged.
        before_sending: gets each message that is about to be sent, or sent again; what it puts into
            the spool is committed before the message goes out.
    """

    def __init__(
        self,
        name: str,
        *,
        spool: Spool,
        queue: str,
        stream: Stream,
        counts: Counts,
        before_sending: Callable[[Stored], None],
    ) -> None:
        self.queue = queue
        self._name = name
        self._spool = spool
        self._stream = stream
        self._counts = counts
        self._before_sending = before_sending
        self._under_way: dict[int, Stored] = {}
        self._last_id = 0
        self._unremoved: list[int] = []
        self._suspect = 0
        self._losses = 0
        self._may_set_aside = True

    def __len__(self) -> int:
        return len(self._under_way)

    def fill(self) -> None:
        """Send what waits, as far as the window goes."""
        window = 1 if self._losses >= SUSPICIOUS_AFTER else WINDOW
        free = window - len(self._under_way)
        if free <= 0 or not self._stream.is_ready:
            return
        if self._spool.count(self.queue) <= len(self._under_way):
            return
        after, done = (0.0, self._last_id), set(self._unremoved)
        for entry in self._spool.due(self.queue, limit=free, after=after, skip=done):
            self._send(entry)
            self._last_id = entry.id

    def connected(self) -> None:
        """Hear that the connection stands again; what was under way goes once more by itself."""
        for stored in self._under_way.values():
            self._before_sending(stored)

    def lost(self) -> None:
        """Hear that the connection is lost: what was under way is sent anew with the next."""
        if not self._under_way:
            return
        head, stored = next(iter(self._under_way.items()))
        self._losses = self._losses + 1 if head == self._suspect else 1
        self._suspect = head
        self._stream.take_back()
        self._under_way.clear()
        self._last_id = 0
        if self._losses == SUSPICIOUS_AFTER:
            log.warning(
                "bridge %s: %d connections in a row ended with a message on %r under way",
                *(self._name, self._losses, stored.topic),
            )
        elif self._losses >= ASIDE_AFTER and self._may_set_aside:
            self._set_aside(head, stored)

    def committed(self) -> None:
        """Hear that the spool's changes are on the disk."""
        self._unremoved.clear()

    def undone(self) -> None:
        """Hear that they were undone: remove again what is done."""
        for id in self._unremoved:  # noqa: A001
            self._spool.remove(id)

    def _send(self, entry: Entry) -> None:
        stored = decode(entry.body)
        self._before_sending(stored)

        def acknowledged() -> None:
            self._under_way.pop(entry.id, None)
            self._unremoved.append(entry.id)
            self._losses, self._may_set_aside = 0, True
            self._counts.forwarded += 1
            with contextlib.suppress(StorageError):  # the commit fails too, and `undone` follows
                self._spool.remove(entry.id)

        self._under_way[entry.id] = stored
        try:
            self._stream.publish(
                stored.topic,
                stored.payload,
                retain=stored.retained,
                on_acknowledged=acknowledged,
            )
        except (IotButtonError, ValueError):
            log.exception("bridge %s: a message on %r cannot be sent", self._name, stored.topic)
            self._under_way.pop(entry.id)
            self._set_aside(entry.id, stored)

    def _begin_again(self) -> None:
        """Send from the queue's beginning at the next connection: alone, so not by its outbox."""
        self._stream.take_back()
        self._under_way.clear()
        self._last_id = 0

    def _set_aside(self, id: int, stored: Stored) -> None:  # noqa: A002
        aside = f"{self.queue} aside"
        self._spool.move(id, aside)
        self._spool.trim(aside, most=MOST_ASIDE)
        self._counts.drop("refused")
        self._losses, self._may_set_aside = 0, False
        log.error(
            "bridge %s: a message of %d bytes on %r is set aside: %s ends the connection at it. "
            "Does our account there have the right to that topic?",
            *(self._name, len(stored.payload), stored.topic, self._stream.address),
        )
