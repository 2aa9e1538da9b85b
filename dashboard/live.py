"""The live feed: one record of what came, and every browser that watches it."""

import logging
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import msgspec
from flask import Blueprint, request
from flask_sock import Sock

from dashboard.client import Client
from dashboard.frames import CloseCode, text_frame
from dashboard.gate import Gate
from dashboard.history import ClickRate, History, Recorded

log = logging.getLogger(__name__)

SNAPSHOT_ROWS = 300
MAX_CLIENTS = 2000
MAX_QUEUED = 2000
STOP_TIMEOUT = 0.7
"""Seconds that all browsers together have to leave when the dashboard stops."""

SOCK_SERVER_OPTIONS: Final[dict[str, Any]] = {
    # Half-open connections (a laptop that fell asleep) are found by pings, seconds apart.
    "ping_interval": 25,
    # A browser has nothing to say here.
    "max_message_size": 1024,
    # The default would take a second descriptor for each browser.
    "selector_class": selectors.PollSelector,
}

_SOCKETS: Final = ("werkzeug.socket", "gunicorn.socket")
"""Where a web server puts a request's connection."""

_encode = msgspec.json.Encoder().encode


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is now, beside the clicks: the broker's connection, and the numbers on the page."""

    broker_connected: bool
    buttons: int
    clicks_per_minute: int


class Hub:
    """Remembers the latest clicks and tells every browser, until the end of its `with` block.

    One lock stands around the record and the list of browsers: whoever joins gets a snapshot and
    then each later event, none missed and none twice. Nothing waits for a browser under it.

    Args:
        history: what is remembered. From here on it belongs to the hub.
        epoch: names what the ids of clicks belong to; a browser comes back with it.
        buttons: tells how many buttons are known.
        clock: seconds that never go back.
        max_clients: browsers at a time; one more is told to try again later.
        max_queued: frames that may wait for one browser before it is dropped as a slow consumer.
    """

    def __init__(
        self,
        history: History,
        *,
        epoch: str,
        buttons: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        max_clients: int = MAX_CLIENTS,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        self.epoch = epoch
        self.max_queued = max_queued
        self.dropped = 0
        self.told = 0
        self._history = history
        self._buttons = buttons
        self._clock = clock
        self._max_clients = max_clients
        self._rate = ClickRate()
        self._broker_connected = False
        self._clients: set[Client] = set()
        self._lock = threading.Lock()
        self._someone_left = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._sent_status: Status | None = None
        self._ticker = threading.Thread(target=self._tick, name="statistics", daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Let every browser leave (1001), and cut those that have not within `STOP_TIMEOUT`."""
        self._stopping.set()
        with self._lock:
            for client in self._clients:
                client.tell_to_leave(CloseCode.GOING_AWAY, "the dashboard stops")
            self._someone_left.wait_for(lambda: not self._clients, STOP_TIMEOUT)
            for client in self._clients:
                client.drop()
        self._ticker.join()

    @property
    def clients(self) -> int:
        """How many browsers watch."""
        return len(self._clients)

    @property
    def last_id(self) -> int:
        """The id of the newest click."""
        return self._history.last_id

    def tell(self, rows: Sequence[Recorded]) -> None:
        """Remember clicks that are on the disk, and tell every browser: one write for all."""
        with self._lock:
            self.told += len(rows)
            for row in rows:
                self._history.add(row)
                self._rate.add(self._clock())
            self._tell_all(b"".join(map(_frame, rows)))

    def forget(self, serial_number: str) -> None:
        """Forget a button that was deleted, and have every browser forget it."""
        with self._lock:
            self._history.forget(serial_number)
            message = {"type": "forgotten", "serialNumber": serial_number}
            self._tell_all(text_frame(_encode(message)))

    def broker_changed(self, connected: bool) -> None:
        """Tell every browser that the broker was found or lost."""
        with self._lock:
            self._broker_connected = connected
            self._tell_status()

    def join(self, client: Client, *, epoch: str = "", after: int = -1) -> bool:
        """Let a browser in: first what it has not seen, then each event. False: no room.

        Args:
            client: the browser.
            epoch: of the store from which it has rows; of any other, it starts anew.
            after: id of the newest row that it has.
        """
        with self._lock:
            if len(self._clients) >= self._max_clients or self._stopping.is_set():
                self._refuse(client)
                return False
            newer = self._history.after(after) if epoch == self.epoch else None
            rows = self._history.latest(SNAPSHOT_ROWS) if newer is None else newer
            client.offer(self._snapshot(rows, resumed=newer is not None))
            self._clients.add(client)
        return True

    def leave(self, client: Client) -> None:
        """Forget a browser."""
        with self._lock:
            self._clients.discard(client)
            self._someone_left.notify_all()

    def _refuse(self, client: Client) -> None:
        if self._stopping.is_set():
            client.tell_to_leave(CloseCode.GOING_AWAY, "the dashboard stops")
        else:
            reason = f"{self._max_clients} browsers watch already"
            client.tell_to_leave(CloseCode.TRY_AGAIN_LATER, reason)

    def _snapshot(self, rows: list[Recorded], *, resumed: bool) -> bytes:
        snapshot = {
            "type": "snapshot",
            "epoch": self.epoch,
            "resumed": resumed,
            "clicks": [msgspec.Raw(row.json) for row in rows],
            "status": self._status(),
        }
        return text_frame(_encode(snapshot))

    def _status(self) -> Status:
        return Status(
            broker_connected=self._broker_connected,
            buttons=self._buttons(),
            clicks_per_minute=self._rate.per_minute(self._clock()),
        )

    def _tick(self) -> None:
        while not self._stopping.wait(1.0):
            with self._lock:
                self._tell_status()

    def _tell_status(self) -> None:
        status = self._status()
        if status != self._sent_status:
            self._sent_status = status
            self._tell_all(text_frame(_encode({"type": "status", "status": status})))

    def _tell_all(self, frame: bytes) -> None:
        slow = [client for client in self._clients if not client.offer(frame)]
        for client in slow:
            self._clients.discard(client)
            self.dropped += 1
            client.drop()
            log.warning("dropped a browser that did not read for %d events", self.max_queued)


def _frame(row: Recorded) -> bytes:
    return text_frame(b'{"type":"click","click":' + row.json + b"}")


def create_blueprint(hub: Hub, gate: Gate) -> Blueprint:
    """Return the `/ws` that browsers connect to; `?epoch=E&after=ID` resumes."""
    blueprint = Blueprint("live", __name__)

    def prepare() -> None:
        # permessage-deflate would compress the same event for each browser anew.
        request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        key = next(key for key in _SOCKETS if key in request.environ)
        request.environ[key] = Client(request.environ[key], max_queued=hub.max_queued)

    def watch(websocket: Any) -> None:
        client: Client = websocket.sock
        # Nobody reads what a browser says; the library would keep it for ever.
        websocket.input_buffer = Ignored()
        epoch, after = request.args.get("epoch", ""), request.args.get("after", -1, type=int)
        try:
            with gate.watched(client):
                hub.join(client, epoch=epoch, after=after)
                client.run()
        finally:
            hub.leave(client)

    blueprint.before_request(prepare)
    Sock().route("/ws", bp=blueprint)(watch)
    return blueprint


class Ignored(list[object]):
    """A list that stays empty."""

    def append(self, _item: object) -> None:
        """Do nothing."""
