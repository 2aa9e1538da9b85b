"""The HTTP side's sockets and threads.

Its port is bound before anything else of the runtime starts; flask is imported, on a thread of its
own, when the first connection comes, since many runtimes are never asked anything.
"""

import contextlib
import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from functions.runtime.control import Control
from functions.runtime.http.deployment import Deployment
from iot_button.errors import IotButtonError, PortTakenError, StopTimeoutError
from iot_button.hosts import in_url
from iot_button.settings import FunctionsSettings

log = logging.getLogger(__name__)

MAX_REQUESTS: Final = 64
"""Requests answered at a time; `places` leaves some of them to those that never wait."""
MAX_CONNECTIONS: Final = 256
"""Connections open at a time, a thread each; for another, the longest idle one is closed."""
GRACE: Final = 1.0
"""Seconds in which a connection may come up with a request before it is closed for another's sake;
meanwhile that one waits in the backlog."""
BACKLOG: Final = 512
_ACCEPT_PAUSE: Final = 0.1


def listen(settings: FunctionsSettings) -> socket.socket:
    """Return a listening socket; connections wait in it until `HttpSide.start`.

    Raises:
        PortTakenError: when another process listens there.
        IotButtonError: when we cannot listen there for another reason.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    mend = "choose another port: --functions-port 0 picks a free one"
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(host, port, setting="functions.port", mend=mend) from error
        problem = f"the functions' HTTP side cannot listen on {host}, port {port}: {error.strerror}"
        raise IotButtonError(problem, mend=mend) from error
    listener.setblocking(False)
    return listener


class HttpSide:
    """Serves HTTP on a listening socket, from `start` to `stop`. Until then nothing is imported.

    The runtime's loop watches `fileno()`; when it is readable, it calls `start()`, which returns at
    once, and watches it no more.

    Args:
        listener: from `listen`; it is ours from now on.
        control: the runtime.
        deployment: what it is served as.
    """

    def __init__(self, listener: socket.socket, control: Control, deployment: Deployment) -> None:
        self._listener = listener
        self._control = control
        self._deployment = deployment
        self._stopping = threading.Event()
        self._wakeup = socket.socketpair()
        self._thread: threading.Thread | None = None
        self._slots = threading.Semaphore(MAX_REQUESTS)
        self._room = threading.Semaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        # Those without a whole request, and since when; who has waited longest comes first.
        self._idle: dict[threading.Thread, float] = {}
        self._given_up: threading.Thread | None = None
        self.url = _url(listener)

    def fileno(self) -> int:
        """Return the listening socket's descriptor, for a selector; -1 once stopped."""
        return self._listener.fileno()

    def start(self) -> None:
        """Begin to serve, on threads of our own. Once only."""
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Close the port, end idle connections and long polls, and wait for requests to end.

        Not for the runtime's own thread as long as requests wait for that thread.

        Raises:
            StopTimeoutError: a request still ran after `timeout` seconds; it is cut off.
        """
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._wakeup[1].close()
        if self._thread is not None:
            self._thread.join(timeout)
        self._listener.close()
        self._end_connections(only_idle=True)
        for thread in list(self._open):
            thread.join(max(0.0, deadline - time.monotonic()))
        still_open = bool(self._open)
        self._end_connections(only_idle=False)
        self._wakeup[0].close()
        if still_open:
            raise StopTimeoutError("an HTTP request", timeout)

    def _serve(self) -> None:
        try:
            app, connection = self._imported()
        except Exception:
            # Without this, clients would wait in the backlog for ever.
            log.exception("the HTTP side cannot start")
            self._listener.close()
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wakeup[0], selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if not self._stopping.is_set() and self._has_room():
                    self._accept(app, connection)

    def _has_room(self) -> bool:
        """Whether a connection can be had now; the place is taken then."""
        if self._room.acquire(blocking=False):
            return True
        with self._lock:
            if self._given_up not in self._open:  # else its place will be free in a moment
                self._give_up_longest_idle()
        return self._room.acquire(timeout=_ACCEPT_PAUSE)

    def _give_up_longest_idle(self) -> None:
        thread, since = next(iter(self._idle.items()), (None, 0.0))
        if thread is not None and time.monotonic() - since >= GRACE:
            del self._idle[thread]
            self._shut(self._open[thread])
            self._given_up = thread

    def _imported(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        # Here, not above: the runtime's start must not pay for flask.
        from functions.runtime.http.app import create_app
        from functions.runtime.http.connection import Connection

        app = create_app(self._control, deployment=self._deployment, stopping=self._stopping)
        return app, Connection

    def _accept(self, app: Callable[..., Any], connection: Callable[..., Any]) -> None:
        try:
            accepted, address = self._listener.accept()
        except OSError as error:
            self._room.release()
            if not isinstance(error, BlockingIOError):
                log.warning("cannot accept a connection: %s", error.strerror)
                self._stopping.wait(_ACCEPT_PAUSE)  # no descriptors left: some come back
            return
        thread = threading.Thread(
            target=self._converse, args=(app, connection, accepted, address), daemon=True
        )
        with self._lock:
            self._open[thread] = accepted
            self._idle[thread] = time.monotonic()
        thread.start()

    def _converse(
        self,
        app: Callable[..., Any],
        connection: Callable[..., Any],
        accepted: socket.socket,
        address: Any,
    ) -> None:
        try:
            with contextlib.suppress(OSError):  # the client went away, or is too slow
                connection(accepted, address, app=app, in_request=self._in_request)
        except Exception:
            log.exception("a connection failed")
        finally:
            with self._lock:
                del self._open[threading.current_thread()]
                self._idle.pop(threading.current_thread(), None)
                accepted.close()
            self._room.release()

    def _in_request(self, begins: bool) -> None:
        thread = threading.current_thread()
        if begins:
            self._begin(thread)
            return
        self._slots.release()
        with self._lock:
            self._idle[thread] = time.monotonic()
            if self._stopping.is_set():
                self._shut(self._open[thread])

    def _begin(self, thread: threading.Thread) -> None:
        with self._lock:
            is_closed = self._idle.pop(thread, None) is None
        # Nothing must be done for a request whose connection was closed as it came.
        if is_closed:
            raise ConnectionAbortedError("closed for another connection's sake")
        self._slots.acquire()
        if self._stopping.is_set():
            self._slots.release()
            raise ConnectionAbortedError("the server stops")

    def _end_connections(self, *, only_idle: bool) -> None:
        with self._lock:
            for thread, accepted in self._open.items():
                if thread in self._idle or not only_idle:
                    self._shut(accepted)

    @staticmethod
    def _shut(accepted: socket.socket) -> None:
        """End a conversation; its thread notices and closes the socket."""
        with contextlib.suppress(OSError):
            accepted.shutdown(socket.SHUT_RDWR)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{in_url(host)}:{port}"
