"""What amqtt 0.12.1 needs from us, each piece with the defect it mends.

The version is pinned in pyproject.toml; tests/broker watches what is overridden here.
"""

import asyncio
import logging

from amqtt.adapters import ReaderAdapter, StreamReaderAdapter
from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from broker.listening import MAX_PACKET_BYTES

_WINDOW = 50


class OpenDoor(BaseAuthPlugin):
    """Let everyone in: the broker listens on loopback only.

    amqtt's own anonymous plugin marks its clients in a way that turns persistent sessions off
    (MQTT 3.1.1, 3.1.2.4), so clicks for a function that is restarting would be lost.
    """

    async def authenticate(self, *, session: Session) -> bool:  # noqa: ARG002 - the plugin's form
        """Say yes."""
        return True


class Router(Broker):
    """amqtt's broker, with two steps of it put right."""

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """Deliver what came while the client was away, in order and with RETAIN 0.

        amqtt sends these with RETAIN 1, which says that they are old retained messages; they are
        live messages for an established subscription (MQTT-3.3.1-9). Receivers that rightly refuse
        retained clicks would lose them.

        Some at a time: amqtt gives up on a message that is not acknowledged within 5 s, which of a
        large backlog sent at once most would not be.
        """
        handler = self._get_handler(session)
        if handler is None:
            return
        while not session.retained_messages.empty():
            window = min(_WINDOW, session.retained_messages.qsize())
            waiting = [session.retained_messages.get_nowait() for _ in range(window)]
            await asyncio.wait(
                [
                    asyncio.ensure_future(
                        handler.mqtt_publish(message.topic, message.data, message.qos, retain=False)
                    )
                    for message in waiting
                ]
            )

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Deliver retained messages for a subscription of the client's own (MQTT-3.3.1-6).

        At a CONNECT amqtt comes here with the filters of everyone, and would send the client what
        it never asked for.
        """
        holders = self.subscriptions.get(subscription[0], [])
        if any(holder.client_id == session.client_id for holder, _qos in holders):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class StreamReader(StreamReaderAdapter):
    """Read MQTT packets from TCP, none of them above `MAX_PACKET_BYTES`: amqtt has no limit."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self._is_refused = False

    async def read(self, n: int = -1) -> bytes:
        """Return exactly `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the client has gone, or its packet is too large.
        """
        # For good: amqtt would go on in the middle of the packet.
        self._is_refused = self._is_refused or n > MAX_PACKET_BYTES
        if self._is_refused:
            raise asyncio.IncompleteReadError(b"", n)
        data: bytes = await super().read(n)
        return data


class WebSocketReader(ReaderAdapter):
    """Read MQTT packets from a WebSocket's binary messages (MQTT 3.1.1, section 6).

    amqtt's own reader, when a client leaves in the middle of a packet, feeds the last message to
    itself until the packet's announced length is reached, up to 256 MB, and blocks everyone.
    """

    def __init__(self, websocket: ServerConnection) -> None:
        self._websocket = websocket
        self._buffer = bytearray()
        self._is_refused = False

    async def read(self, n: int = -1) -> bytes:
        """Return exactly `n` bytes; one message may hold several packets, or part of one.

        Raises:
            asyncio.IncompleteReadError: the client has gone, sent text (MQTT-6.0.0-1), or its
                packet is too large.
        """
        self._is_refused = self._is_refused or n > MAX_PACKET_BYTES
        if self._is_refused:
            raise asyncio.IncompleteReadError(b"", n)
        while len(self._buffer) < max(n, 1):
            try:
                message = await self._websocket.recv()
            except ConnectionClosed:
                message = ""
            if isinstance(message, str):
                raise asyncio.IncompleteReadError(bytes(self._buffer), n)
            self._buffer += message
        wanted = len(self._buffer) if n < 0 else n
        taken = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return taken

    def feed_eof(self) -> None:
        """Do nothing: the end of a WebSocket shows itself in `read`."""


class BriefFilter(logging.Filter):
    """Make amqtt's log fit to read: no port checks, no trace for each message of an overload."""

    def __init__(self) -> None:
        super().__init__()
        self._given_up = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a line, shorten it, or drop it."""
        text = record.getMessage()
        if text.startswith("No data from"):  # a connection that closed without a word
            return False
        if not text.startswith("Task failed"):
            return True
        self._given_up += 1
        record.msg, record.args, record.exc_info = (
            "gave up on %d messages that a subscriber has not acknowledged within 5 s",
            (self._given_up,),
            None,
        )
        return self._given_up in (1, 10, 100) or self._given_up % 1000 == 0
