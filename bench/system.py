"""What the benchmarks share: the whole system on free ports, and what its processes cost."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class System:
    """`iot-button up OPTIONS` on free ports, from `with` to the end of its block."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._directory = tempfile.TemporaryDirectory()
        self.said: list[str] = []
        self._ready = threading.Event()

    def __enter__(self) -> "System":
        ports = ["--port", "0", "--websocket-port", "0", "--dashboard-port", "0"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "iot_button", "up", *ports, *self._options],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self._directory.name),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(30):
            raise TimeoutError(f"not ready: {self.said}")
        return self

    def __exit__(self, *_details: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self._reader.join(10)
        self._directory.cleanup()

    def address(self, name: str) -> str:
        """Return an address from the ready line."""
        line = next(line for line in self.said if line.startswith("ready"))
        found = re.search(rf"\b{name}=(\S+)", line)
        if found is None:
            raise KeyError(name)
        return found[1]

    def processes(self) -> dict[str, int]:
        """Return every process of the system: name -> process id."""
        return {"up": self.process.pid} | dict(_descendants(self.process.pid))

    def _read(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - it is a PIPE
        with self.process.stderr:
            for line in self.process.stderr:
                self.said.append(line.rstrip())
                if line.startswith("ready"):
                    self._ready.set()


def environment(home: str) -> dict[str, str]:
    """Return our environment without settings, and with a home of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IOT_BUTTON_", "XDG_"))}
    return kept | {"HOME": home, "PYTHONUNBUFFERED": "1"}


def resident(pid: int) -> float:
    """Return a process's resident set in MB, shared pages counted in full."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1000


def proportional(pid: int) -> float:
    """Return a process's share of memory in MB, shared pages divided among their users."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0]) / 1000


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_share(pids: list[int], seconds: float) -> float:
    """Watch processes for a while; return what they used together, 1.0 being one core."""
    before = sum(map(cpu_seconds, pids))
    time.sleep(seconds)
    return (sum(map(cpu_seconds, pids)) - before) / seconds


def _descendants(parent: int) -> Iterator[tuple[str, int]]:
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(process.name)
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            words = (process / "cmdline").read_bytes().decode().split("\0")
            if int(fields[1]) == parent:
                is_ours = "iot_button" in words
                yield words[words.index("iot_button") + 1] if is_ours else words[0], pid
                yield from _descendants(pid)
