"""The ways that bytes come: TCP, TLS, and WebSocket. The rest of the gate does not know which."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol, cast

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from broker.tls import common_name

FIRST_PACKET_BYTES: Final = 72 * 1024
"""A CONNECT has five fields of up to 64 KiB each; a real one comes with one long will at most."""

MOST_BUFFERED: Final = 256 * 1024
"""Bytes written and not taken by the client's system: from here on it counts as slow."""

_MOST_TOGETHER: Final = 64 * 1024
"""Bytes that are sent together, at most, within one turn of the loop."""


class Talker(Protocol):
    """What speaks MQTT on a link."""

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        ...

    def lost(self) -> None:
        """Hear that the link is gone."""
        ...

    def writable(self) -> None:
        """Hear that a slow client reads again."""
        ...


class Link(Protocol):
    """One connection's bytes."""

    address: str
    certificate: str | None
    is_slow: bool

    @property
    def is_revoked(self) -> bool:
        """Whether its certificate is one that was taken back."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes, in the background."""
        ...

    def read_on(self, wanted: bool) -> None:
        """Read on, or leave what comes to the client's system until later."""
        ...

    def welcome(self, packet_bytes: int) -> None:
        """Take larger packets from here on: the client was let in."""
        ...

    def close(self) -> None:
        """Close when what was written has gone out, or soon."""
        ...

    def abort(self) -> None:
        """Close now."""
        ...


MakeTalker = Callable[[Link], Talker]
_LINGER: Final = 2.0
"""Seconds that a closing connection has to take its last bytes."""


class _Nobody:
    """Whom a link that is gone speaks with."""

    def feed(self, data: bytes) -> None:
        pass

    def lost(self) -> None:
        pass

    def writable(self) -> None:
        pass


class _Nowhere(asyncio.Transport):
    """Where a link that is gone leads."""

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        pass


_NOBODY: Final = _Nobody()
_NOWHERE: Final = _Nowhere()


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
        self._talker: Talker = self._make_talker(self)

    def data_received(self, data: bytes) -> None:
        """Hand on what was read."""
        self._talker.feed(data)

    def eof_received(self) -> bool:
        """Close: a client that sends no more is gone."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Say that it is gone."""
        self._talker.lost()
        self._talker, self._transport = _NOBODY, _NOWHERE
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
            self._lingering = later(_LINGER, self._transport.abort)

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()


class WebSocketLink:
    """MQTT in binary WebSocket messages (MQTT 3.1.1, section 6)."""

    def __init__(self, websocket: ServerConnection) -> None:
        self._websocket = websocket
        peer = websocket.remote_address
        self.address = str(peer[0]) if peer else ""
        self.certificate: str | None = None  # pages have none: they are not asked for one
        self.is_revoked = False
        self.is_slow = False
        self._outgoing = bytearray()
        self._is_closing = False
        self._writes = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()

    async def talk(self, make_talker: MakeTalker) -> None:
        """Carry messages to and fro until the connection ends."""
        self._talker: Talker = make_talker(self)
        writer = asyncio.create_task(self._write_all())
        try:
            await self._read_all()
        finally:
            self._talker.lost()
            self._is_closing = True
            self._writes.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._forget(), _LINGER)
            self.abort()
            writer.cancel()
            await self._forget()
            # The library's own circle of objects is left to the collector: with nothing in it.
            self._websocket.protocol.reader.discard()
            self._talker = _NOBODY

    async def _read_all(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._websocket:
                if isinstance(message, str):  # 6.0.0-1
                    break
                self._talker.feed(message)
                await self._reads.wait()
                if self._is_closing:
                    break

    async def _forget(self) -> None:
        """Take what still comes until the end: the library would keep it beyond."""
        with contextlib.suppress(ConnectionClosed):
            async for _ in self._websocket:
                pass

    async def _write_all(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._writes.wait()
                self._writes.clear()
                data, self._outgoing = bytes(self._outgoing), bytearray()
                if data:
                    await self._websocket.send(data)
                if self.is_slow:
                    self.is_slow = False
                    self._talker.writable()
                if self._is_closing and not self._outgoing:
                    break
        await self._websocket.close()

    def write(self, data: bytes) -> None:
        """Send bytes, in the background."""
        if self._is_closing:
            return
        self._outgoing += data
        self.is_slow = self.is_slow or len(self._outgoing) > MOST_BUFFERED
        self._writes.set()

    def read_on(self, wanted: bool) -> None:
        """Read on, or not."""
        if wanted:
            self._reads.set()
        else:
            self._reads.clear()

    def welcome(self, packet_bytes: int) -> None:
        """Take messages of that size from here on."""
        self._websocket.protocol.max_size = packet_bytes

    def close(self) -> None:
        """Close when what was written has gone out."""
        self._is_closing = True
        self._writes.set()
        self._reads.set()
        asyncio.get_running_loop().call_later(_LINGER, self.abort)

    def abort(self) -> None:
        """Close now."""
        self._is_closing = True
        self._reads.set()
        self._websocket.transport.abort()
