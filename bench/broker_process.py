"""`iot-button broker` as a child process, to be killed and started again on the same ports."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from bench.raw_mqtt import ClosedError, RawClient
from bench.system import environment, resident

TITLES = {"amqtt": "embedded", "mosquitto": "mosquitto"}
_PROGRAM = (sys.executable, "-m", "iot_button", "broker")
_START = 20.0


class BrokerProcess:
    """A broker in a folder of its own, from `with` to the end of its block.

    Args:
        use: `amqtt`: our embedded broker; `mosquitto`.
        options: more of the command line.
    """

    def __init__(self, use: str, *options: str) -> None:
        self.use = use
        self.port = 0
        self._options = options
        self._directory = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self.stop()
        self._directory.cleanup()

    @property
    def folder(self) -> Path:
        """Its home: everything that it keeps lies below."""
        return Path(self._directory.name)

    def start(self) -> None:
        """Start it, for the second time on the same port, and wait until it is ready."""
        ports = ("--port", str(self.port), "--websocket-port", "0")
        self._output = (self.folder / "said").open("w+")
        self.process = subprocess.Popen(
            [*_PROGRAM, "--broker", self.use, *ports, *self._options],
            stderr=self._output,
            env=environment(self._directory.name),
            cwd=Path(__file__).parents[1],
        )
        deadline = time.monotonic() + _START
        while not (found := re.search(r"^ready .*\bmqtt=\S+:(\d+)", self.said, re.MULTILINE)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"{self.use} is not ready: {self.said}")
            time.sleep(0.01)
        self.port = int(found[1])

    @property
    def said(self) -> str:
        """What it has written on standard error since its start."""
        return (self.folder / "said").read_text()

    @property
    def pids(self) -> list[int]:
        """Its process and the children of that, those that listen last."""
        return pids_of(self.process.pid)

    @property
    def memory(self) -> float:
        """MB in use, of all its processes."""
        return sum(map(resident, self.pids))

    def kill(self) -> None:
        """Kill it, so that nothing more is saved, and wait until its port is free."""
        kill_all(self.process.pid)
        self.process.wait(10)
        wait_free(self.port)

    def stop(self) -> None:
        """End it in order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self._output.close()


def pids_of(pid: int) -> list[int]:
    """Return a process and its children."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for thread in threads for child in thread.read_text().split())]


def kill_all(pid: int) -> None:
    """Kill a process and its children, these first: a mosquitto told to end would save all."""
    for number in reversed(pids_of(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def wait_free(port: int, *, deadline: float = 15.0) -> None:
    """Wait until nobody listens on a port.

    Raises:
        TimeoutError: someone still does.
    """
    end = time.monotonic() + deadline
    while True:
        try:
            RawClient(port, timeout=1.0).close()
        except (ClosedError, OSError):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"port {port} is still in use")
        time.sleep(0.01)
