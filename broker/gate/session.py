"""What the broker keeps for one client id: its messages, until it has acknowledged them.

QoS 1 and 2 (MQTT 3.1.1, 4.3 and 4.4). What a persistent session has not acknowledged is in the
journal; of what waits, memory holds no more than the front.
"""

from collections import deque
from typing import Final

from broker.figures import Figures
from broker.gate.delivery import Delivery, Line
from broker.gate.journal import RELEASED, RETAIN, SHIFT, Journal
from iot_button import packets
from iot_button.database import Row

WINDOW: Final = 100
"""Messages on their way to one client, not acknowledged yet."""
_SPAN: Final = 60_000
"""From the oldest that is not acknowledged to the newest that is sent: packet ids end at 65,535."""
FRONT: Final = 500
"""Messages of a persistent session that wait in memory; the others wait on disk."""
MOST_UNKEPT: Final = 5_000
"""Messages that wait for a session that is not kept, which its client is too slow for."""
FRONT_BYTES: Final = 4 << 20
"""Bytes of messages that wait in memory, in any session; and of those on their way."""
MOST_QUEUED: Final = 1_000_000
"""Messages that one persistent session may have waiting. Further ones are not acknowledged."""


class Session:
    """One client id's subscriptions and messages.

    Args:
        client_id: whose.
        key: its number in the journal; 0: it is not kept (clean session, 3.1.2.4).
        owner: the account that made it; None: anyone.
    """

    def __init__(
        self, client_id: str, *, key: int, owner: str | None, journal: Journal, figures: Figures
    ) -> None:
        self.client_id = client_id
        self.key = key
        self.owner = owner
        self.line: Line | None = None
        self.subscriptions: dict[str, int] = {}
        self.levels = 0
        self.received: set[int] = set()
        self.queued = 0
        self.queued_bytes = 0
        self.left_at = 0.0
        self._journal = journal
        self._figures = figures
        self._next_number = 1
        self._window: dict[int, Delivery] = {}
        self._window_bytes = 0
        self._waiting: deque[Delivery] = deque()
        self._waiting_bytes = 0
        self._more_on_disk = False
        self._is_reading = False
        self._last_taken = 0
        self._perhaps_sent = 0  # the highest number of those

    @property
    def is_kept(self) -> bool:
        """Whether it outlives its connection."""
        return self.key > 0

    def deliver(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        """Take a message for the client."""
        if not qos:
            self._deliver_at_most_once(topic, payload, retain=retain)
            return
        if not self.is_kept and self.line is None:
            return
        delivery = Delivery(self._next_number, topic, payload, qos, retain)
        self._next_number += 1
        self._count(1, len(payload))
        if self.is_kept:
            self._keep(delivery)
        elif len(self._waiting) >= MOST_UNKEPT or self._waiting_bytes > FRONT_BYTES:
            self._count(-1, -len(payload))
            self._end_slow()
            return
        if self.is_kept and not self._has_room:
            self._more_on_disk = True
        else:
            self._append(delivery)
            self.pump()

    @property
    def _has_room(self) -> bool:
        """Whether a message may wait in memory, behind all others."""
        waits = len(self._waiting)
        return not self._more_on_disk and waits < FRONT and self._waiting_bytes < FRONT_BYTES

    def _append(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self._waiting_bytes += len(delivery.payload)
        self._last_taken = delivery.number

    def _keep(self, delivery: Delivery) -> None:
        delivery.is_on_disk = False
        number = self._id(delivery.number)
        self._journal.add(number, delivery.topic, delivery.payload, delivery.flags)
        if delivery.qos == 2:
            self._journal.afterwards(lambda: self._on_disk(delivery))

    def _deliver_at_most_once(self, topic: str, payload: bytes, *, retain: bool) -> None:
        if self.line is None:
            return
        if not self.line.is_free:
            self._figures.dropped["slow consumer"] += 1
            return
        packet = packets.publish(topic.encode(), payload, qos=0, packet_id=0, retain=retain)
        self._figures.publish_sent += 1
        self.line.send(packet)

    def _end_slow(self) -> None:
        self._figures.dropped["slow consumer"] += 1
        if self.line is not None:
            self.line.end("slow consumer")

    def _on_disk(self, delivery: Delivery) -> None:
        delivery.is_on_disk = True
        self.pump()

    def attach(self, line: Line) -> None:
        """Begin or go on with a client: what it has not acknowledged comes first (4.4.0-1)."""
        self.line = line
        for delivery in list(self._window.values()):
            self._send(delivery)
        self.pump()

    def detach(self, now: float) -> None:
        """Keep everything for the next time, or, in a session that is not kept, nothing."""
        self.line = None
        self.left_at = now
        if not self.is_kept:
            self.clear()

    def clear(self) -> None:
        """Forget all messages."""
        self._count(-self.queued, -self.queued_bytes)
        self._window.clear()
        self._window_bytes = 0
        self._waiting.clear()
        self._waiting_bytes = 0
        self._more_on_disk = False

    @property
    def _may_send(self) -> bool:
        """Whether another message may be on its way."""
        return len(self._window) < WINDOW and self._window_bytes < FRONT_BYTES

    def pump(self) -> None:
        """Send what may be sent now, in order."""
        waiting, window = self._waiting, self._window
        while waiting and self.line is not None and self._may_send and self.line.is_free:
            delivery = waiting[0]
            if delivery.qos == 2 and not delivery.is_on_disk:
                return
            if window and delivery.number - next(iter(window.values())).number > _SPAN:
                return
            waiting.popleft()
            self._waiting_bytes -= len(delivery.payload)
            window[delivery.packet_id] = delivery
            self._window_bytes += len(delivery.payload)
            self._send(delivery)
        if self._more_on_disk and len(waiting) < FRONT // 2:
            self._read_more()

    def _send(self, delivery: Delivery) -> None:
        assert self.line is not None  # noqa: S101 - for the type checker
        if delivery.is_released:
            self.line.send(packets.acknowledgement(packets.PUBREL, delivery.packet_id))
            return
        packet = packets.publish(
            delivery.topic.encode(),
            delivery.payload,
            qos=delivery.qos,
            packet_id=delivery.packet_id,
            retain=delivery.retain,
            duplicate=delivery.was_sent,
        )
        delivery.was_sent = True
        self._figures.publish_sent += 1
        self.line.send(packet)

    def acknowledged(self, packet_id: int, *, complete: bool) -> None:
        """Hear a PUBACK, or a PUBCOMP (`complete`). One for an unknown id is no error."""
        delivery = self._window.get(packet_id)
        if delivery is None or (delivery.qos == 2) != complete:
            return
        del self._window[packet_id]
        self._window_bytes -= len(delivery.payload)
        self._count(-1, -len(delivery.payload))
        if self.is_kept:
            self._journal.end(self._id(delivery.number))
        self.pump()

    def received_by_client(self, packet_id: int) -> None:
        """Hear a PUBREC, and answer it, when that is on disk: what is released is not sent anew."""
        delivery = self._window.get(packet_id)
        answer = packets.acknowledgement(packets.PUBREL, packet_id)
        if delivery is None:  # a stranger's, of which nothing is kept
            if self.line is not None:
                self.line.reply(answer)
            return
        if not delivery.is_released:
            delivery.is_released = True
            if self.is_kept:
                number = self._id(delivery.number)
                self._journal.tell(
                    f"UPDATE deliveries SET flags = flags | {RELEASED} WHERE id = ?",  # noqa: S608
                    number,
                )
        if self.line is not None:
            self._journal.acknowledge(_ToLine(self.line), answer)

    def restore(self, *, newest: int, queued: int, queued_bytes: int) -> None:
        """Have what the journal keeps, of before a restart. `newest`: the highest number there."""
        self._next_number = newest + 1
        self._count(queued, queued_bytes)
        self._more_on_disk = queued > 0
        # To be said of each that may have been (3.3.1-1): also beyond the window, where
        # acknowledgements of the ones before did not reach the disk any more.
        self._perhaps_sent = newest

    def _take(self, rows: list[Row]) -> None:
        for delivery_id, topic, payload, flags in rows:
            number = delivery_id & (1 << SHIFT) - 1
            self._append(
                Delivery(
                    number,
                    topic,
                    payload,
                    flags & 3,
                    retain=bool(flags & RETAIN),
                    was_sent=number <= self._perhaps_sent,
                    is_released=bool(flags & RELEASED),
                )
            )

    def _read_more(self) -> None:
        if self._is_reading:
            return
        self._is_reading = True
        most = FRONT_BYTES * self.queued // (self.queued_bytes + 1)
        self._journal.read(
            "SELECT id, topic, payload, flags FROM deliveries WHERE id > ? AND id < ? "
            "ORDER BY id LIMIT ?",
            (self._id(self._last_taken), self._id((1 << SHIFT) - 1), max(1, min(FRONT, most))),
            self._on_rows,
        )

    def _on_rows(self, rows: list[Row]) -> None:
        self._is_reading = False
        if not self._more_on_disk:  # cleared meanwhile
            return
        self._take(rows)
        if self._last_taken == self._next_number - 1:
            self._more_on_disk = False
        if rows:
            self.pump()
        else:  # what is missing is being written
            self._journal.afterwards(self.pump)

    def _id(self, number: int) -> int:
        return self.key << SHIFT | number

    def _count(self, messages: int, size: int) -> None:
        self.queued += messages
        self.queued_bytes += size
        self._figures.queued += messages
        self._figures.queued_bytes += size


class _ToLine:
    """Sends what the journal has waited with, if the client is still the same."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def acknowledge(self, packet: bytes) -> None:
        self._line.reply(packet)
