"""A microcontroller's example program, running on this computer behind a real pseudo-terminal."""

import os
import socket
import subprocess
import sys
import tty
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support import DEADLINE, require_program

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Where the example has what."""

    button: int
    colours: tuple[int, int, int]
    led: int | str
    battery: int


ARDUINO = Pins(button=2, colours=(9, 10, 11), led=13, battery=14)
PICO = Pins(button=15, colours=(16, 17, 18), led="LED", battery=28)


class SketchBoard:
    """Runs a program whose serial port is a pseudo-terminal, its pins and its clock the test's."""

    def __init__(self, arguments: list[str], pins: Pins) -> None:
        self.pins = pins
        self._arguments = arguments

    def __enter__(self) -> Self:
        master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._control, theirs = socket.socketpair()
        self._control.settimeout(DEADLINE)
        self._answers = self._control.makefile("r")
        self._process = subprocess.Popen(
            [*self._arguments, str(theirs.fileno())],
            stdin=master,
            stdout=master,
            pass_fds=[theirs.fileno()],
        )
        os.close(master)
        theirs.close()
        return self

    def __exit__(self, *_error: object) -> None:
        self._answers.close()
        self._control.close()
        status = self._process.wait(DEADLINE)
        os.close(self._slave)
        assert status == 0

    def do(self, *commands: str) -> list[str]:
        """Let commands happen; board.cpp says which there are. Return what each answers."""
        self._control.sendall("".join(f"{command}\n" for command in commands).encode())
        return [self._answers.readline().rstrip() for _ in commands]

    def press(self, *edges: tuple[bool, int]) -> None:
        """Let the contact close or open at moments in milliseconds."""
        steps = (
            (f"at {moment}", f"pin {self.pins.button} {int(not is_pressed)}")
            for is_pressed, moment in edges
        )
        assert {*self.do(*(command for step in steps for command in step))} <= {"ok"}

    def see(self, *pins: int | str) -> tuple[int, ...]:
        """Return what pins are set to, 0 to 255."""
        return tuple(int(answer) for answer in self.do(*(f"see {pin}" for pin in pins)))


def arduino(directory: Path, *options: str) -> SketchBoard:
    """Compile the sketch as the Arduino IDE would, but for this computer."""
    program = directory / "board"
    subprocess.run(
        [
            require_program("g++", "g++"),
            *("-std=gnu++11", "-Wall", "-Wextra", "-Werror"),
            *(f"-D{option}" for option in options),
            f"-I{HERE / 'arduino'}",
            *("-include", "Arduino.h", "-x", "c++"),
            str(ROOT / "examples/arduino/iot_button/iot_button.ino"),
            str(HERE / "arduino/board.cpp"),
            *("-o", str(program)),
        ],
        check=True,
    )
    return SketchBoard([str(program)], ARDUINO)


def micropython(directory: Path, **changes: str) -> SketchBoard:
    """Run the example under this Python; `changes` are constants at its head."""
    text = (ROOT / "examples/micropython/main.py").read_text()
    for name, value in changes.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(line, f"{name} = {value}")
    program = directory / "main.py"
    program.write_text(text)
    return SketchBoard([sys.executable, str(HERE / "micropython/board.py"), str(program)], PICO)
