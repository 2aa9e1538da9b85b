"""MQTT on TCP or TLS."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from broker.gate.link import LINGER, MOST_BUFFERED, NOBODY, NOWHERE, MakeTalker, Talker
from broker.tls import common_name

_MOST_TOGETHER: Final = 64 * 1024
"""Bytes that are sent together, at most, within one turn of the loop."""


class StreamLink(asyncio.Protocol):
    """TCP or TLS.

    What is gone lets go of the others at once: as a circle of objects only the collector would find
    them, and for many that go together it keeps everyone else waiting.
    """

    def __init__(
        self, make_talker: MakeTalker, is_revoked: Callable[[bytes], bool] = lambda _: False
    ) -> None:
        self.address = ""
        self.certificate: str | None = None
        self.is_slow = False
        self._make_talker = make_talker
        self._outgoing: list[bytes] = []
        self._outgoing_size = 0
        self._is_revoked = is_revoked
        self._der: bytes | None = None
        self._lingering: asyncio.TimerHandle | None = None

    @property
    def is_revoked(self) -> bool:
        """Whether its certificate was taken back: in a resumed session TLS does not look."""
        return self._der is not None and self._is_revoked(self._der)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's own is none
        transport.set_write_buffer_limits(high=MOST_BUFFERED)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.certificate = common_name(tls.getpeercert())
            self._der = tls.getpeercert(binary_form=True)
        make_talker = self._make_talker
        del self._make_talker  # it may know what came before us
        self._talker: Talker = make_talker(self)

    def data_received(self, data: bytes) -> None:
        """Hand on what was read."""
        self._talker.feed(data)

    def eof_received(self) -> bool:
        """Close: a client that sends no more is gone."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Say that it is gone."""
        self._talker.lost()
        self._talker, self._transport = NOBODY, NOWHERE
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def pause_writing(self) -> None:
        """Hear that the client does not read fast enough."""
        self.is_slow = True

    def resume_writing(self) -> None:
        """Hear that it reads again."""
        self.is_slow = False
        self._talker.writable()

    def write(self, data: bytes) -> None:
        """Send bytes, in the background."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(data)
        self._outgoing_size += len(data)
        if self._outgoing_size > _MOST_TOGETHER:  # so that a slow client is seen to be slow
            self._flush()

    def _flush(self) -> None:
        """Send what one turn of the loop has written, in one system call."""
        if self._outgoing:
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            self._outgoing_size = 0
            if not self._transport.is_closing():
                self._transport.write(data)

    def read_on(self, wanted: bool) -> None:
        """Read on, or leave what comes to the client's system until later."""
        if self._transport.is_closing():
            return
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def welcome(self, packet_bytes: int) -> None:
        """Do nothing: of a stream no more is held than was read at once."""

    def close(self) -> None:
        """Close when what was written has gone out, or soon."""
        self._flush()
        if not self._transport.is_closing():
            self._transport.close()
            later = asyncio.get_running_loop().call_later
            self._lingering = later(LINGER, self._transport.abort)

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()
