"""Any input device of Linux as the button: USB or Bluetooth button, shutter remote, foot switch."""

import heapq
import logging
import re
import time
import zlib
from collections.abc import Callable, Container
from pathlib import Path

from device_sim.drivers.base import Driver, DriverError, Presence, Sink
from device_sim.drivers.evdev_devices import InputDevices
from device_sim.drivers.evdev_events import Event
from device_sim.drivers.evdev_search import Search
from device_sim.drivers.evdev_source import LIST, Source, open_source
from iot_button.events import ClickType
from iot_button.loop import READ, Loop, Timer

log = logging.getLogger(__name__)

WAKE = 1.0
_LONGEST_WORD = 24


class EvdevDriver(Driver):
    """The button is pressed while any key that counts is held, on any of the devices meant.

    A device that goes (a Bluetooth button that sleeps) is looked for until it is back. What is held
    then is a press: that press woke it. What is held when the driver opens is none: it may be the
    Enter that started us.

    All moments are of `time.monotonic`, so nothing starts over when a device comes back.

    Args:
        wanted: the path of a device, or a part of its name, a pattern for it, or its address.
        counted: codes of the keys that count; None: all.
        devices: where devices are found.
        grab: let no other program get the devices' events.
        wake_is_click: a device that comes back was woken by a press. If it tells of none by itself
            within `WAKE` seconds, that was a single click.
        on_event: gets every event too.
    """

    name = "evdev"

    def __init__(
        self,
        wanted: str,
        *,
        counted: Container[int] | None = None,
        devices: InputDevices | None = None,
        grab: bool = True,
        wake_is_click: bool = False,
        on_event: Callable[[Source, Event], None] = lambda _source, _event: None,
    ) -> None:
        self._wanted = wanted
        self._counted = counted
        self._devices = devices or InputDevices()
        self._grab = grab
        self._wake_is_click = wake_is_click
        self._wake: Timer | None = None
        self._on_event = on_event
        self._search = Search(self._look)
        self._sources: dict[Path, Source] = {}
        self._names: dict[Path, str] = {}
        self._complaints: dict[Path, str] = {}
        self._loop: Loop | None = None
        self._is_pressed = False
        self._moment = 0.0

    @property
    def label(self) -> str:
        """`evdev-` and the device's name, or the last part of its path."""
        word = re.sub(r"[^A-Za-z0-9_]+", "-", self._wanted.rpartition("/")[2]).strip("-")
        if not 0 < len(word) <= _LONGEST_WORD:
            check = f"{zlib.crc32(self._wanted.encode()):08x}"
            word = f"{word[: _LONGEST_WORD - 9]}-{check}".strip("-")
        return f"{self.name}-{word}"

    def open(self, loop: Loop, sink: Sink) -> None:
        """Take the device, or wait for it if it is not there.

        Raises:
            DriverError: it is there and cannot be had, or none can ever be found here.
        """
        self._loop, self._sink = loop, sink
        try:
            for path in self._devices.find(self._wanted):
                self._try(path)
        except BaseException:
            self.close()
            raise
        if not self._sources:
            log.warning("there is no input device %r yet: waiting for it; %s", self._wanted, LIST)
            sink.present(Presence.OFFLINE)
        self._search.begin(loop)

    def close(self) -> None:
        """Give the devices back to other programs."""
        self._search.close()
        self._cancel_wake()
        for path in list(self._sources):
            self._drop(path)
        self._loop = None

    # Devices that come and go.

    def _look(self) -> None:
        paths = self._devices.find(self._wanted)
        for path in paths:
            try:
                source = self._try(path)
            except DriverError as error:
                self._complain(path, error.problem)
            else:
                if source is not None:
                    self._take_what_woke(source)
        for path in self._complaints.keys() - set(paths):
            del self._complaints[path]

    def _try(self, path: Path) -> Source | None:
        """Open a device that is there and not open yet; it is the button from then on."""
        if self._loop is None or path in self._sources:
            return None
        source = open_source(
            path, counted=self._counted, grab=self._grab, name=self._names.get(path)
        )
        if source is None:
            return None
        if "/" in self._wanted:
            self._names[path] = source.name  # its number may be another device's one day
        self._sources[path] = source
        self._complaints.pop(path, None)
        self._loop.watch(source.fd, READ, self._read)
        log.info("the button is %s %r", path, source.name)
        if len(self._sources) == 1:
            self._sink.present(Presence.ONLINE)
        return source

    def _take_what_woke(self, source: Source) -> None:
        source.keys.look()
        self._tell(time.monotonic())
        is_first = len(self._sources) == 1 and not self._is_pressed
        if is_first and self._wake_is_click and self._loop is not None:
            self._cancel_wake()
            self._wake = self._loop.call_later(WAKE, lambda: self._sink.clicked(ClickType.SINGLE))

    def _cancel_wake(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _complain(self, path: Path, problem: str) -> None:
        if self._complaints.get(path) != problem:
            self._complaints[path] = problem
            log.warning("%s; trying again", problem)

    def _gone(self, source: Source) -> None:
        self._drop(source.path)
        log.info("%s has gone; waiting for it to come back", source.path)
        self._tell(time.monotonic())  # nothing more tells that its keys are released
        if not self._sources:
            self._sink.present(Presence.OFFLINE)
        self._search.hurry()

    def _drop(self, path: Path) -> None:
        source = self._sources.pop(path)
        if self._loop is not None:
            self._loop.unwatch(source.fd)
        source.close()

    # Keys that are pressed and released.

    def _read(self) -> None:
        """Read all devices: of two that are one button, the order is that of the moments.

        Each one's own order is kept, whatever its clock did.
        """
        read: list[list[tuple[Event, Source]]] = []
        gone = []
        for source in self._sources.values():
            try:
                read.append([(event, source) for event in source.read(self._moment)])
            except OSError:
                gone.append(source)
        for event, source in heapq.merge(*read, key=lambda pair: pair[0].moment):
            source.keys.take(event)
            self._tell(event.moment)
            self._on_event(source, event)
        for source in gone:
            self._gone(source)

    def _tell(self, moment: float) -> None:
        is_pressed = any(source.keys.is_pressed for source in self._sources.values())
        if is_pressed != self._is_pressed:
            self._is_pressed = is_pressed
            self._cancel_wake()
            self._moment = max(self._moment, moment)
            self._sink.edge(is_pressed, self._moment)
