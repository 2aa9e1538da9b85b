"""Child processes from start to end, and what a whole tree of them costs."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.system import TICKS, proportional, resident
from iot_button.errors import IotButtonError

STOP_TIMEOUT = 5.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A process tree's memory in MB, the root first; `pss` divides pages that are shared."""

    rss_of_each: list[float]
    pss: float

    @property
    def rss(self) -> float:
        return sum(self.rss_of_each)

    @property
    def rss_with_one_child(self) -> float:
        """The root and the largest other process: for ours, the runtime and one worker."""
        root, *children = self.rss_of_each
        return root + max(children, default=0.0)


def tree(root: int) -> list[int]:
    """Return a process and all that descend from it, the root first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_fields(int(entry.name))[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """Return the processor time of a process tree, of children that have ended too.

    What runs is read from its CPU clock in nanoseconds, as ticks of 10 ms are too coarse for a
    short load; what has ended and was waited for is in its parent's count (proc(5): cutime).
    """
    used = 0.0
    for pid in reversed(tree(root)):
        with contextlib.suppress(OSError):
            # The clock's id as clock_getcpuclockid(3) makes it on Linux.
            used += time.clock_gettime(~pid << 3 | 2)
            used += sum(map(int, _fields(pid)[13:15])) / TICKS
    return used


def memory(root: int) -> Memory:
    """Return what a process tree holds at this moment."""
    sizes, pss = [], 0.0
    for pid in tree(root):
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            sizes.append(resident(pid))
            pss += proportional(pid)
    return Memory(rss_of_each=sizes, pss=pss)


@contextlib.contextmanager
def running(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], talks: bool = False
) -> Iterator["subprocess.Popen[str]"]:
    """Run a program until the end of the block; what it says goes to `log`.

    It gets a session of its own, so that Ctrl-C comes to us alone and we end things in order.
    One that `talks` has pipes for its input and its standard output.
    """
    with log.open("w") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else said,
            stderr=said,
            env=environment,
            cwd=log.parent,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def check_running(process: "subprocess.Popen[str]", *, name: str, log: Path) -> None:
    """Raise an error that shows a program's last words when it has ended."""
    if process.poll() is not None:
        raise IotButtonError(
            f"{name} has ended by itself with status {process.returncode}", mend=last_words(log)
        )


def last_words(log: Path) -> str:
    """Return the end of what a program said."""
    return "\n  ".join(log.read_text(errors="replace").splitlines()[-5:]) or "it said nothing"


def _end(process: "subprocess.Popen[str]") -> None:
    family = {pid: _started(pid) for pid in tree(process.pid)}
    process.terminate()
    try:
        process.communicate(timeout=STOP_TIMEOUT)  # reads on, so that no pipe is full
    except subprocess.TimeoutExpired:
        process.kill()
    finally:
        for pid, started in family.items():  # a child may outlive its parent
            if pid != process.pid and started and _started(pid) == started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def _started(pid: int) -> str:
    with contextlib.suppress(OSError):
        return _fields(pid)[19]
    return ""


def _fields(pid: int) -> list[str]:
    """Return /proc/PID/stat from the third field (the state) on; the second may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
