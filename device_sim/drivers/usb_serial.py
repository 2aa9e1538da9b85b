"""A button on a microcontroller, as lines over USB or any other serial port.

What the lines are is in `serial_lines.py`; `docs/hardware.md` has the table. The port may be
absent, unplugged and plugged in again at any time: that is waited for, never an end.
"""

import logging
import re
import time
from collections.abc import Callable
from typing import ClassVar

from device_sim.drivers.base import Driver, DriverError, Light, Presence, Sink
from device_sim.drivers.serial_clock import EdgeClock
from device_sim.drivers.serial_garbage import Garbage
from device_sim.drivers.serial_lines import (
    Battery,
    Comment,
    Edge,
    Hello,
    Line,
    Payload,
    Recognized,
    Sleep,
    read_line,
)
from device_sim.drivers.serial_link import Link
from device_sim.drivers.serial_opening import PortError, Trouble
from device_sim.drivers.serial_search import Lines, Search, Where
from iot_button.loop import Loop, Timer

log = logging.getLogger(__name__)

FIRST_DELAY = 0.1
LONGEST_DELAY = 2.0
"""Seconds from one look for the port to the next; they double in between."""
_LONGEST_LABEL = 24


class UsbSerialDriver(Driver):
    """Lines from a microcontroller.

    Args:
        where: the port, or how to find it.
        clock: tells when a line came, in seconds that only go forward.
    """

    name: ClassVar[str] = "serial"

    def __init__(self, where: Where, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._clock = clock
        self.garbage = Garbage(clock=clock)
        self._loop: Loop | None = None
        self._link: Link | None = None
        self._search: Search | None = None
        self._timer: Timer | None = None
        self._delay = FIRST_DELAY
        self._told = ""
        self._light = Light.OFF
        self._presence: Presence | None = None
        self._battery: int | None = None
        self._firmware: str | None = None

    @property
    def label(self) -> str:
        """`serial`, and the port or the USB id where one was named, e.g. `serial-ttyACM0`."""
        named = self._where.port or str(self._where.usb_id or "")
        word = re.sub(r"[^A-Za-z0-9_-]+", "-", named.rpartition("/")[2])
        return f"{self.name}-{word[-_LONGEST_LABEL:]}" if word else self.name

    def open(self, loop: Loop, sink: Sink) -> None:
        """Begin to look for the port; one that is absent is waited for."""
        self._loop, self._sink = loop, sink
        self._search = self._new_search(loop)
        try:
            self._search.start()
        except PortError as error:
            if error.trouble in (Trouble.DENIED, Trouble.UNUSABLE):
                raise DriverError(error.problem, mend=error.mend) from error
            self._wait(error)

    def close(self) -> None:
        """Give the port back, the light off."""
        if self._timer is not None:
            self._timer.cancel()
        if self._search is not None:
            self._search.close()
        if self._link is not None:
            self._link.close(light=Light.OFF)
        self._timer = self._search = self._link = None

    def show(self, light: Light) -> None:
        """Write the light's state back as a line; a device that does not read gets the newest."""
        self._light = light
        if self._link is not None:
            self._link.show(light)

    def battery(self) -> int | None:
        """Return what the last battery line said, in millivolts."""
        return self._battery

    def firmware(self) -> str | None:
        """Return what the last hello line said."""
        return self._firmware

    # --- the port comes and goes

    def _new_search(self, loop: Loop) -> Search:
        return Search(self._where, loop, on_found=self._connected, on_failed=self._wait)

    def _look_again(self) -> None:
        if self._search is None:  # closed
            return
        try:
            self._search.start()
        except PortError as error:
            self._wait(error)

    def _wait(self, error: PortError) -> None:
        """Look again later, and say why: once, and not that what was unplugged is absent."""
        self._be(Presence.OFFLINE)
        is_said = error.trouble is Trouble.ABSENT and self._told
        if error.problem != self._told and not is_said:
            log.warning("%s; waiting for it%s", error.problem, error.mend and f" ({error.mend})")
            self._told = error.problem
        if self._loop is not None:
            self._timer = self._loop.call_later(self._delay, self._look_again)
        self._delay = min(2 * self._delay, LONGEST_DELAY)

    def _connected(self, link: Link, lines: Lines) -> None:
        log.info("listening to %s", link.path)
        self._link = link
        self._connected_at = self._clock()
        self._clock_of_edges = EdgeClock()
        self._is_pressed = self._is_greeted = False
        self._sink.start_over()
        self._be(Presence.ONLINE)
        link.listen(on_lines=self._take, on_lost=self._lost)
        if not lines:  # otherwise it has said hello to the search
            link.ask()
        link.show(self._light)
        self._take(lines)

    def _lost(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        if self._clock() - self._connected_at > LONGEST_DELAY:
            self._calm()
        if link.is_amid_a_line:
            self.garbage.partial(link.path)
        if self._is_pressed:  # its release will never come; what was released may still end well
            self._sink.start_over()
        self._wait(PortError(Trouble.LOST, f"{link.path} went away: {reason}"))

    def _calm(self) -> None:
        """Take the port to be in order: the next trouble is a new one."""
        self._delay, self._told = FIRST_DELAY, ""

    def _be(self, presence: Presence) -> None:
        if presence is not self._presence:
            self._presence = presence
            self._sink.present(presence)

    # --- what it says

    def _take(self, lines: Lines) -> None:
        if lines:
            self._calm()
        for line in lines:
            if self._link is None:  # closed by what a line led to
                return
            path = self._link.path
            said = None if line is None else read_line(line)
            self._be(Presence.SLEEPING if isinstance(said, Sleep) else Presence.ONLINE)
            if said is None or not self._do(said):
                self.garbage.line(path, line)

    def _do(self, said: Line) -> bool:
        """Do what a line says; return False where it turns out to say nothing."""
        match said:
            case Edge():
                self._edge(said)
            case Recognized(click_type):
                self._sink.clicked(click_type)
            case Payload(data):
                return self._sink.sent(data)
            case Battery(millivolts):
                self._battery = millivolts
            case Hello(firmware):
                self._greet(firmware)
            case Comment(text):
                log.debug("the device says: %s", ascii(text))
            case Sleep():
                pass
        return True

    def _edge(self, edge: Edge) -> None:
        moment = self._clock_of_edges.moment(edge.milliseconds, arrived=self._clock())
        if moment.is_of_another_clock:
            self._sink.start_over()
        self._is_pressed = edge.is_pressed
        self._sink.edge(edge.is_pressed, moment.seconds)

    def _greet(self, firmware: str | None) -> None:
        """Take a hello: the first answers our question, any further one says that it began anew."""
        self._firmware = firmware
        if self._is_greeted:
            self._clock_of_edges = EdgeClock()
            self._is_pressed = False
            self._sink.start_over()
        self._is_greeted = True
        if self._link is not None:
            self._link.show(self._light)  # a board that began anew has forgotten it
