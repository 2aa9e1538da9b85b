"""A process in a session of its own: it is started, its end is noticed, and its offspring ended."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from iot_button.loop import READ, Loop

_POLL_EVERY = 0.05
"""Seconds, where the system tells of no process's end."""


class WorkerProcess:
    """One process, from `start` to `on_ended`. All on the loop's thread.

    Args:
        on_ended: called with how it ended (as of `subprocess`), when nothing that it started is
            left.
    """

    def __init__(self, loop: Loop, on_ended: Callable[[int], None]) -> None:
        self._loop = loop
        self._on_ended = on_ended
        self._offspring: list[int] = []

    def start(
        self,
        command: Sequence[str],
        *,
        variables: Mapping[str, str],
        folder: Path,
        output: int,
        files: Sequence[int],
    ) -> None:
        """Start it.

        Args:
            command: its program and its arguments.
            variables: its environment variables; it gets no others.
            folder: its working directory.
            output: the file that its standard output and error go to.
            files: what else it has open.

        Raises:
            OSError: the machine has no room for another.
        """
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=files,
            env=dict(variables),
            cwd=folder,
            start_new_session=True,  # what it leaves behind is ended with it
        )

    def watch(self) -> None:
        """Notice its end from here on."""
        # A pipe's end is no sign: a child that the handler left behind may hold it open.
        self._pidfd = os.pidfd_open(self._process.pid) if hasattr(os, "pidfd_open") else -1
        if self._pidfd >= 0:
            self._loop.watch(self._pidfd, READ, self._ended)
        else:
            self._loop.call_later(_POLL_EVERY, self._poll)

    @property
    def id(self) -> int:
        """Its number."""
        return self._process.pid

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing happens where it has ended."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def note_offspring(self) -> None:
        """Hold on to what it has started: by handles, as a number can soon be another process's."""
        for pid in _descendants(self._process.pid):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                self._offspring.append(os.pidfd_open(pid))

    def kill(self) -> None:
        """End it now, with all that it started; nothing happens where it has ended."""
        if self._process.returncode is None:
            self.note_offspring()
            self._end_all()

    def _end_all(self) -> None:
        """End its group, and its children with a session of their own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for handle in self._offspring:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        self._offspring.clear()

    def _poll(self) -> None:
        if self._process.poll() is None:
            self._loop.call_later(_POLL_EVERY, self._poll)
        else:
            self._ended()

    def _ended(self) -> None:
        if self._pidfd >= 0:
            self._loop.unwatch(self._pidfd)
            os.close(self._pidfd)
        status = self._process.wait()
        self._end_all()
        self._on_ended(status)


def _descendants(pid: int) -> list[int]:
    """Return a process's children, their children and so on; where there is no /proc, nobody."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *_descendants(child)]
    return found
