"""Everything at once, as `iot-button up` starts it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.support import Program

FREE_PORTS = ("--port", "0", "--websocket-port", "0", "--dashboard-port", "0")
Up = Callable[..., Program]


@pytest.fixture
def up(start: Start) -> Up:
    """Start `iot-button up OPTIONS` on free ports and wait for its ready line."""

    def up_ready(*options: str, **more: str) -> Program:
        program = start("up", *FREE_PORTS, *options, **more)
        program.wait_for("^ready up", deadline=30)
        return program

    return up_ready


def children(pid: int) -> dict[str, int]:
    """Return the parts that `up` runs: subcommand -> process id."""
    found = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and "iot_button" in words:
            found[words[words.index("iot_button") + 1]] = int(process.name)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
