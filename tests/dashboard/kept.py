"""A dashboard in this process whose clicks are on a disk, and a month of them made up."""

import contextlib
import math
import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

from dashboard import create_app
from dashboard.ingest import hub_for
from dashboard.server import listen, serving
from dashboard.store import Store
from dashboard.store.arrivals import Arrival, ButtonStatus, Content
from dashboard.store.buttons import Change, change
from iot_button.events import ProcessedClick, format_instant, utc_now
from iot_button.mqtt import Connection
from iot_button.settings import (
    BrokerAddress,
    DashboardSettings,
    FunctionsSettings,
    Settings,
)
from tests.dashboard.helpers import TITLE
from tests.support import DEADLINE

BUTTONS = (
    ("KITCHEN", Change(name="Kitchen bell", place="by the stove", colour="#c2410c"), "online"),
    ("G030JF055364XVRB", Change(name="Front door", place="hall", colour="#1d6fa5"), "sleeping"),
    ("LAB-07", Change(), "offline"),
    ("TEACHER", Change(name="More coffee", place="staff room", colour="#3f7d20"), None),
    ("DOORBELL-2", Change(name="Garden gate", place="outside", colour="#5b4bb7"), "online"),
)


class Kept:
    """A store, its hub and the web server over both, from `with` to the end of the block."""

    def __init__(self, state_dir: Path, *, functions: FunctionsSettings | None = None) -> None:
        self._functions = functions or FunctionsSettings()
        self._stack = contextlib.ExitStack()
        self._state_dir = state_dir
        self.port = 0

    def __enter__(self) -> Self:
        settings = Settings(
            state_dir=str(self._state_dir),
            dashboard=DashboardSettings(port=0),
            functions=self._functions,
        )
        with contextlib.ExitStack() as stack:
            self.store = stack.enter_context(Store(self._state_dir))
            self.hub = hub_for(self.store)
            # Never entered: a broker that is away.
            connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="none")
            app = create_app(settings, hub=self.hub, connection=connection, store=self.store)
            listener = listen(settings.dashboard)
            self.port = int(listener.getsockname()[1])
            stack.enter_context(serving(app, listener))
            stack.enter_context(self.hub)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def url(self, path: str = "/") -> str:
        """Return an address of ours."""
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, *contents: Content, moments: list[datetime] | None = None) -> None:
        """Take something in, and wait until it is on the disk."""
        times = moments or [utc_now()] * len(contents)
        stored = threading.Semaphore(0)
        for content, moment in zip(contents, times, strict=True):
            self.store.put(Arrival(content, moment, stored.release))
        assert all(stored.acquire(timeout=DEADLINE) for _ in contents)

    def click(self, serial_number: str = "KITCHEN", **fields: object) -> None:
        """Take a click in that was made just now."""
        self.put(processed_click(serial_number, utc_now(), fields))

    def fill(self, *, days: int = 30) -> None:
        """Take in a month of five buttons' clicks, more of them in the mornings."""
        chance = random.Random(6)
        clicks = sorted(_clicks(chance, days=days), key=lambda pair: pair[1])
        self.put(*(click for click, _ in clicks), moments=[moment for _, moment in clicks])
        for serial_number, wanted, state in BUTTONS:
            self.store.run(partial(change, serial_number=serial_number, wanted=wanted))
            if state is not None:
                self.put(ButtonStatus(serial_number=serial_number, state=state))


def processed_click(
    serial_number: str, moment: datetime, fields: dict[str, object], *, took_ms: int = 8
) -> ProcessedClick:
    """Return a click as it comes from the function."""
    common: dict[str, object] = {
        "serial_number": serial_number,
        "click_type": "SINGLE",
        "title": TITLE,
        "timestamp": format_instant(moment),
        "ip_address": "192.168.1.17",
        "battery_voltage": None,
        "event_id": f"{serial_number}-{moment.timestamp()}",
        "clicked_at": format_instant(moment - timedelta(milliseconds=took_ms)),
    }
    return ProcessedClick(**common | fields)  # type: ignore[arg-type]


def _clicks(chance: random.Random, *, days: int) -> Iterator[tuple[ProcessedClick, datetime]]:
    now = utc_now()
    for number, (serial_number, _change, _state) in enumerate(BUTTONS):
        for hour in range(days * 24):
            moment = now - timedelta(hours=hour)
            busy = math.exp(-(((moment.hour - 9 - number) / 3) ** 2)) * (
                1.7 if moment.weekday() < 5 else 0.5
            )
            for _ in range(int(busy * chance.random() * 4 + chance.random() * 0.6)):
                at = moment - timedelta(seconds=chance.random() * 3600)
                fields: dict[str, object] = {
                    "click_type": chance.choices(("SINGLE", "DOUBLE", "LONG"), (6, 2, 1))[0],
                }
                if serial_number != "DOORBELL-2":
                    left = 3000 - (days * 24 - hour) * (0.2 + number * 0.35) + chance.random() * 6
                    fields["battery_voltage"] = f"{int(left)}mV"
                took_ms = int(chance.lognormvariate(2.2, 0.6))
                yield processed_click(serial_number, at, fields, took_ms=took_ms), at
