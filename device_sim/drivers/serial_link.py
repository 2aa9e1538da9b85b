"""An open serial port on the loop: lines come out, short lines go in, and neither waits."""

import contextlib
import os
import termios
import time
from collections.abc import Callable
from typing import Any

from device_sim.drivers.base import Light
from device_sim.drivers.serial_lines import Splitter
from iot_button.loop import READ, WRITE, Loop

OnLines = Callable[[list[bytes | None]], None]
OnLost = Callable[[str], None]

_PIECE = 65_536
_LAST_WORDS = 0.05
"""Seconds that `close` may take to let a last line out; at 9,600 baud one takes 14 ms."""


class Link:
    """Reads and writes an open port until it is closed or lost. Nothing happens before `listen`.

    Args:
        port: what `open_port` returned.
        loop: where it is watched.
    """

    def __init__(self, port: Any, loop: Loop) -> None:
        self.path = str(port.port)
        self._port = port
        self._fd = int(port.fileno())
        self._loop = loop
        self._splitter = Splitter()
        self._unsent = b""
        self._is_to_ask = False
        self._light: Light | None = None
        self._is_open = True

    def listen(self, *, on_lines: OnLines, on_lost: OnLost) -> None:
        """Call back from now on; a second call takes over from the first.

        Args:
            on_lines: gets the lines of one read; None stands for one that was too long.
            on_lost: gets the reason when the port is gone; once at most, and not after `close`.
        """
        self._on_lines = on_lines
        self._on_lost = on_lost
        self._watch()

    @property
    def is_amid_a_line(self) -> bool:
        """Whether the device has begun a line and not ended it."""
        return self._splitter.is_amid_a_line

    def ask(self) -> None:
        """Ask the device to say hello."""
        self._is_to_ask = True
        self._watch()

    def show(self, light: Light) -> None:
        """Tell the device what its light is to say; of several that wait, the last one counts."""
        self._light = light
        if self._is_open:
            # At once, where it takes it: a click's states follow each other within a millisecond.
            with contextlib.suppress(OSError):  # it is gone: the loop finds that too
                self._send()
        self._watch()

    def close(self, *, light: Light | None = None) -> None:
        """Give the port back; what is not sent by then is dropped.

        Args:
            light: what the device's light is to say at the end, if it takes that in `_LAST_WORDS`.
        """
        if not self._is_open:
            return
        self._is_open = False
        self._loop.unwatch(self._fd)
        with contextlib.suppress(OSError, termios.error):  # it may be gone
            if light is not None:
                self._say_at_last(light)
            if self._port.out_waiting:
                # The kernel would wait up to 30 s for a device that does not read (tty_port_close).
                self._port.reset_output_buffer()
        with contextlib.suppress(OSError):
            self._port.close()

    def _watch(self) -> None:
        if self._is_open:
            wants_to_write = self._unsent or self._is_to_ask or self._light is not None
            self._loop.watch(self._fd, READ | WRITE if wants_to_write else READ, self._on_ready)

    def _on_ready(self) -> None:
        if not self._is_open:
            return
        try:
            self._read()
            self._write()
        except OSError as error:
            if self._is_open:
                self._lose(error.strerror or str(error))

    def _lose(self, reason: str) -> None:
        self.close()
        self._on_lost(reason)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _PIECE)
        except BlockingIOError:
            return
        if not data:
            raise OSError("it was unplugged")
        lines = self._splitter.feed(data)
        if lines:
            self._on_lines(lines)

    def _write(self) -> None:
        if self._is_open:
            self._send()
            self._watch()

    def _send(self) -> None:
        """Send what waits, as far as it is taken; a line that has begun is always finished."""
        with contextlib.suppress(BlockingIOError):
            while self._unsent or self._take_next():
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]

    def _take_next(self) -> bool:
        if self._is_to_ask:
            self._unsent, self._is_to_ask = b"HELLO?\n", False
        elif self._light is not None:
            self._unsent, self._light = f"LIGHT {self._light}\n".encode(), None
        return bool(self._unsent)

    def _say_at_last(self, light: Light) -> None:
        self._light = light
        self._send()
        end = time.monotonic() + _LAST_WORDS
        while self._port.out_waiting and time.monotonic() < end:
            time.sleep(0.002)
