"""`iot-button device keyboard` as a person starts it: a real process on a real terminal."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from iot_button.lifetime import INTERRUPTED
from tests.conftest import Start
from tests.device_sim.terminals import PlayedTerminal
from tests.support import DEADLINE, Program, eventually, require_program

ON_ITS_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))  # of a session without one, it is then the terminal
os.execv(sys.argv[1], sys.argv[1:])
"""
KITTY = 0b11111
Run = Callable[..., "Running"]


class Running:
    """A program on a played terminal that is its own."""

    def __init__(
        self,
        terminal: PlayedTerminal,
        arguments: list[str],
        environment: Mapping[str, str],
        directory: Path,
    ) -> None:
        self.terminal = terminal
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_ITS_TERMINAL, *arguments],
            stdin=terminal.fd,
            stdout=terminal.fd,
            stderr=terminal.fd,
            start_new_session=True,
            env=dict(environment),
            cwd=directory,
        )

    def wait_for(self, text: str) -> list[str]:
        """Wait until the screen shows a text, and return its lines."""
        return (
            eventually(
                lambda: (lines := self.terminal.look()) and text in "\n".join(lines) and lines,
                what=f"{text!r} on the screen; it shows {self.terminal.lines}",
            )
            or []
        )

    def end(self) -> int:
        """Wait for the end and return the status; the screen is read meanwhile."""
        eventually(
            lambda: self.terminal.look() and self.process.poll() is not None,
            what=f"the end; the screen shows {self.terminal.lines}",
        )
        self.terminal.look()
        return self.process.wait(DEADLINE)


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    running: list[Running] = []
    terminals: list[PlayedTerminal] = []

    def run_one(*arguments: str, flags: int | None = None) -> Running:
        terminal = PlayedTerminal(flags=flags).__enter__()
        terminals.append(terminal)
        running.append(Running(terminal, list(arguments), environment, tmp_path))
        return running[-1]

    yield run_one
    for program in running:
        program.process.kill()
        program.process.wait(DEADLINE)
    for terminal in terminals:
        terminal.__exit__()


def keyboard(run: Run, *options: str, flags: int | None = None) -> Running:
    """Start it, on a broker that is not there if none is named."""
    if "--broker" not in options:
        options += ("--broker", "mqtt://127.0.0.1:9")
    ours = (sys.executable, "-m", "iot_button", "device", "keyboard", *options)
    program: Running = run(*ours, flags=flags)
    program.wait_for("space: ")
    return program


def assert_given_back(program: Running) -> None:
    assert program.terminal.mode() == program.terminal.before
    assert program.terminal.stack == [0]


def test_a_space_becomes_a_processed_click(run: Run, amqtt: Program, start: Start) -> None:
    broker = amqtt.address("mqtt")
    start("functions", "--broker", broker).wait_for("^ready")
    program = keyboard(run, "--broker", broker, "--serial", "DESK", flags=KITTY)
    program.wait_for("o ready")
    program.terminal.type(b"\x1b[32u\x1b[32;1:3u")
    program.wait_for("* processed")
    (click,) = (json.loads(line) for line in program.terminal.lines if line.startswith("{"))
    assert (click["serialNumber"], click["clickType"]) == ("DESK", "SINGLE")
    program.terminal.type(b"q")
    assert program.end() == 0
    assert_given_back(program)


@pytest.mark.parametrize(
    ("flags", "key"), [(None, b"\x03"), (KITTY, b"\x1b[99;5u")], ids=["signal", "protocol"]
)
def test_ctrl_c_ends_it_and_gives_the_terminal_back(
    run: Run, flags: int | None, key: bytes
) -> None:
    program = keyboard(run, flags=flags)
    program.terminal.type(key)
    assert program.end() == INTERRUPTED
    assert_given_back(program)


def test_sigterm_gives_the_terminal_back(run: Run) -> None:
    program = keyboard(run, flags=KITTY)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert_given_back(program)


@pytest.mark.parametrize(
    ("flags", "key"), [(None, b"\x1a"), (KITTY, b"\x1b[122;5u")], ids=["byte", "protocol"]
)
def test_ctrl_z_gives_the_terminal_back_until_fg(run: Run, flags: int | None, key: bytes) -> None:
    bash = require_program("bash", "bash")
    require_program("ps", "procps")
    stat = "ps -o stat= -p $(jobs -p)"
    ours = f"{sys.executable} -m iot_button device keyboard --broker mqtt://127.0.0.1:9"
    program: Running = run(bash, "-mc", f"{ours}; {stat}; echo AWAY; read; fg", flags=flags)
    program.wait_for("space: ")
    if flags:
        program.terminal.type(b"\x1b[32u")  # held, and let go of while nobody listens
    program.terminal.type(key)
    lines = program.wait_for("AWAY")
    assert "T" in lines[lines.index("AWAY") - 1]  # stopped, as ps has it
    assert_given_back(program)
    program.terminal.type(b"\n")
    eventually(
        lambda: program.terminal.look() and program.terminal.takes_keys_one_by_one, what="fg"
    )
    if flags:
        eventually(
            lambda: program.terminal.look() and program.terminal.stack[-1], what="flags pushed"
        )
        program.wait_for("SINGLE")
    program.terminal.type(b"\x1b[99;5u" if flags else b"\x03")
    assert program.end() == INTERRUPTED
    assert_given_back(program)


def test_it_needs_a_terminal_and_says_so(start: Start) -> None:
    program = start("device", "keyboard")
    assert program.end() == 1
    assert program.said == [
        "iot-button: standard input is no terminal, so it has no space bar",
        "  press once with `iot-button press`, or send edges to `iot-button device replay -`",
    ]


def test_standard_input_cannot_be_the_keyboard_and_the_supervisor(start: Start) -> None:
    program = start("device", "keyboard", "--until-stdin-closes")
    assert program.end() == 2
    assert "--until-stdin-closes is not for the keyboard" in "\n".join(program.said)
