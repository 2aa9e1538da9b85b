"""The embedded broker: our gate and amqtt's router, on an event loop of its own.

asyncio stays inside this package.
"""

import asyncio
import contextlib
import importlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Self

from broker.door import Door
from broker.figures import Figures
from broker.gate.gate import Gate
from broker.gate.journal import Journal
from broker.gate.limits import Limits, limits_here
from broker.gate.turns import Turns
from broker.listeners import listen_to_streams, listen_to_websockets
from broker.listening import bind, port_of
from broker.upkeep import Certificates, look_after
from iot_button.errors import IotButtonError, StopTimeoutError

log = logging.getLogger(__name__)


class EmbeddedBroker:
    """A broker in this process, from `with` to the end of its block.

    Args:
        host: the address to listen on.
        port: for MQTT; 0 picks a free one, and the attribute then holds it.
        websocket_port: for MQTT over WebSocket; likewise.
        journal: the file that keeps sessions, their messages, and retained messages.
        door: lets clients in.
        tls_port, websocket_tls_port: likewise with TLS; None: not at all.
        certificates: for these two.
        websocket_origins: web origins whose pages may connect, beside loopback's own.
        hold: topic filters by client id: messages for these clients are held from the start on,
            as if they had been here and subscribed before. Without this, what comes before they
            are here for the first time would be acknowledged and lost.
        on_failure: called, on the broker's thread, when the broker ends without being told to.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        websocket_port: int,
        journal: Path,
        door: Door,
        tls_port: int | None = None,
        websocket_tls_port: int | None = None,
        certificates: Certificates | None = None,
        websocket_origins: Sequence[str] = (),
        hold: Mapping[str, str] = MappingProxyType({}),
        limits: Limits | None = None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host
        self.port = port
        self.websocket_port = websocket_port
        self.tls_port = tls_port
        self.websocket_tls_port = websocket_tls_port
        self.figures = Figures()
        self._journal = journal
        self._certificates = certificates
        self._origins = frozenset(websocket_origins)
        self._door = door
        self._hold = hold
        self._limits = limits or limits_here()
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        # What amqtt says of its tables, at each look into them, helps nobody: with -v, too.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        logging.getLogger("websockets").setLevel(logging.CRITICAL)
        self._bind()
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            if isinstance(self._failure, IotButtonError):
                raise self._failure
            raise IotButtonError(f"the broker did not start: {self._failure}") from self._failure
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self, timeout: float = 4.0) -> None:
        """Close the listeners and all connections, and the journal when all is written.

        Raises:
            StopTimeoutError: when the broker's thread still runs after `timeout` seconds.
        """
        if self._loop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop may end by itself in this moment
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise StopTimeoutError("the broker", timeout)

    def _bind(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        with contextlib.ExitStack() as undo:
            for name in ("port", "websocket_port", "tls_port", "websocket_tls_port"):
                number = getattr(self, name)
                if number is None:
                    continue
                bound = undo.enter_context(bind(self.host, number, setting=f"broker.{name}"))
                self._sockets[name] = bound
                setattr(self, name, port_of(bound))
            undo.pop_all()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                self._loop = runner.get_loop()
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started us
            self._failure = error
        finally:
            unexpected = self._started.is_set() and not self._stop.is_set()
            self._started.set()
        if unexpected:
            log.error("the broker ended by itself: %s", self._failure)
            self._on_failure()

    async def _serve(self) -> None:
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turns = Turns()
        journal = Journal(self._journal, on_failure=failed.set_exception, turns=turns)
        await journal.start()
        gate = Gate(
            journal=journal,
            door=self._door,
            figures=self.figures,
            limits=self._limits,
            turns=turns,
        )
        await gate.start(self._hold)
        async with AsyncExitStack() as listeners:
            for name, bound in self._sockets.items():
                await listeners.enter_async_context(await self._listen(gate, name, bound))
            self._started.set()
            care = asyncio.create_task(look_after(gate, self._certificates))
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait((care, stopped, failed), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            await gate.stop()
        if care.done():
            await care  # it never ends but by an error
        care.cancel()
        if failed.done():
            await failed
        failed.cancel()
        await journal.close()

    async def _listen(
        self, gate: Gate, name: str, bound: socket.socket
    ) -> AbstractAsyncContextManager[object]:
        certificates = self._certificates if "tls" in name else None
        if "websocket" in name:
            tls = certificates.websocket_context if certificates is not None else None
            return listen_to_websockets(gate, bound, tls=tls, origins=self._origins)
        if certificates is None:
            return await listen_to_streams(gate, bound)
        return await listen_to_streams(
            gate, bound, tls=certificates.context, is_revoked=certificates.is_revoked
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(
            "uvloop"
        ).new_event_loop
    except ImportError:
        return None
    return factory
