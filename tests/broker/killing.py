"""A broker's processes: how much memory they have, and a kill that leaves no time to save."""

import contextlib
import os
import signal
from pathlib import Path

from tests.support import Program


def processes(broker: Program) -> list[int]:
    """Return the broker's process and its children."""
    pid = broker.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def memory(broker: Program) -> int:
    """Return bytes of memory that a broker has in use."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes(broker))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def kill(broker: Program) -> None:
    """Kill a broker, first of all the process that listens, so that nothing can be saved."""
    for pid in reversed(processes(broker)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    broker.end()
