"""A board that runs the MicroPython example under this Python: board.py MAIN_PY FD.

Its serial port is standard input and output, and a test holds its pins and its clock over the file
descriptor FD, with the commands of ../arduino/board.cpp. It stands in for what this Python has not:
`machine`, and the ticks of `time`.
"""

import io
import os
import runpy
import select
import sys
import time
from typing import Any

import machine  # type: ignore[import-not-found,unused-ignore]  # beside this file

TICKS = 1 << 30  # MicroPython's TICKS_PERIOD on boards of 32 bits


class Control:
    def __init__(self, fd: int) -> None:
        self.now = 0
        self.is_stalled = False
        self._fd = fd
        self._rest = b""
        self._seen: object = None

    def sleep(self) -> None:
        """The end of a turn of the program's loop."""
        if self._seen is not None:
            pin, self._seen = self._seen, None
            self._answer(str(machine.outputs[pin]))
            self.take()
        else:
            ready, _, _ = select.select([self._fd, sys.stdin], [], [], 0.002)
            if self._fd in ready:
                self.take()

    def take(self) -> None:
        """Take commands; those behind a `see` wait for its answer."""
        if b"\n" not in self._rest:
            data = os.read(self._fd, 65_536)
            if not data:
                os._exit(0)  # the test is over
            self._rest += data
        while b"\n" in self._rest and self._seen is None:
            line, self._rest = self._rest.split(b"\n", 1)
            self._obey(line.decode().split())

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["at", moment]:
                self.now = int(moment)
            case ["pin", number, level]:
                pin = int(number)
                if machine.levels[pin] != int(level):
                    machine.levels[pin] = int(level)
                    machine.interrupt(pin)
            case ["adc", number, sample]:
                machine.samples[int(number)] = int(sample)
            case ["stall", is_stalled]:
                self.is_stalled = is_stalled == "1"
            case ["see", name]:
                self._seen = int(name) if name.isdecimal() else name
                return
            case _:
                raise ValueError(words)
        self._answer("ok")

    def _answer(self, text: str) -> None:
        os.write(self._fd, f"{text}\n".encode())


class Output(io.TextIOBase):
    """Standard output that lets commands go on while the line is busy."""

    def write(self, text: str) -> int:
        unsent = text.replace("\n", "\r\n").encode()  # as MicroPython does on USB
        while unsent:
            if control.is_stalled:
                control.take()
            else:
                unsent = unsent[os.write(1, unsent) :]
        return len(text)


class Input:
    """Standard input without a buffer of Python's, which a poll would not see."""

    def __init__(self) -> None:
        self.buffer = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115

    def fileno(self) -> int:
        return 0


def ticks_diff(end: int, start: int) -> int:
    """As MicroPython's documentation has it."""
    return (end - start + TICKS // 2) % TICKS - TICKS // 2


control = Control(int(sys.argv[2]))
python: Any = time
python.ticks_ms = lambda: control.now % TICKS
python.ticks_diff = ticks_diff
python.sleep_ms = lambda _milliseconds: control.sleep()
standard: Any = sys
standard.stdin, standard.stdout = Input(), Output()
runpy.run_path(sys.argv[1], run_name="__main__")
