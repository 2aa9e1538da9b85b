"""A microcontroller with a button, played on a pseudo-terminal."""

import contextlib
import os
import pty
import termios
import threading
import time
import tty

ANSWER_WITHIN = 0.5
"""Seconds that a press waits for the light; it is lost to a device that is dead, and says so."""


class Board:
    """The microcontroller at the other end of a serial line."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self.port = os.ttyname(slave)
        os.close(slave)  # only the device has it open: its exclusive use ends with the device
        self._lines = threading.Condition()
        self._said: list[str] = []
        self._moment = 0
        self.hellos = 0
        threading.Thread(target=self._read, daemon=True).start()

    def press(self, *, timeout: float = ANSWER_WITHIN) -> bool:
        """Press once; return whether the light then says in time that the click was taken."""
        with self._lines:
            seen = len(self._said)
            self._moment += 1000
            self._write(f"D {self._moment}\nU {self._moment + 80}\n")
            return self._lines.wait_for(lambda: "LIGHT taken" in self._said[seen:], timeout)

    def say(self, *lines: str) -> None:
        """Send lines."""
        self._write("".join(f"{line}\n" for line in lines))

    def wait_for(self, line: str, timeout: float = 15.0) -> None:
        """Wait until a line has come.

        Raises:
            TimeoutError: it has not.
        """
        with self._lines:
            if not self._lines.wait_for(lambda: line in self._said, timeout):
                raise TimeoutError(f"no {line!r} in {self._said[-20:]}")

    def wait_opened(self, times: int, timeout: float = 60.0) -> None:
        """Wait until a device has opened the line so many times in all.

        Raises:
            TimeoutError: it has not.
        """
        with self._lines:
            if not self._lines.wait_for(lambda: self.hellos >= times, timeout):
                raise TimeoutError(f"opened {self.hellos} times and not {times}")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, text.encode())

    def _read(self) -> None:
        rest = ""
        while True:
            try:
                rest += os.read(self._master, 4096).decode()
            except OSError:  # nobody has the other end open
                time.sleep(0.002)
                continue
            *lines, rest = rest.split("\n")
            with self._lines:
                self._said += lines
                if any(line.startswith("HELLO?") for line in lines):
                    self.hellos += 1
                    self._write("HELLO iot-button bench\n")
                self._lines.notify_all()
