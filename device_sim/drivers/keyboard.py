"""The space bar of a terminal as the button.

Where the terminal speaks the kitty keyboard protocol, the space bar is pressed as long as a finger
holds it. Elsewhere a terminal tells of no release: each space is a whole short press, and `d` and
`l` are there for what that cannot say.
"""

import enum
import os
import signal
import sys
import time
from typing import TextIO

from device_sim.drivers.base import Driver, DriverError, Light, Sink
from device_sim.drivers.kitty import NEEDED, Action, Flags, Key, Reader, Report
from device_sim.drivers.status_line import StatusLine
from device_sim.drivers.terminal import Terminal
from iot_button.events import ClickType
from iot_button.loop import READ, Loop, Timer

_ANSWER_WITHIN = 0.5
"""Seconds; a terminal on the other side of the world answers in less. One that is later is heard
too."""


class Way(enum.StrEnum):
    """How the space bar is heard; the value tells a person what to do."""

    HELD = "space: the button, hold it for long - d: double - l: long - q: end"
    TAPPED = "space: click (twice: double) - d: double - l: long - q: end"


class KeyboardDriver(Driver):
    """Reads a terminal's keys: space, `d`, `l`; `q` and Ctrl-D end it, Ctrl-C and Ctrl-Z work.

    Args:
        bounce_time: seconds; as the gestures have it, so that two taps are not taken for a bounce.
        fd: the terminal.
        screen: where the light is shown; None: standard error.
    """

    name = "keyboard"

    def __init__(
        self, *, bounce_time: float = 0.02, fd: int = 0, screen: TextIO | None = None
    ) -> None:
        self._tap_time = max(0.001, 1.5 * bounce_time)
        self._terminal = Terminal(fd)
        self._screen = screen
        self._reader = Reader()
        self._way: Way | None = None
        self._timer: Timer | None = None
        self._is_open = self._is_pressed = self._has_ended = False
        self._free_at = 0.0

    def open(self, loop: Loop, sink: Sink) -> None:
        """Take the terminal, and ask it which keys it can report.

        Raises:
            DriverError: it is no terminal.
        """
        if not self._terminal.is_one:
            raise DriverError(
                "standard input is no terminal, so it has no space bar",
                mend="press once with `iot-button press`, "
                "or send edges to `iot-button device replay -`",
            )
        self._loop, self._sink = loop, sink
        self._status = StatusLine(sys.stderr if self._screen is None else self._screen)
        self._terminal.take()
        self._is_open = True
        loop.watch(self._terminal.fd, READ, self._read)
        loop.at_end_of_turn(self._draw)
        self._terminal.ask()
        self._timer = loop.call_later(_ANSWER_WITHIN, self._settle)

    def close(self) -> None:
        """Give the terminal back, as it was."""
        if self._is_open:
            self._is_open = False
            self._loop.unwatch(self._terminal.fd)
            if self._timer is not None:
                self._timer.cancel()
            self._status.clear()
            self._terminal.give_back()

    def show(self, light: Light) -> None:
        """Show the light in words on the terminal's last line."""
        if self._is_open:
            self._status.show(light)

    def _draw(self) -> None:
        if self._is_open:  # whatever others wrote in this turn went over it
            self._status.draw()

    def _read(self) -> None:
        if not self._is_open:
            return
        try:
            data = os.read(self._terminal.fd, 4096)
        except BlockingIOError:
            return
        except OSError:  # EIO: the terminal has gone
            data = b""
        for report in self._reader.feed(data):
            if self._is_open:
                self._take(report)
        if not data:
            self._loop.unwatch(self._terminal.fd)
            self._end()

    def _take(self, report: Report) -> None:
        if isinstance(report, Key):
            self._take_key(report)
        elif isinstance(report, Flags):
            self._take_flags(report.bits)
        elif not self._terminal.is_pushed:
            self._settle()

    # Which keys the terminal can report.

    def _take_flags(self, bits: int) -> None:
        if not self._terminal.is_pushed:
            self._terminal.push()
        elif bits & NEEDED == NEEDED:
            self._set_way(Way.HELD)
        else:
            self._terminal.pop()
            self._settle()

    def _settle(self) -> None:
        if self._way is None:
            self._terminal.pop()
            self._set_way(Way.TAPPED)

    def _set_way(self, way: Way) -> None:
        if way is not self._way:
            self._way = way
            self._status.say(way.value)

    # What the keys mean.

    def _take_key(self, key: Key) -> None:
        if key.action is Action.RELEASE:
            if key.code == ord(" "):  # whatever other key is held by now
                self._press(False)
        elif (
            key.action is not Action.REPEAT and not self._take_command(key) and not self._has_ended
        ):
            self._take_click(key)

    def _take_command(self, key: Key) -> bool:
        if key.is_plain("q") or key.is_ctrl("d"):
            self._end()
        elif key.is_ctrl("c"):
            self._signal(signal.SIGINT)
        elif key.is_ctrl("\\"):
            self._signal(signal.SIGQUIT)
        elif key.is_ctrl("z"):
            self._suspend()
        else:
            return False
        return True

    def _take_click(self, key: Key) -> None:
        if key.is_plain("d"):
            self._sink.clicked(ClickType.DOUBLE)
        elif key.is_plain("l"):
            self._sink.clicked(ClickType.LONG)
        elif key.is_plain(" "):
            self._press(False)  # a release that never came: the window had lost the keyboard
            self._press(True)
            if key.action is Action.TAP:
                self._press(False)

    def _press(self, is_pressed: bool) -> None:
        """Tell of an edge, later than the one before by more than a bounce of the same finger."""
        if is_pressed != self._is_pressed:
            self._is_pressed = is_pressed
            moment = max(time.monotonic(), self._free_at)
            self._free_at = moment + self._tap_time
            self._sink.edge(is_pressed, moment)

    # How it ends, and pauses.

    def _end(self) -> None:
        self._press(False)
        if not self._has_ended:
            self._has_ended = True
            self._sink.ended()

    def _signal(self, number: signal.Signals) -> None:
        """Do as the terminal itself would have: in the protocol Ctrl-C is but another key."""
        self._status.clear()
        self._terminal.give_back()  # so that the next Ctrl-C is a signal, whatever we wait for
        os.kill(os.getpid(), number)

    def _suspend(self) -> None:
        was_pushed = self._terminal.is_pushed
        self._press(False)
        self._status.clear()
        self._terminal.give_back()
        os.kill(0, signal.SIGTSTP)  # all of the job, as a terminal does. Here we stop, until `fg`
        self._terminal.take()
        if was_pushed:
            self._terminal.push()
