"""What amqtt 0.12.1 needs from us, each piece with the defect it mends.

The version is pinned in pyproject.toml; tests/broker watches what is overridden here.
"""

import asyncio
import logging

from amqtt.adapters import ReaderAdapter
from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed


class OpenDoor(BaseAuthPlugin):
    """Let everyone in: the broker listens on loopback only.

    amqtt's own anonymous plugin marks its clients in a way that turns persistent sessions off
    (MQTT 3.1.1, 3.1.2.4), so clicks for a function that is restarting would be lost.
    """

    async def authenticate(self, *, session: Session) -> bool:  # noqa: ARG002 - the plugin's form
        """Say yes."""
        return True


class Router(Broker):
    """amqtt's broker, with one step of it put right."""

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """Deliver what came while the client was away, in order and with RETAIN 0.

        amqtt sends these with RETAIN 1, which says that they are old retained messages; they are
        live messages for an established subscription (MQTT-3.3.1-9). Receivers that rightly refuse
        retained clicks would lose them.
        """
        handler = self._get_handler(session)
        if handler is None:
            return
        deliveries = []
        while not session.retained_messages.empty():
            waiting = await session.retained_messages.get()
            deliveries.append(
                asyncio.ensure_future(
                    handler.mqtt_publish(waiting.topic, waiting.data, waiting.qos, retain=False)
                )
            )
        if deliveries:
            await asyncio.wait(deliveries)


class WebSocketReader(ReaderAdapter):
    """Read MQTT packets from a WebSocket's binary messages (MQTT 3.1.1, section 6).

    amqtt's own reader, when a client leaves in the middle of a packet, feeds the last message to
    itself until the packet's announced length is reached, up to 256 MB, and blocks everyone.
    """

    def __init__(self, websocket: ServerConnection) -> None:
        self._websocket = websocket
        self._buffer = bytearray()

    async def read(self, n: int = -1) -> bytes:
        """Return exactly `n` bytes; one message may hold several packets, or part of one.

        Raises:
            asyncio.IncompleteReadError: the client has gone, or sent text (MQTT-6.0.0-1).
        """
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


class NoVisitorsFilter(logging.Filter):
    """Drop amqtt's error lines about connections that close without a word, such as port checks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep all other lines."""
        return not record.getMessage().startswith("No data from")
