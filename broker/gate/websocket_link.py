"""MQTT in WebSocket messages."""

import asyncio
import contextlib
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from broker.gate.doorstep import Doorstep
from broker.gate.link import LINGER, MOST_BUFFERED, NOBODY, MakeTalker, Talker


class Page(ServerConnection):
    """A WebSocket that knows what came before it. Most are web pages; the word is shorter."""

    def __init__(self, doorstep: Doorstep, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.doorstep = doorstep

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that it is gone; it may never have been opened."""
        self.doorstep.lost()
        super().connection_lost(exc)


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
                await asyncio.wait_for(self._forget(), LINGER)
            self.abort()
            writer.cancel()
            await self._forget()
            # The library's own circle of objects is left to the collector: with nothing in it.
            self._websocket.protocol.reader.discard()
            self._talker = NOBODY

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
        asyncio.get_running_loop().call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Close now."""
        self._is_closing = True
        self._reads.set()
        self._websocket.transport.abort()
