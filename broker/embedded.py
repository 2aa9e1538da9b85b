"""The embedded broker: amqtt on an event loop of its own, behind listeners of ours.

amqtt offers external listeners; with them the sockets are ours, so that port 0 tells its number and
a WebSocket's Origin is checked before a byte of MQTT is read. asyncio stays inside this package.
"""

import asyncio
import contextlib
import functools
import importlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Self
from urllib.parse import urlsplit

from amqtt.adapters import StreamWriterAdapter, WebSocketsWriter
from amqtt.broker import BrokerContext
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.mqtt.constants import QOS_1
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from broker.amqtt_fixes import BriefFilter, OpenDoor, Router, StreamReader, WebSocketReader
from broker.listening import MAX_PACKET_BYTES, bind, port_of
from iot_button.errors import IotButtonError, StopTimeoutError
from iot_button.settings import is_loopback

log = logging.getLogger(__name__)

_LISTENER = "default"


class EmbeddedBroker:
    """A broker in this process, from `with` to the end of its block.

    Args:
        host: the loopback address to listen on.
        port: for MQTT; 0 picks a free one, and the attribute then holds it.
        websocket_port: for MQTT over WebSocket; likewise.
        websocket_origins: web origins whose pages may connect, beside loopback's own.
        hold: topic filters by client id: messages for these clients are held from the start on,
            as if they had been here and subscribed before. This broker forgets all at its end;
            without this, what comes before its clients are back would be acknowledged and lost.
        on_failure: called, on the broker's thread, when the broker ends without being told to.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        websocket_port: int,
        websocket_origins: Sequence[str] = (),
        hold: Mapping[str, str] = MappingProxyType({}),
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host
        self.port = port
        self.websocket_port = websocket_port
        self._origins = frozenset(websocket_origins)
        self._hold = hold
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        logging.getLogger("amqtt.broker").addFilter(BriefFilter())
        if not log.isEnabledFor(logging.DEBUG):
            logging.getLogger("amqtt").setLevel(logging.ERROR)
            logging.getLogger("websockets").setLevel(logging.CRITICAL)
        self._sockets = (
            bind(self.host, self.port, setting="broker.port"),
            bind(self.host, self.websocket_port, setting="broker.websocket_port"),
        )
        self.port, self.websocket_port = map(port_of, self._sockets)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise IotButtonError(f"the broker did not start: {self._failure}") from self._failure
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self, timeout: float = 3.0) -> None:
        """Close the listeners and all connections.

        Raises:
            StopTimeoutError: when the broker's thread still runs after `timeout` seconds.
        """
        if self._loop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop may end by itself in this moment
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise StopTimeoutError("the broker", timeout)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                self._loop = runner.get_loop()
                runner.run(self._serve(*self._sockets))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started us
            self._failure = error
        finally:
            unexpected = self._started.is_set() and not self._stop.is_set()
            self._started.set()
        if unexpected:
            log.error("the broker ended by itself: %r", self._failure)
            self._on_failure()

    async def _serve(self, mqtt: socket.socket, websocket: socket.socket) -> None:
        router = Router(_configuration())
        await router.start()
        for client_id, topic_filter in self._hold.items():
            await BrokerContext(router).add_subscription(client_id, topic_filter, QOS_1)
        async with (
            await asyncio.start_server(functools.partial(self._on_stream, router), sock=mqtt),
            serve(
                functools.partial(_on_websocket, router),
                sock=websocket,
                subprotocols=[Subprotocol("mqtt")],
                process_request=self._check_origin,
                compression=None,
                max_size=MAX_PACKET_BYTES,
            ),
        ):
            self._started.set()
            await self._stop.wait()
            await self._shut_down(router)

    async def _shut_down(self, router: Router) -> None:
        # From Python 3.12 on amqtt's own shutdown waits for ever on a client that stopped reading.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(router.shutdown(), timeout=1.0)
        for writer in self._writers:
            writer.transport.abort()

    async def _on_stream(
        self, router: Router, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            await router.external_connected(
                StreamReader(reader), StreamWriterAdapter(writer), _LISTENER
            )
        except Exception:
            log.debug("a connection ended in an error", exc_info=True)
        finally:
            self._writers.discard(writer)
            writer.close()

    def _check_origin(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse web pages of other sites: a browser lets any page connect to loopback."""
        origin = request.headers.get("Origin")
        if origin is None or origin in self._origins or is_loopback(_host_of(origin)):
            return None
        log.warning("refused a WebSocket from a page of %r (broker.websocket_origins)", origin[:80])
        return connection.respond(HTTPStatus.FORBIDDEN, "pages of this origin may not connect\n")


async def _on_websocket(router: Router, websocket: ServerConnection) -> None:
    try:
        await router.external_connected(
            WebSocketReader(websocket), WebSocketsWriter(websocket), _LISTENER
        )
    except Exception:
        log.debug("a WebSocket connection ended in an error", exc_info=True)


def _configuration() -> BrokerConfig:
    # One authentication plugin and nothing else is amqtt's fastest form: 4.3 k messages/s at
    # QoS 1 against 2.5 k with its default plugins (measured, Python 3.11, loopback).
    plugin = f"{OpenDoor.__module__}.{OpenDoor.__name__}"
    listener = ListenerConfig(type=ListenerType.EXTERNAL, bind="external")
    return BrokerConfig(listeners={_LISTENER: listener}, plugins={plugin: {}})


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(
            "uvloop"
        ).new_event_loop
    except ImportError:
        return None
    return factory


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""
