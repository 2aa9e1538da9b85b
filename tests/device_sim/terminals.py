"""A terminal that a test plays: it answers like a real one, and shows what a person would see."""

import contextlib
import os
import pty
import re
import select
import termios
from typing import Any, Self, TextIO

_PIECE = re.compile(r"\x1b\[([>?<]?[\d;:]*)([a-zA-Z])|([\r\n])|([^\x1b\r\n]+)")


class PlayedTerminal:
    """A pseudo-terminal; the test is the terminal, the program has `fd` and `screen`.

    Args:
        flags: those of the kitty keyboard protocol that it can set; None: it does not speak it.
        is_silent: it answers no question at all.
    """

    def __init__(self, *, flags: int | None = None, is_silent: bool = False) -> None:
        self.flags = flags
        self._is_silent = is_silent
        self._master, self.fd = pty.openpty()
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self.fd)
        self.before = self.mode()
        self.stack = [0]
        self.lines = [""]
        self._column = 0
        self.raw = ""

    def __enter__(self) -> Self:
        self.screen: TextIO = open(self.fd, "w", closefd=False)
        return self

    def __exit__(self, *_error: object) -> None:
        self.hang_up()
        with contextlib.suppress(OSError):
            self.screen.close()
        os.close(self.fd)

    def mode(self) -> list[Any]:
        """How the program has set the terminal."""
        return termios.tcgetattr(self.fd)

    @property
    def takes_keys_one_by_one(self) -> bool:
        return not self.mode()[3] & (termios.ICANON | termios.ECHO)

    def type(self, data: bytes) -> None:
        """Send what a key sends."""
        os.write(self._master, data)

    def look(self) -> list[str]:
        """Return the lines on the screen, and answer what was asked meanwhile."""
        while self._master >= 0 and select.select([self._master], [], [], 0)[0]:
            try:
                text = os.read(self._master, 65536).decode()
            except OSError:  # nobody has the other side open
                break
            self.raw += text
            for parameters, last, control, plain in _PIECE.findall(text):
                if last:
                    self._command(parameters, last)
                else:
                    self._put(control or plain)
        return [line.rstrip() for line in self.lines]

    def hang_up(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _put(self, text: str) -> None:
        if text == "\r":
            self._column = 0
        elif text == "\n":
            self.lines.append("")
        else:
            line = self.lines[-1].ljust(self._column)
            self.lines[-1] = line[: self._column] + text + line[self._column + len(text) :]
            self._column += len(text)

    def _command(self, parameters: str, last: str) -> None:
        if last == "K":
            self.lines[-1] = self.lines[-1][: self._column]
        elif last == "c" and not self._is_silent:
            self.type(b"\x1b[?62;4c")
        elif last == "u" and self.flags is not None:
            if parameters == "?":
                self.type(b"\x1b[?%du" % self.stack[-1])
            elif parameters.startswith(">"):
                self.stack.append(int(parameters[1:]) & self.flags)
            elif parameters == "<" and len(self.stack) > 1:
                self.stack.pop()
