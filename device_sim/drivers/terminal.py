"""A terminal whose keys come one by one and are not shown, and that is always given back."""

import atexit
import contextlib
import os
import termios
from typing import Any

from device_sim.drivers import kitty

_LOCAL_FLAGS, _CONTROL_CHARACTERS = 3, 6


class Terminal:
    """Takes a terminal and gives it back as it was; both may be done again, in turn.

    Ctrl-C stays a signal. Ctrl-Z does not: the terminal must be given back before.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._was: list[Any] | None = None
        self._is_pushed = False
        self._may_be_sent_more = False

    @property
    def is_one(self) -> bool:
        """Whether it is a terminal at all."""
        try:
            return os.isatty(self.fd)
        except OSError:
            return False

    def take(self) -> None:
        """Let keys come one by one, and unseen."""
        self._was = termios.tcgetattr(self.fd)
        mode = termios.tcgetattr(self.fd)
        mode[_LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
        mode[_LOCAL_FLAGS] |= termios.ISIG
        characters = mode[_CONTROL_CHARACTERS]
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        characters[termios.VSUSP] = bytes([os.fpathconf(self.fd, "PC_VDISABLE") & 0xFF])
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        atexit.register(self.give_back)

    def give_back(self) -> None:
        """Make it what it was. Does nothing where it is that already."""
        if self._was is None:
            return
        was, self._was = self._was, None
        atexit.unregister(self.give_back)
        may_be_sent_more = self._may_be_sent_more
        self.pop()
        with contextlib.suppress(termios.error):  # it has gone
            if may_be_sent_more:  # an answer or a release would be typed into the shell
                termios.tcflush(self.fd, termios.TCIFLUSH)
            termios.tcsetattr(self.fd, termios.TCSANOW, was)

    def ask(self) -> None:
        """Ask whether it speaks the kitty keyboard protocol; it answers among its keys."""
        self._write(kitty.QUERY + kitty.QUERY_ATTRIBUTES)
        self._may_be_sent_more = True

    def push(self) -> None:
        """Have each key's press and release reported, and ask whether they are."""
        if not self._is_pushed:
            self._is_pushed = True
            self._write(kitty.PUSH + kitty.QUERY)
            self._may_be_sent_more = True

    def pop(self) -> None:
        """Have keys reported as before."""
        if self._is_pushed:
            self._write(kitty.POP)
        self._is_pushed = self._may_be_sent_more = False

    @property
    def is_pushed(self) -> bool:
        """Whether `push` was the last of the two."""
        return self._is_pushed

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # opened for reading alone, or gone: then it taps
            os.write(self.fd, data)
