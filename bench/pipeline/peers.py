"""The peers: who does the flow, how each is made ready, and how it is started.

All are given the IP address as a constant but ours, whose function asks the system for it each
time (10 microseconds a click).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.pipeline import node_red
from bench.pipeline.stage import HOST
from bench.system import environment
from iot_button.errors import IotButtonError
from iot_button.settings import known_names

SOURCES = Path(__file__).parents[1] / "peers"
IP_ADDRESS = "192.0.2.17"

Command = Callable[[int, Path], list[str]]
"""Makes a command line from the broker's port and a directory that is the peer's own."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One that does the flow. `name` is for the command line, `title` for people."""

    name: str
    title: str
    command: Command


class LeftOutError(IotButtonError):
    """A peer that cannot run on this machine, and why."""


def peer_environment(home: Path) -> dict[str, str]:
    """Return our environment without settings, with an empty home and no fixed HTTP port."""
    more = {"IOT_BUTTON_FUNCTIONS_PORT": "0"} if "functions.port" in known_names() else {}
    return environment(str(home)) | more


def ours(_build: Path, _cache: Path) -> Peer:
    def command(port: int, directory: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "iot_button", "functions"),
            *("--broker", f"mqtt://{HOST}:{port}", "--state-dir", str(directory / "state")),
        ]

    return Peer(name="ours", title="iot-button", command=command)


def node_red_flow(_build: Path, cache: Path) -> Peer:
    try:
        words = node_red.install(cache)
    except IotButtonError as error:
        raise LeftOutError(error.problem) from error

    def command(port: int, directory: Path) -> list[str]:
        return [*words, *node_red.flow_options(directory, HOST, port, IP_ADDRESS)]

    return Peer(name="node-red", title=f"Node-RED {node_red.NODE_RED_VERSION}", command=command)


def c_loop(build: Path, _cache: Path) -> Peer:
    try:
        program = compile_c("loop", build, "-lmosquitto")
    except IotButtonError as error:
        reason = "it does not compile; libmosquitto's headers are in Debian's libmosquitto-dev"
        raise LeftOutError(f"{reason}\n{error}") from error

    def command(port: int, _directory: Path) -> list[str]:
        return [str(program), HOST, str(port), IP_ADDRESS]

    return Peer(name="c", title="C, libmosquitto", command=command)


def _paho(name: str, title: str, *options: str) -> Callable[[Path, Path], Peer]:
    def command(port: int, _directory: Path) -> list[str]:
        script = str(SOURCES / "paho_loop.py")
        return [sys.executable, script, HOST, str(port), IP_ADDRESS, *options]

    return lambda _build, _cache: Peer(name=name, title=title, command=command)


KNOWN: dict[str, Callable[[Path, Path], Peer]] = {
    "ours": ours,
    "node-red": node_red_flow,
    "paho": _paho("paho", "paho, plain"),
    "paho-nodelay": _paho("paho-nodelay", "paho, TCP_NODELAY", "--nodelay"),
    "c": c_loop,
}
"""name -> makes it ready. Takes a directory to build in and one to keep installations in.

Raises LeftOutError where it cannot run on this machine.
"""


def compile_c(name: str, build: Path, *libraries: str) -> Path:
    """Compile one of bench/peers/*.c.

    Raises:
        IotButtonError: there is no C compiler, or it refuses.
    """
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    if compiler is None:
        raise IotButtonError(
            "there is no C compiler; the load generator needs one",
            mend="install one: sudo apt-get install gcc libc6-dev",
        )
    program = build / name
    words = [compiler, "-O2", "-D_GNU_SOURCE", "-o", str(program), str(SOURCES / f"{name}.c")]
    done = subprocess.run(
        [*words, *libraries],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(build)},  # broken off, it leaves nothing elsewhere
    )
    if done.returncode != 0:
        raise IotButtonError(f"{name}.c does not compile", mend=done.stderr.strip()[:400])
    return program
