"""What we have published and the broker has not fully acknowledged, in order (MQTT 3.1.1, 4.3).

QoS 1: until its PUBACK. QoS 2: the message until its PUBREC, and then its packet id until PUBCOMP.
An MQTT 5 broker says how many it takes at a time (Receive Maximum, 5.0, 4.9); the others wait here.
It also says what it does not take, where 3.1.1 is silent, or hangs up.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from iot_button import packets
from iot_button.errors import IotButtonError
from iot_button.properties import with_length

log = logging.getLogger(__name__)

Callback = Callable[[], None]
Write = Callable[[bytes], None]

_LAST_PACKET_ID = 65_535
_MOST = 60_000
_FAILURE = 0x80
_TOO_LARGE = 0x95
_PASSING = frozenset({0x80, 0x83, 0x91, 0x97})
"""Reason codes (5.0, 2.4) that may be other ones soon: unspecified, the broker's own, packet id in
use, quota exceeded."""
_SAID_SINGLY = 10
_SAID_EVERY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a broker has agreed to at CONNACK: MQTT 5 or 3.1.1, and what it takes of us.

    `receive_maximum`: messages at a time that it has not fully acknowledged. `most_bytes`: the
    longest packet. `keep_alive`: seconds, where it insists on others than ours.
    """

    is_5: bool = False
    receive_maximum: int = _LAST_PACKET_ID
    most_bytes: int = packets.MOST_BYTES + 5
    keep_alive: int | None = None


@dataclass(slots=True)
class Sent:
    """One message; `on_received` marks QoS 2. `properties` are for an MQTT 5 broker alone."""

    topic: str
    payload: bytes
    packet_id: int
    on_acknowledged: Callback
    on_received: Callback | None = None
    is_released: bool = False
    retain: bool = False
    properties: bytes = b""

    def packet(self, *, is_5: bool, duplicate: bool) -> bytes:
        """Return its PUBLISH."""
        return packets.publish(
            self.topic.encode(),
            self.payload,
            qos=1 if self.on_received is None else 2,
            packet_id=self.packet_id,
            retain=self.retain,
            duplicate=duplicate,
            properties=with_length(self.properties) if is_5 else b"",
        )


