"""A broker that does exactly what a test says: packet by packet, and as badly as one can."""

import queue
import socket
import threading
from types import TracebackType
from typing import Self

from iot_button.packets import frame_at
from iot_button.settings import BrokerAddress
from tests.support import DEADLINE

CONNECT, CONNACK, PUBLISH, SUBSCRIBE = 0x10, 0x20, 0x30, 0x80
PUBACK, PUBREC, PUBREL, PUBCOMP = 0x40, 0x50, 0x60, 0x70


class FakeBroker:
    """Accepts one connection after the other; the test takes each with `accept`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE)
        self.address = BrokerAddress(host="127.0.0.1", port=self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def accept(self, *, is_5: bool = False) -> "Peer":
        """Take the next connection, before its CONNECT."""
        connection, _ = self._listener.accept()
        return Peer(connection, is_5=is_5)

    def accept_ready(self, *, session_present: bool = False) -> "Peer":
        """Take the next connection, and answer CONNECT and SUBSCRIBE."""
        peer = self.accept()
        peer.expect(CONNECT)
        peer.send(bytes([CONNACK, 2, session_present, 0]))
        return peer

    def accept_5(self, properties: bytes = b"", *, session_present: bool = False) -> "Peer":
        """Take the next connection, as a broker of MQTT 5; `properties` are CONNACK's."""
        peer = self.accept(is_5=True)
        peer.expect(CONNECT)
        length = len(properties)
        peer.send(bytes([CONNACK, 3 + length, session_present, 0, length]) + properties)
        return peer


class Peer:
    """One client's connection, seen from the broker. Its packets are read on a thread."""

    def __init__(self, connection: socket.socket, *, is_5: bool = False) -> None:
        self._connection = connection
        self._is_5 = is_5
        self._packets: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.cut()

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def next(self) -> tuple[int, bytes]:
        """Return the next packet that is no SUBSCRIBE and no PINGREQ: first byte, and the rest."""
        while True:
            header, body = self._packets.get(timeout=DEADLINE)
            if header & 0xF0 == SUBSCRIBE:
                self._subscribed(body)
            elif header & 0xF0 == 0xC0:
                self.send(b"\xd0\x00")
            else:
                return header, body

    def expect(self, kind: int) -> tuple[int, bytes]:
        """Return the next packet, which must be of this kind."""
        header, body = self.next()
        assert header & 0xF0 == kind, (hex(header), body[:100])
        return header, body

    def expect_ping(self) -> None:
        """Wait for a PINGREQ, before any other packet, and answer it."""
        header, body = self._packets.get(timeout=DEADLINE)
        assert header == 0xC0, (hex(header), body[:100])
        self.send(b"\xd0\x00")

    def pump(self) -> None:
        """Answer what has to be answered before the client is ready."""
        header, body = self._packets.get(timeout=DEADLINE)
        while header & 0xF0 != SUBSCRIBE:
            header, body = self._packets.get(timeout=DEADLINE)
        self._subscribed(body)

    def _subscribed(self, body: bytes) -> None:
        no_properties = b"\0" if self._is_5 else b""
        self.send(b"\x90%c%b%b\x01" % (3 + self._is_5, body[:2], no_properties))

    def subscribe(self, *codes: int) -> list[str]:
        """Answer the next packet, a SUBSCRIBE, with these codes, if any; return its filters."""
        header, body = self._packets.get(timeout=DEADLINE)
        assert header & 0xF0 == SUBSCRIBE, hex(header)
        if codes:
            self.send(bytes([0x90, 2 + len(codes)]) + body[:2] + bytes(codes))
        filters, start = [], 2
        while start < len(body):
            end = start + 2 + int.from_bytes(body[start : start + 2])
            filters.append(body[start + 2 : end].decode())
            start = end + 1  # behind it stands its QoS
        return filters

    def cut(self) -> None:
        """End the connection."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._thread.join(DEADLINE)
            self._connection.close()

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                data = self._connection.recv(65_536)
            except OSError:
                return
            if not data:
                return
            rest += data
            while len(rest) >= 2 and (body := frame_at(rest, 0)) is not None:
                start, stop = body
                if stop > len(rest):
                    break
                self._packets.put((rest[0], rest[start:stop]))
                rest = rest[stop:]
