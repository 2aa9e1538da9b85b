"""The far end of a serial line: a pseudo-terminal that a test holds, on the driver's own loop."""

import contextlib
import os
import tty
from pathlib import Path

from iot_button.loop import READ, WRITE, Loop


class Board:
    """A microcontroller as the operating system shows it; what it is sent is in `heard`.

    Args:
        loop: where it reads and writes.
        name: a symbolic link to make to it, as in /dev/serial/by-id.
        is_reading: whether it takes what it is sent.
    """

    def __init__(self, loop: Loop, *, name: Path | None = None, is_reading: bool = True) -> None:
        self._loop = loop
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.node = os.ttyname(self._slave)
        self._name = name
        if name is not None:
            name.symlink_to(self.node)
        self.path = self.node if name is None else str(name)
        self.is_reading = is_reading
        self._unsent = b""
        self._received = b""
        self._watch()

    @property
    def heard(self) -> list[str]:
        """The whole lines that it was sent."""
        return self._received.decode().split("\n")[:-1]

    @property
    def is_asked(self) -> bool:
        """Whether somebody opened it and asked for its hello."""
        return "HELLO?" in self.heard

    def send(self, *lines: str) -> None:
        """Send lines, as fast as they are taken."""
        self.send_bytes("".join(f"{line}\n" for line in lines).encode())

    def send_bytes(self, data: bytes) -> None:
        self._unsent += data
        self._watch()

    def read(self) -> None:
        """Take what it is sent, from now on."""
        self.is_reading = True
        self._watch()

    def unplug(self) -> None:
        """Vanish. Twice does no harm."""
        if self._master < 0:
            return
        self._loop.unwatch(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = -1
        if self._name is not None:
            self._name.unlink()

    def _watch(self) -> None:
        events = (READ if self.is_reading else 0) | (WRITE if self._unsent else 0)
        if events:
            self._loop.watch(self._master, events, self._on_ready)
        else:
            self._loop.unwatch(self._master)

    def _on_ready(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if self.is_reading:
                self._received += os.read(self._master, 65_536)
        with contextlib.suppress(BlockingIOError):
            if self._unsent:
                self._unsent = self._unsent[os.write(self._master, self._unsent) :]
        self._watch()
