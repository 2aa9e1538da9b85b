"""A connection before MQTT can be spoken on it: during its TLS handshake, and a WebSocket's own.

It is a newcomer as any other: whoever connects and says nothing holds a place, and with TLS some
60 KB.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, Final, cast

from broker.gate.arrivals import Arrival, Arrivals
from broker.gate.link import NOWHERE

_NOTHING: Final = asyncio.Protocol()


class Doorstep(asyncio.Protocol):
    """One connection, counted until it is `taken_over`, or `lost`.

    Args:
        arrivals: where it counts.
        timeout: seconds from its begin to its CONNECT, what follows the doorstep among them.
        tls: shakes hands first; None: nobody does.
    """

    def __init__(
        self, arrivals: Arrivals, *, timeout: float, tls: ssl.SSLContext | None = None
    ) -> None:
        self.following = _NOTHING
        """What speaks on the connection next, and says that it has taken over, or is gone."""
        self._arrivals = arrivals
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self.deadline = self._loop.time() + timeout
        self._transport: asyncio.Transport = NOWHERE
        self._handshake: Coroutine[Any, Any, asyncio.Transport | None]
        self._early: list[bytes] = []
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is none
        self._timer = self._loop.call_at(self.deadline, self.end, "connect timeout")
        self._arrivals.came(self)
        if self._is_over:  # there were too many
            return
        if self._tls is None:
            self._go_on(self._transport)
            return
        self._handshake = self._loop.start_tls(self._transport, self, self._tls, server_side=True)
        # Run by hand up to where it waits: as a task it would begin later, and until then uvloop
        # hands us the client's first bytes, whether reading is paused or not.
        self._handshake.send(None).add_done_callback(self._on_handshake)

    def _on_handshake(self, _done: "asyncio.Future[object]") -> None:
        transport = None
        try:
            self._handshake.send(None)
        except StopIteration as end:
            transport = end.value
        except (OSError, asyncio.CancelledError) as error:  # an SSLError is an OSError
            # It, the place where it was raised, and what waited there are a circle of objects.
            error.__traceback__ = None
        del self._handshake
        if transport is None or transport.is_closing() or self._is_over:
            self._transport.abort()
            self.lost()
        else:
            self._go_on(transport)

    def _go_on(self, transport: asyncio.Transport) -> None:
        following, early = self.following, self._early
        transport.set_protocol(following)
        following.connection_made(transport)
        for data in early:
            following.data_received(data)
        early.clear()

    def data_received(self, data: bytes) -> None:
        """Keep what came together with the end of the handshake."""
        self._early.append(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Say that it is gone."""
        self.lost()

    def taken_over(self, by: Arrival) -> None:
        """Hear that MQTT can be spoken from here on: by the same connection, still a newcomer."""
        self._finish()
        self._arrivals.becomes(self, by)

    def lost(self) -> None:
        """Hear that the connection is gone."""
        self._finish()
        self._arrivals.left(self)

    def end(self, reason: str) -> None:
        """Close the connection: something was wrong."""
        self._arrivals.figures.refused[reason] += 1
        self.dismiss()

    def dismiss(self) -> None:
        """Close the connection."""
        self._transport.abort()
        self.lost()

    def _finish(self) -> None:
        self._is_over = True
        self._timer.cancel()
        self._transport = NOWHERE
        self.following = _NOTHING
