"""A client for tests that sends any bytes, over TCP or WebSocket, and waits with a deadline."""

import time
from collections.abc import Iterable
from typing import Self

import pytest

from tests.broker import wire_packets as packets
from tests.broker.wire_packets import Packet, Received, Will
from tests.broker.wire_streams import Stream
from tests.support import DEADLINE


class Wire:
    """A client that does what a test says, and nothing by itself."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._rest = bytearray()
        self._last_packet_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stream.close()

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        self.stream.send(data)

    def next(self, *, deadline: float = DEADLINE) -> Packet:
        """Return the next packet."""
        found = self._next(time.monotonic() + deadline)
        return found or pytest.fail("the broker has closed the connection")

    def _next(self, end: float) -> Packet | None:
        """Return the next packet; None when the connection is closed."""
        while (found := self._take()) is None:
            try:
                data = self.stream.receive(max(0.001, end - time.monotonic()))
            except TimeoutError:
                pytest.fail("nothing came, and the connection stays open")
            if not data:
                assert not self._rest, "closed within a packet"
                return None
            self._rest += data
        return found

    def _take(self) -> Packet | None:
        length = 0
        for index, byte in enumerate(self._rest[1:5]):
            length |= (byte & 127) << 7 * index
            if byte < 128:
                stop = index + 2 + length
                if len(self._rest) < stop:
                    return None
                first, body = self._rest[0], bytes(self._rest[index + 2 : stop])
                del self._rest[:stop]
                return Packet(first >> 4, first & 15, body)
        return None

    def expect(self, kind: int, *, deadline: float = DEADLINE) -> Packet:
        """Return the next packet, which must be of a kind."""
        found = self.next(deadline=deadline)
        assert found.kind == kind, found
        return found

    def expect_closed(self, *, deadline: float = DEADLINE) -> list[Packet]:
        """Wait until the broker closes the connection; return what it sent before that."""
        end, before = time.monotonic() + deadline, []
        while (found := self._next(end)) is not None:
            before.append(found)
        return before

    def expect_nothing(self) -> None:
        """Assert that nothing more has been sent to us: the answer to a ping is what comes next.

        What others have published counts once they have its acknowledgement.
        """
        self.send(packets.PING)
        found = self.next()
        assert found.kind == packets.PINGRESP, found

    def settle(self) -> None:
        """Wait until the broker has read all that was sent; what comes meanwhile is dropped."""
        self.send(packets.PING)
        while self.next().kind != packets.PINGRESP:
            pass

    def connect(
        self,
        client_id: str = "",
        *,
        clean: bool = True,
        keep_alive: int = 60,
        will: Will | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> bool:
        """Connect; return whether the broker had a session (3.2.2.2)."""
        self.send(
            packets.connect(
                client_id,
                clean=clean,
                keep_alive=keep_alive,
                will=will,
                username=username,
                password=password,
            )
        )
        connack = self.expect(packets.CONNACK)
        assert connack.body[1] == 0, f"refused with return code {connack.body[1]}"
        return bool(connack.body[0])

    def subscribe(self, *wanted: tuple[str, int]) -> list[int]:
        """Subscribe; return what was granted. Messages that come first (3.8.4) stay for `next`."""
        packet_id = self._packet_id()
        self.send(packets.subscribe(packet_id, *wanted))
        suback = self._answer(packets.SUBACK)
        assert suback.packet_id == packet_id
        return list(suback.body[2:])

    def unsubscribe(self, *unwanted: str) -> None:
        """Unsubscribe."""
        packet_id = self._packet_id()
        self.send(packets.unsubscribe(packet_id, *unwanted))
        assert self.expect(packets.UNSUBACK).packet_id == packet_id

    def publish(
        self, topic: str, payload: bytes = b"", *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish, and wait until the broker has acknowledged it; at QoS 0 until it has read it."""
        packet_id = self._packet_id()
        self.send(packets.publish(topic, payload, qos=qos, packet_id=packet_id, retain=retain))
        if qos == 0:
            self.expect_nothing()
        elif qos == 1:
            assert self.expect(packets.PUBACK).packet_id == packet_id
        else:
            assert self.expect(packets.PUBREC).packet_id == packet_id
            self.send(packets.acknowledge(packets.PUBREL, packet_id))
            assert self.expect(packets.PUBCOMP).packet_id == packet_id

    def publish_all(self, topic: str, payloads: Iterable[bytes], *, qos: int = 1) -> None:
        """Publish several in one write at QoS 0 or 1, and wait for all acknowledgements."""
        burst, expected = bytearray(), []
        for payload in payloads:
            packet_id = self._packet_id()
            expected.append(packet_id)
            burst += packets.publish(topic, payload, qos=qos, packet_id=packet_id)
        self.send(bytes(burst))
        if qos:
            assert [self.expect(packets.PUBACK).packet_id for _ in expected] == expected
        else:
            self.expect_nothing()

    def message(self, *, deadline: float = DEADLINE) -> Received:
        """Return the next message, without acknowledging it."""
        return self.expect(packets.PUBLISH, deadline=deadline).message

    def take(self, *, deadline: float = DEADLINE) -> Received:
        """Return the next message, and acknowledge it as its QoS wants it (4.3)."""
        message = self.message(deadline=deadline)
        if message.qos == 1:
            self.send(packets.acknowledge(packets.PUBACK, message.packet_id))
        elif message.qos == 2:
            self._complete(message.packet_id)
        return message

    def _complete(self, packet_id: int) -> None:
        """Do our part of QoS 2."""
        self.send(packets.acknowledge(packets.PUBREC, packet_id))
        assert self._answer(packets.PUBREL).packet_id == packet_id
        self.send(packets.acknowledge(packets.PUBCOMP, packet_id))

    def _answer(self, kind: int) -> Packet:
        """Return the next packet of a kind; messages that come before it are kept for later."""
        between = bytearray()
        while (found := self.next()).kind != kind:
            assert found.kind == packets.PUBLISH, found
            between += packets.packet(found.kind << 4 | found.flags, found.body)
        self._rest[:0] = between
        return found

    def disconnect(self) -> None:
        """Leave in order; the broker closes the connection (3.14.4)."""
        self.send(packets.GOODBYE)
        self.expect_closed()
        self.stream.close()

    def _packet_id(self) -> int:
        self._last_packet_id = self._last_packet_id % 65_535 + 1
        return self._last_packet_id
