"""The light as one line of a terminal, beneath whatever else is written there."""

import contextlib
import os
from collections.abc import Mapping
from typing import TextIO

from device_sim.drivers.base import Light

_CLEAR = "\r\x1b[K"
_PLAIN = "\x1b[0m"
_STATES = {
    Light.OFF: ("", "o ready"),
    Light.CONNECTING: ("\x1b[37m", "* no broker yet"),
    Light.TAKEN: ("\x1b[33m", "* taken: on our disk"),
    Light.QUEUED: ("\x1b[33m", "* queued: no broker"),
    Light.PUBLISHED: ("\x1b[32m", "* published"),
    Light.PROCESSED: ("\x1b[1;32m", "* processed"),
    Light.FAILED: ("\x1b[1;31m", "* failed"),
}


class StatusLine:
    """Writes the light in words, in colour too unless NO_COLOR is set (no-color.org).

    The cursor is left at the line's begin, so that what others write next (clicks on standard
    output, log lines) goes over it. All of that is longer than any state, so nothing remains of it;
    `draw` then writes it again beneath. Where `screen` is no terminal, nothing is written.
    """

    def __init__(self, screen: TextIO | None, *, environ: Mapping[str, str] = os.environ) -> None:
        self._screen = screen if screen is not None and screen.isatty() else None
        self._has_colour = not environ.get("NO_COLOR")
        self._light: Light | None = None

    def show(self, light: Light) -> None:
        """Show a light."""
        self._light = light
        self.draw()

    def draw(self) -> None:
        """Write the line again."""
        if self._light is None:
            return
        colour, text = _STATES[self._light]
        if colour and self._has_colour:
            text = f"{colour}{text}{_PLAIN}"
        self._write(f"\r{text}\x1b[K\r")

    def say(self, message: str) -> None:
        """Write a line that stays."""
        self._write(f"{_CLEAR}{message}\n")
        self.draw()

    def clear(self) -> None:
        """Take the line away, until it is drawn again."""
        if self._light is not None:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._screen is not None:
            with contextlib.suppress(OSError, ValueError):  # the terminal has gone
                self._screen.write(text)
                self._screen.flush()