class Outbox:
    """The messages on their way. One thread's.

    Args:
        write: sends a packet, or does nothing while there is no connection.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._sent: dict[int, Sent] = {}
        self._last_packet_id = 0
        self._terms = Terms()
        self._credit = self._terms.receive_maximum
        self._held: deque[int | bytes] = deque()
        self._put_off: list[tuple[int, int]] = []
        self._refusals: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._sent)

    def next_packet_id(self) -> int:
        """Return a packet id that no message uses at this moment.

        Raises:
            IotButtonError: too many messages wait for the broker.
        """
        if len(self._sent) >= _MOST:
            raise IotButtonError(f"{len(self._sent)} messages wait for the broker already")
        packet_id = self._last_packet_id
        while True:
            packet_id = packet_id % _LAST_PACKET_ID + 1
            if packet_id not in self._sent:
                self._last_packet_id = packet_id
                return packet_id

    def send(self, sent: Sent) -> None:
        """Send a message, now or as soon as the broker takes more, and keep it.

        Raises:
            ValueError: it is longer than MQTT can say; it is not kept.
        """
        self._offer(sent)
        self._sent[sent.packet_id] = sent

    def send_unnumbered(
        self, topic: str, payload: bytes, *, retain: bool, properties: bytes
    ) -> None:
        """Send a message at QoS 0, which nobody acknowledges."""
        packet = packets.publish(
            topic.encode(),
            payload,
            qos=0,
            packet_id=0,
            retain=retain,
            properties=with_length(properties) if self._terms.is_5 else b"",
        )
        self._write(packet)

    def keep(self, sent: Sent) -> None:
        """Keep a message that is to be sent at the next connection."""
        self._sent[sent.packet_id] = sent

    def clear(self) -> None:
        """Forget all messages; their callbacks are not called."""
        self._sent.clear()

    def connected(self, terms: Terms, *, session_present: bool) -> None:
        """Send everything again (4.4); from the start to a broker that has forgotten us."""
        self._terms, self._credit = terms, terms.receive_maximum
        self._held.clear()
        self._put_off.clear()
        for sent in self._sent.values():
            if session_present and sent.is_released:
                self._write(packets.acknowledgement(packets.PUBREL, sent.packet_id))
                continue
            sent.is_released = False
            self._offer(sent, duplicate=session_present)

    def take(self, kind: int, packet_id: int, reason: int = 0) -> None:
        """Take a PUBACK, PUBREC or PUBCOMP, and its reason code."""
        sent = self._sent.get(packet_id)
        if reason >= _FAILURE and kind != packets.PUBCOMP:
            if sent is not None and not sent.is_released:
                self._refused(sent, reason)
        elif kind == packets.PUBREC:
            # Also for one that we do not know: it is a repeat, of what is done (4.3.3).
            self._write(packets.acknowledgement(packets.PUBREL, packet_id))
            if sent is not None and sent.on_received is not None and not sent.is_released:
                sent.is_released = True
                sent.on_received()
        elif sent is not None and (kind == packets.PUBACK) == (sent.on_received is None):
            del self._sent[packet_id]
            self._send_held()
            sent.on_acknowledged()

    def acknowledge(self, packet_id: int) -> None:
        """Acknowledge a message of the broker's, behind all that was published before that.

        Who reads no further than this acknowledgement then has what came of the message, too.
        """
        packet = packets.acknowledgement(packets.PUBACK, packet_id)
        if self._held:
            self._held.append(packet)
        else:
            self._write(packet)

    def try_again(self) -> None:
        """Offer what the broker did not take, where it may take it now; give up the rest."""
        put_off, self._put_off = self._put_off, []
        for packet_id, reason in put_off:
            sent = self._sent.get(packet_id)
            if sent is None:
                continue
            if reason in _PASSING:
                self._offer(sent)
            else:
                self._give_up(sent, reason)

    def _offer(self, sent: Sent, *, duplicate: bool = False) -> None:
        if not self._credit:
            self._held.append(sent.packet_id)
            return
        packet = sent.packet(is_5=self._terms.is_5, duplicate=duplicate)
        if len(packet) > self._terms.most_bytes:  # not given up here: who publishes is not ready
            self._put_off.append((sent.packet_id, _TOO_LARGE))
            return
        self._credit -= 1
        self._write(packet)

    def _send_held(self) -> None:
        """Let the next go, in the place of one that is done."""
        self._credit = min(self._credit + 1, self._terms.receive_maximum)
        while self._held and (self._credit or isinstance(self._held[0], bytes)):
            next_one = self._held.popleft()
            if isinstance(next_one, bytes):
                self._write(next_one)
            elif (sent := self._sent.get(next_one)) is not None:
                self._offer(sent)

    def _refused(self, sent: Sent, reason: int) -> None:
        self._send_held()
        if reason in _PASSING:
            self._tell(sent, reason, "trying again")
            self._put_off.append((sent.packet_id, reason))
        else:
            self._give_up(sent, reason)

    def _give_up(self, sent: Sent, reason: int) -> None:
        """Take as done what the broker will never take, as brokers of 3.1.1 do without a word."""
        self._tell(sent, reason, "it is lost")
        del self._sent[sent.packet_id]
        if sent.on_received is not None:
            sent.on_received()
        sent.on_acknowledged()

    def _tell(self, sent: Sent, reason: int, outcome: str) -> None:
        self._refusals[reason] += 1
        count = self._refusals[reason]
        if count <= _SAID_SINGLY or count % _SAID_EVERY == 0:
            log.warning(
                "the broker does not take a message on %r (%s); %s (%d so far)",
                sent.topic,
                _REASONS.get(reason, f"reason code {reason:#04x}"),
                outcome,
                count,
            )


_REASONS = {
    0x87: "not authorized",
    0x90: "topic name invalid",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x99: "payload format invalid",
}
