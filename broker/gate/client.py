"""One connection: from its CONNECT to its end (MQTT 3.1.1, sections 3 and 4)."""

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from broker.door import Credentials, Guest, RefusedError
from broker.gate import packets
from broker.gate.frames import MalformedError
from broker.gate.intake import Intake
from broker.gate.link import FIRST_PACKET_BYTES, Link
from broker.gate.session import Session
from iot_button import packets as wire

if TYPE_CHECKING:
    from broker.gate.gate import Gate

log = logging.getLogger(__name__)

_MOST_UNANSWERED: Final = 2000
"""Messages of one client that wait for the disk; then it is not read any further."""
_MOST_UNREAD: Final = 1000
"""Answers that a client leaves unread, beyond what its system takes."""


class Client:
    """Speaks with one client.

    Args:
        gate: to whose clients it belongs.
        link: its connection.
        deadline: the moment, on the loop's clock, by which it has to be let in.
    """

    def __init__(self, gate: "Gate", link: Link, *, deadline: float) -> None:
        self.guest: Guest | None = None
        self._gate = gate
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._intake = Intake(
            link,
            turns=gate.turns,
            limit=FIRST_PACKET_BYTES,
            take=self._take,
            on_malformed=self._on_malformed,
        )
        self._session: Session | None = None
        self._connect: packets.Connect | None = None
        self._topics: dict[bytes, str] = {}
        self._unanswered = 0
        self._unread = 0
        self._is_heard = False
        self._has_ended = False
        self._heard = self._loop.time()
        self._timer = self._loop.call_at(deadline, self.end, "connect timeout")

    @property
    def is_free(self) -> bool:
        """Whether the client reads what it is sent."""
        return not self._link.is_slow

    @property
    def is_revoked(self) -> bool:
        """Whether its certificate was taken back."""
        return self._link.is_revoked

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        self._heard = self._loop.time()
        self._gate.figures.bytes_received += len(data)
        if not self._is_heard:
            self._is_heard = True
            try:
                packets.check_first_byte(data[:1])
            except MalformedError as error:
                self._on_malformed(error)
                return
        self._intake.feed(data)

    def _on_malformed(self, error: MalformedError) -> None:
        if isinstance(error, packets.UnknownLevelError):
            self._refuse(packets.UNKNOWN_PROTOCOL_LEVEL, str(error))
            return
        log.debug("%s: %s", self._link.address, error)
        self.end("malformed packet")

    def lost(self) -> None:
        """Hear that the link is gone."""
        self._leave()

    def writable(self) -> None:
        """Hear that the client reads again."""
        self._unread = 0
        self._intake.release("slow")
        if self._session is not None:
            self._session.pump()

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        figures = self._gate.figures
        figures.messages_sent += 1
        figures.bytes_sent += len(packet)
        self._link.write(packet)

    def reply(self, packet: bytes) -> None:
        """Send an answer. Who reads none of them is not read any further."""
        self.send(packet)
        if self._link.is_slow:
            self._unread += 1
            if self._unread > _MOST_UNREAD:
                self._intake.hold("slow")

    def acknowledge(self, packet: bytes) -> None:
        """Send an acknowledgement: what it acknowledges is on disk."""
        self._unanswered -= 1
        if self._has_ended:
            return
        self.reply(packet)
        if self._unanswered < _MOST_UNANSWERED // 2:
            self._intake.release("unanswered")

    def end(self, reason: str) -> None:
        """Close the connection: something was wrong. Its will is published."""
        if self._has_ended:
            return
        self._gate.figures.refused[reason] += 1
        log.debug("%s is disconnected: %s", self._name, reason)
        self._leave()
        if reason == "slow consumer":
            self._link.abort()
        else:
            self._link.close()

    def dismiss(self) -> None:
        """Close the connection in order: without its will."""
        self._connect = None
        self._leave()
        self._link.close()

    @property
    def _name(self) -> str:
        return repr(self._connect.client_id[:64]) if self._connect else self._link.address

    def _begin(self, first: int, body: bytes) -> None:
        self._gate.figures.messages_received += 1
        self._connect = packets.connect(first, body)
        self._intake.pause()
        self._gate.arrivals.admit(self._enter(self._connect))

    async def _enter(self, connect: packets.Connect) -> None:
        if self._link.is_revoked:
            self._refuse(packets.NOT_AUTHORIZED, "certificate revoked")
            return
        credentials = Credentials(
            address=self._link.address,
            client_id=connect.client_id,
            username=connect.username,
            password=connect.password,
            certificate=self._link.certificate,
        )
        try:
            guest = await self._gate.door.admit(credentials)
            if self._has_ended:
                return
            session, is_present = self._gate.seat(guest, connect)
        except RefusedError as error:
            self._refuse(error.return_code, error.reason)
            return
        self._timer.cancel()
        self._gate.arrivals.entered(self)
        self.guest, self._session = guest, session
        self.send(packets.connack(packets.ACCEPTED, session_present=is_present))
        session.attach(self)
        if connect.keep_alive:
            self._watch(connect.keep_alive * 1.5)
        self._link.welcome(self._gate.limits.packet_bytes)
        self._intake.go_on(limit=self._gate.limits.packet_bytes)

    def _refuse(self, return_code: int, reason: str) -> None:
        if self._has_ended:
            return
        self._gate.figures.refused[reason] += 1
        self.send(packets.connack(return_code))
        self._leave()
        self._link.close()

    def _watch(self, limit: float) -> None:
        """End a client that has been silent for one and a half keep-alives (3.1.2-24)."""
        left = self._heard + limit - self._loop.time()
        if left <= 0:
            self.end("keep-alive")
        else:
            self._timer = self._loop.call_later(left, self._watch, limit)

    def _leave(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._intake.end()
        self._timer.cancel()
        self._gate.left(self)
        if self._session is not None and self._session.line is self:
            self._gate.sessions.vacate(self._session)
        connect, guest = self._connect, self.guest
        if connect is not None and connect.will is not None and guest is not None:
            will = connect.will
            self._gate.take(guest, will.topic, will.payload, qos=will.qos, retain=will.retain)

    def _take(self, first: int, body: bytes) -> Iterator[None] | None:
        if self._session is None:
            self._begin(first, body)
            return None
        self._gate.figures.messages_received += 1
        kind = first >> 4
        if kind == packets.PUBLISH:
            self._on_publish(self._session, first, body)
            return None
        packets.check_flags(first)
        if packets.PUBACK <= kind <= packets.PUBCOMP:
            self._on_acknowledgement(self._session, kind, packets.packet_id(body))
            return None
        if kind == packets.SUBSCRIBE:
            return self._on_subscribe(self._session, body)
        if kind == packets.UNSUBSCRIBE:
            return self._on_unsubscribe(self._session, body)
        if kind not in (packets.PINGREQ, packets.DISCONNECT) or body:
            # A second CONNECT (3.1.0-2), a server's packet, an unknown kind, or too long.
            raise MalformedError(f"a packet of kind {kind} that is not expected")
        self._on_empty(kind)
        return None

    def _on_empty(self, kind: int) -> None:
        if kind == packets.PINGREQ:
            self.reply(packets.PINGRESP)
            return
        self.dismiss()  # a DISCONNECT: without its will, too (3.14.4-3)

    def _on_publish(self, session: Session, first: int, body: bytes) -> None:
        message = packets.publish(first, body, self._topics)
        gate = self._gate
        assert self.guest is not None  # noqa: S101 - for the type checker
        gate.figures.publish_received += 1
        is_repeat = message.qos == 2 and message.packet_id in session.received
        if not is_repeat and not gate.take(
            self.guest, message.topic, message.payload, qos=message.qos, retain=message.retain
        ):
            self.end("queue full")
            return
        if message.qos == 1:
            self._answer(wire.acknowledgement(wire.PUBACK, message.packet_id))
        elif message.qos == 2:
            if not is_repeat:
                gate.sessions.remember(session, message.packet_id)
            self._answer(wire.acknowledgement(wire.PUBREC, message.packet_id))

    def _on_acknowledgement(self, session: Session, kind: int, packet_id: int) -> None:
        if kind == packets.PUBREC:
            session.received_by_client(packet_id)
        elif kind == packets.PUBREL:
            self._gate.sessions.release(session, packet_id)
            self._answer(wire.acknowledgement(wire.PUBCOMP, packet_id))
        else:
            session.acknowledged(packet_id, complete=kind == packets.PUBCOMP)

    def _on_subscribe(self, session: Session, body: bytes) -> Iterator[None]:
        gate = self._gate
        assert self.guest is not None  # noqa: S101 - for the type checker
        number, wanted = yield from packets.subscribe(body)
        granted = bytearray()
        for topic_filter, qos in wanted:
            granted.append(gate.subscribe(session, self.guest, topic_filter, qos))
            yield
        self._answer(packets.suback(number, granted))
        for (topic_filter, _qos), qos in zip(wanted, granted, strict=True):
            if qos != packets.FAILURE:
                yield from gate.deliver_retained(session, topic_filter, qos)
            yield

    def _on_unsubscribe(self, session: Session, body: bytes) -> Iterator[None]:
        number, unwanted = yield from packets.unsubscribe(body)
        for topic_filter in unwanted:
            self._gate.sessions.unsubscribe(session, topic_filter)
            yield
        self._answer(packets.unsuback(number))

    def _answer(self, packet: bytes) -> None:
        self._unanswered += 1
        if self._unanswered > _MOST_UNANSWERED:
            self._intake.hold("unanswered")
        self._gate.journal.acknowledge(self, packet)
