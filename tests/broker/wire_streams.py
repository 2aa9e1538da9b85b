"""The two ways of a test's client to a broker: TCP and WebSocket."""

import socket
import struct
from typing import Protocol

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

from tests.support import DEADLINE


class Stream(Protocol):
    """Bytes to and fro."""

    def send(self, data: bytes) -> None:
        """Send all."""
        ...

    def receive(self, timeout: float) -> bytes:
        """Return some bytes; none when it is closed.

        Raises:
            TimeoutError: nothing came within `timeout` seconds.
        """
        ...

    def close(self) -> None:
        """Close in order."""
        ...

    def abort(self) -> None:
        """Close as a client that crashes does: without a word of MQTT."""
        ...


class TcpStream:
    """A TCP connection to a port of loopback. `receive_buffer`: bytes; None as the system does."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self.socket.settimeout(DEADLINE)
        self.socket.sendall(data)

    def receive(self, timeout: float) -> bytes:
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(65536)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self.socket.close()

    def abort(self) -> None:
        """Reset the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class WebSocketStream:
    """A WebSocket with the subprotocol `mqtt`; each send is one binary message."""

    def __init__(self, address: str) -> None:
        self.websocket = open_websocket(
            address,
            subprotocols=[Subprotocol("mqtt")],
            open_timeout=DEADLINE,
            close_timeout=1,
        )

    def send(self, data: bytes) -> None:
        self.websocket.send(data)

    def receive(self, timeout: float) -> bytes:
        try:
            message = self.websocket.recv(timeout=timeout)
        except ConnectionClosed:
            return b""
        assert isinstance(message, bytes)  # 6.0.0-1
        return message

    def close(self) -> None:
        self.websocket.close()

    def abort(self) -> None:
        self.websocket.socket.shutdown(socket.SHUT_RDWR)
        self.websocket.close()
