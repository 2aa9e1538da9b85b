"""The broker's ports: MQTT on TCP, TLS and WebSocket, each connection counted from its begin."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from broker.gate.doorstep import Doorstep
from broker.gate.gate import Gate
from broker.gate.link import FIRST_PACKET_BYTES
from broker.gate.stream_link import StreamLink
from broker.gate.websocket_link import Page, WebSocketLink
from iot_button.settings import is_loopback

log = logging.getLogger(__name__)

_BACKLOG = 1024
"""Connections that wait to be accepted: thousands of devices come at once after a power cut."""
_MOST_MESSAGES = 4
"""WebSocket messages that the library reads ahead, of the largest size each."""


async def listen_to_streams(
    gate: Gate,
    bound: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
    is_revoked: Callable[[bytes], bool] = lambda _: False,
) -> AbstractAsyncContextManager[object]:
    """Take connections with MQTT itself, or with TLS around it.

    Args:
        gate: speaks with them.
        bound: the socket.
        tls: None: without.
        is_revoked: whether a certificate, in DER, was taken back.
    """

    def make() -> asyncio.Protocol:
        if tls is None:
            return StreamLink(gate.talker)
        doorstep = Doorstep(gate.arrivals, timeout=gate.limits.connect_timeout, tls=tls)
        doorstep.following = StreamLink(partial(gate.talker, doorstep=doorstep), is_revoked)
        return doorstep

    loop = asyncio.get_running_loop()
    return await loop.create_server(make, sock=bound, backlog=_BACKLOG)


def listen_to_websockets(
    gate: Gate,
    bound: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
    origins: Collection[str] = (),
) -> AbstractAsyncContextManager[object]:
    """Take connections with MQTT in WebSocket messages.

    Args:
        gate: speaks with them.
        bound: the socket.
        tls: None: without.
        origins: of web pages that may connect, beside loopback's own.
    """

    def make(*arguments: Any, **options: Any) -> Doorstep:
        doorstep = Doorstep(gate.arrivals, timeout=gate.limits.connect_timeout, tls=tls)
        doorstep.following = Page(doorstep, *arguments, **options)
        return doorstep

    async def talk(websocket: ServerConnection) -> None:
        doorstep = cast(Page, websocket).doorstep
        await WebSocketLink(websocket).talk(partial(gate.talker, doorstep=doorstep))

    return serve(
        talk,
        sock=bound,
        subprotocols=[Subprotocol("mqtt")],
        process_request=partial(_check_origin, origins),
        compression=None,
        max_size=FIRST_PACKET_BYTES,  # more for who is let in
        max_queue=_MOST_MESSAGES,
        backlog=_BACKLOG,
        create_connection=cast(Any, make),  # the library makes them with it, and asks no more
    )


def _check_origin(
    allowed: Collection[str], connection: ServerConnection, request: Request
) -> Response | None:
    """Refuse web pages of other sites: a browser lets any page connect to loopback."""
    origin = request.headers.get("Origin")
    if origin is None or origin in allowed or is_loopback(_host_of(origin)):
        return None
    log.warning("refused a WebSocket from a page of %r (broker.websocket_origins)", origin[:80])
    return connection.respond(HTTPStatus.FORBIDDEN, "pages of this origin may not connect\n")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""
