"""The socket that paho believes to have: it is shown only the packets that it is to handle.

What paho sends is gathered here with what we send ourselves, in order, and written by `flush`.
"""

import contextlib
import socket
import ssl
from typing import Any

_CHUNK = 65_536
_LAST_WORDS_TIMEOUT = 1.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # tcp(7), Linux alone
"""Set anew after each read, for it does not last. A broker with Nagle's algorithm on (mosquitto as
it comes, and most others) sends no second packet before the first is acknowledged, which the system
puts off for 40 ms: with one result on its way at a time, that was 22 clicks a second."""
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """A non-blocking socket between a broker and paho, with us in the middle."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._for_paho = bytearray()
        self._outgoing = bytearray()
        self._is_cut = False

    # What paho calls.

    def recv(self, size: int) -> bytes:
        """Give paho of what was put aside for it."""
        if not self._for_paho:
            if self._is_cut:
                return b""
            raise BlockingIOError
        data = bytes(self._for_paho[:size])
        del self._for_paho[:size]
        return data

    def send(self, data: bytes) -> int:
        """Take all that paho sends."""
        self._outgoing += data
        return len(data)

    def close(self) -> None:
        """Write what is left, a DISCONNECT above all, and close."""
        if not self._is_cut:
            with contextlib.suppress(OSError):
                self._socket.settimeout(_LAST_WORDS_TIMEOUT)
                self._socket.sendall(self._outgoing)
        self._socket.close()

    def abandon(self) -> None:
        """Close without a word."""
        self.cut()
        self._socket.close()

    def fileno(self) -> int:
        """Return the file number, -1 when closed."""
        return self._socket.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    # What we call.

    def cut(self) -> None:
        """Let paho find the connection ended."""
        self._is_cut = True

    def put_aside(self, packet: bytes) -> None:
        """Keep a packet for paho to read."""
        self._for_paho += packet

    def read(self) -> bytes | None:
        """Return what came; empty when the other side has ended, None when nothing is there.

        Raises:
            OSError: the connection is broken.
        """
        try:
            data = self._socket.recv(_CHUNK)
            # TLS holds back what it has decrypted; no selector would tell us of it.
            while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                data += self._socket.recv(_CHUNK)
            if data and _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except _NOT_NOW:
            return None
        return data

    def write(self, packet: bytes) -> None:
        """Send a packet with the next `flush`."""
        self._outgoing += packet

    def flush(self) -> bool:
        """Write as much as goes out now; return whether all went.

        Raises:
            OSError: the connection is broken.
        """
        while self._outgoing:
            try:
                sent = self._socket.send(self._outgoing)
            except _NOT_NOW:
                return False
            del self._outgoing[:sent]
        return True
