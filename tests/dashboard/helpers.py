"""A broker to kill, a small function, and what the dashboard's tests share."""

import contextlib
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import Page

from dashboard.history import MAX_ROWS, History, recorded, row_of
from dashboard.live import Hub
from dashboard.store import Store
from dashboard.store.arrivals import Arrival, Content
from iot_button.events import ProcessedClick, format_instant, utc_now
from iot_button.messages import Message
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from tests.support import DEADLINE, Program, eventually, free_port, is_listening, require_program

Start = Callable[..., Program]
Serve = Callable[..., tuple[Hub, int]]


TITLE = "Demo event assembled by lambda python function"


def show(hub: Hub, click: ProcessedClick) -> None:
    """Have a hub tell of a click, as if it were on the disk."""
    moment = utc_now()
    row = row_of(click, row_id=hub.last_id + 1, received_at=moment, battery_highest=None)
    hub.tell([recorded(row)])


def new_hub(*, max_rows: int = MAX_ROWS, **options: Any) -> Hub:
    """Return a hub that has no store behind it."""
    return Hub(History(max_rows=max_rows), epoch="e" * 16, buttons=lambda: 7, **options)


class Mosquitto:
    """mosquitto on one port, to be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self._program = require_program("mosquitto", "mosquitto")
        self._configuration = directory / "mosquitto.conf"
        self.port = free_port()
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_queued_messages 0\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: is_listening(self.port), what="mosquitto listens")

    def pause(self) -> None:
        """Have it neither read nor answer, with all its connections open."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)


class Enrich:
    """What the real function does, as far as the dashboard can tell."""

    def __init__(self, port: int) -> None:
        address = BrokerAddress(host="127.0.0.1", port=port)
        self.connection = Connection(address, client_id="test-enrich", on_message=self._run)
        self.connection.subscribe("iotbutton/+")

    def __enter__(self) -> Self:
        self.connection.__enter__()
        self.connection.wait_ready(DEADLINE)
        return self

    def __exit__(self, *details: object) -> None:
        self.connection.__exit__(None, None, None)

    def _run(self, message: Message) -> None:
        click = json.loads(message.payload)
        self.connection.publish("iotprocessed", processed(**click))


def processed(**fields: object) -> bytes:
    """Return the payload of a processed click."""
    common = {
        "title": TITLE,
        "timestamp": format_instant(utc_now()),
        "ipAddress": "192.0.2.17",
        "serialNumber": "G030JF055364XVRB",
        "batteryVoltage": "1716mV",
        "clickType": "SINGLE",
    }
    return json.dumps(common | fields).encode()


def click(event_id: str | None = None, **fields: object) -> ProcessedClick:
    """Return a processed click of the button B-1."""
    values: dict[str, Any] = {"serial_number": "B-1", "click_type": "SINGLE"} | fields
    return ProcessedClick(event_id=event_id, **values)


def keep(store: Store, *contents: Content, at: datetime | None = None) -> None:
    """Have something in a store, all at one moment, and wait until it is on the disk."""
    keep_each(store, [(content, at or utc_now()) for content in contents])


def keep_each(store: Store, contents: Sequence[tuple[Content, datetime]]) -> None:
    """Have something in a store, each at its moment, and wait until it is on the disk."""
    stored = threading.Semaphore(0)
    for content, moment in contents:
        store.put(Arrival(content, moment, stored.release))
    for _ in contents:
        assert stored.acquire(timeout=DEADLINE)


def start_dashboard(start: Start, broker: Mosquitto, *, port: int = 0) -> Program:
    """Start a dashboard; it is ready when `address("dashboard")` returns."""
    return start("dashboard", "--port", str(port), "--broker", f"mqtt://127.0.0.1:{broker.port}")


def open_live(page: Page, program: Program) -> None:
    """Open the dashboard and wait until the feed runs."""
    page.goto(program.address("dashboard"))
    page.wait_for_selector("#page-link[data-state=good]")


class Relay:
    """A network between a browser and a server, to be cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *details: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for end in self._ends:
            end.close()

    def cut(self) -> None:
        """End every connection that stands."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
