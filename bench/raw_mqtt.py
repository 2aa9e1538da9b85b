"""A small MQTT 3.1.1 client on a blocking socket, for benchmarks and tests.

It does what it is told and nothing by itself: no thread, no keep-alive, no acknowledgement that was
not asked for. So a test can leave a message unacknowledged, or stop reading; and a benchmark spends
2 to 4 µs a message, most of them in the system (measured on loopback, 64-byte messages).
"""

import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from typing import Self

from bench.raw_packets import (
    Message,
    connect_packet,
    decode_publish,
    subscribe_packet,
    unsubscribe_packet,
)
from iot_button.packets import (
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    acknowledgement,
    frame_at,
    publish,
)

CONNACK = 0x20
SUBACK = 0x90
UNSUBACK = 0xB0
PINGRESP = 0xD0
_GOODBYE = b"\xe0\x00"
_PING = b"\xc0\x00"
_READ = 1 << 18

Packet = tuple[int, bytes]
"""A packet's first byte, and its body."""


class ClosedError(ConnectionError):
    """The broker has closed the connection."""


class RawClient:
    """One connection to a port of loopback, from its making to `close`.

    Args:
        port: of a broker.
        timeout: seconds that any one wait may take; then it is a TimeoutError.
        receive_buffer: bytes that the system takes for a client that does not read; None: as it
            comes (some MB on Linux).
    """

    def __init__(
        self, port: int, *, timeout: float = 15.0, receive_buffer: int | None = None
    ) -> None:
        self.timeout = timeout
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self._rest = bytearray()
        self._packets: deque[Packet] = deque()
        self._packet_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the socket's number, for `select`."""
        return self.socket.fileno()

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        self.socket.sendall(data)

    def read(self) -> list[Packet]:
        """Wait for bytes, and return the packets that are whole by then; there may be none.

        Raises:
            ClosedError: the broker has closed the connection.
            TimeoutError: nothing came in time.
        """
        try:
            data = self.socket.recv(_READ)
        except ConnectionError as error:
            raise ClosedError(str(error)) from error
        if not data:
            raise ClosedError("the broker has closed the connection")
        self._rest += data
        return self._cut()

    def _cut(self) -> list[Packet]:
        data, position, found = bytes(self._rest), 0, []
        while (bounds := frame_at(data, position)) is not None and bounds[1] <= len(data):
            found.append((data[position], data[bounds[0] : bounds[1]]))
            position = bounds[1]
        del self._rest[:position]
        return found

    def next(self) -> Packet:
        """Return the next packet."""
        deadline = time.monotonic() + self.timeout
        while not self._packets:
            if time.monotonic() > deadline:
                raise TimeoutError("no packet became whole")
            self._packets += self.read()
        return self._packets.popleft()

    def expect(self, kind: int) -> bytes:
        """Return the body of the next packet of a kind; messages that come before it are kept."""
        before = deque[Packet]()
        while (found := self.next())[0] & 0xF0 != kind & 0xF0:
            if found[0] & 0xF0 != PUBLISH:
                raise AssertionError(f"{kind:#x} expected, {found} came")
            before.append(found)
        self._packets.extendleft(reversed(before))
        return found[1]

    def connect(
        self,
        client_id: str = "",
        *,
        clean: bool = True,
        keep_alive: int = 0,
        account: tuple[str, str] | None = None,
    ) -> bool:
        """Connect; return whether the broker had a session (3.2.2.2)."""
        self.send(connect_packet(client_id, clean=clean, keep_alive=keep_alive, account=account))
        body = self.expect(CONNACK)
        if body[1]:
            raise ClosedError(f"refused with return code {body[1]}")
        return bool(body[0])

    def subscribe(self, *filters: str, qos: int = 1) -> bytes:
        """Subscribe, wait for the SUBACK, and return what was granted."""
        self.send(subscribe_packet(self.new_id(), filters, qos))
        return self.expect(SUBACK)[2:]

    def unsubscribe(self, *filters: str) -> None:
        """Unsubscribe, and wait for the UNSUBACK."""
        self.send(unsubscribe_packet(self.new_id(), filters))
        self.expect(UNSUBACK)

    def new_id(self) -> int:
        """Return the next packet id."""
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish, and wait until the broker has acknowledged all of it (QoS 0: has read it)."""
        packet_id = self.new_id()
        name = topic.encode()
        self.send(publish(name, payload, qos=qos, packet_id=packet_id, retain=retain))
        if qos == 0:
            self.ping()
        elif qos == 1:
            self.expect(PUBACK)
        else:
            self.expect(PUBREC)
            self.release(packet_id)

    def release(self, packet_id: int) -> None:
        """Send a PUBREL, and wait for the PUBCOMP."""
        self.send(acknowledgement(PUBREL, packet_id))
        self.expect(PUBCOMP)

    def publish_all(self, topic: str, payloads: Iterable[bytes], *, window: int = 100) -> None:
        """Publish at QoS 1, with that many unacknowledged at a time."""
        name, under_way = topic.encode(), 0
        for payload in payloads:
            if under_way >= window:
                self.expect(PUBACK)
                under_way -= 1
            self.send(publish(name, payload, qos=1, packet_id=self.new_id()))
            under_way += 1
        for _ in range(under_way):
            self.expect(PUBACK)

    def message(self) -> Message:
        """Return the next message, without an acknowledgement."""
        first, body = self.next()
        if first & 0xF0 != PUBLISH:
            raise AssertionError(f"a message expected, {first:#x} came")
        return decode_publish(first, body)

    def take(self) -> Message:
        """Return the next message, and acknowledge it as its QoS wants it (4.3)."""
        message = self.message()
        if message.qos == 1:
            self.send(acknowledgement(PUBACK, message.packet_id))
        elif message.qos == 2:
            self.send(acknowledgement(PUBREC, message.packet_id))
            self.expect(PUBREL)
            self.send(acknowledgement(PUBCOMP, message.packet_id))
        return message

    def ping(self) -> None:
        """Wait until the broker has read all that was sent; messages that came are kept."""
        self.send(_PING)
        self.expect(PINGRESP)

    def kept(self) -> list[Message]:
        """Return the messages that have come before the answer to a ping."""
        self.ping()
        found = [decode_publish(*one) for one in self._packets]
        self._packets.clear()
        return found

    def leave(self) -> None:
        """Disconnect in order, and wait until the broker has closed (3.14.4)."""
        self.send(_GOODBYE)
        try:
            while True:
                self.read()
        except ClosedError:
            self.close()

    def abort(self) -> None:
        """Reset the connection, as when its machine goes down."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the socket, without a word of MQTT."""
        self.socket.close()
