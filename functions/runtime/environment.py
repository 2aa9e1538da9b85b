"""An execution environment, seen from outside: a process that runs a handler, one event at a time.

It runs `inside/bootstrap.py` in a fresh interpreter. Events wait in a datagram socket, from which
the process takes one when it is idle; so the next event costs it no round trip, and what it has not
taken, we can take back (the kernel decides who gets a datagram). Results come by a pipe, and what
the handler writes by another.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from functions.runtime.event_socket import EventSocket
from functions.runtime.frames import Frame, Frames, Kind, NoFrameError
from functions.runtime.manifest.model import FunctionSpec
from functions.runtime.runs import Ended, Run, crashed, last_words, timed_out
from iot_button.loop import READ, Loop, Timer

log = logging.getLogger(__name__)

BOOTSTRAP = Path(__file__).parent / "inside" / "bootstrap.py"
_GIVE_BACK = signal.SIGUSR2
_CHUNK = 65_536
_MOST_LOG_AT_ONCE = 16
_EXIT_TIMEOUT = 5.0
_INIT_TIMEOUT = 10.0
"""Seconds for the import of a handler: AWS's limit for the init phase."""


class Owner(Protocol):
    """Who has the environment: its pool."""

    def on_progress(self, environment: "Environment") -> None:
        """Hear that it has ended some runs, or is ready for its first."""

    def on_gone(self, environment: "Environment", unstarted: list[Run]) -> None:
        """Hear that its process has ended; these runs were not begun."""

    def on_returned(self, environment: "Environment", unstarted: list[Run]) -> None:
        """Hear of runs that it had taken and not begun, and has given back."""

    def on_output(self, _environment: "Environment", request_id: str, text: bytes) -> None:
        """Hear what its handler has written."""

    def on_ended(self, _environment: "Environment", run: Run, ended: Ended) -> None:
        """Hear that a run has ended, this way or that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every environment of a function is started with. `folder`: for events too large."""

    spec: FunctionSpec
    variables: Mapping[str, str]
    arn: str
    log_stream: str
    folder: Path


class Environment:
    """One worker process, from `start` to `on_gone`. All on the loop's thread."""

    def __init__(self, loop: Loop, plan: Plan, owner: Owner) -> None:
        self.runs: deque[Run] = deque()
        """Those handed over and not ended; the first is the one that runs."""
        self.is_ready = False
        self.is_stopping = False
        self.idle_since = 0.0
        self.head_since = 0.0
        self.init_duration: float | None = None
        self._loop = loop
        self._plan = plan
        self._owner = owner
        self._frames = Frames()
        self._timer: Timer | None = None
        self._logged_id = ""
        self._offspring: list[int] = []
        self._is_killed_for_time = False
        self._has_failed_to_begin = False

    def start(self) -> None:
        """Start the process.

        Raises:
            OSError: the machine has no room for another.
        """
        self._events = EventSocket(self._plan.folder)
        self._results, results_in = os.pipe()
        self._log, log_in = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, str(BOOTSTRAP), self._configuration(results_in)],
                stdin=subprocess.DEVNULL,
                stdout=log_in,
                stderr=log_in,
                pass_fds=(self._events.inside, results_in),
                env=dict(self._plan.variables),
                cwd=self._plan.spec.root,
                start_new_session=True,  # what it leaves behind is ended with it
            )
        except OSError:
            self._close_files()
            raise
        finally:
            os.close(results_in)
            os.close(log_in)
        for fd in (self._results, self._log):
            os.set_blocking(fd, False)
        self._watch()
        self.head_since = time.monotonic()
        self._timer = self._loop.call_later(_INIT_TIMEOUT, self._init_takes_too_long)

    def hand_over(self, runs: Sequence[Run]) -> int:
        """Give it events; return how many of them it got: fewer when they are large, or many."""
        taken = self._events.put(runs)
        if taken and not self.runs and self.is_ready:
            self._begin_head()
        self.runs.extend(runs[:taken])
        return taken

    def take_back(self) -> list[Run]:
        """Take back the events that it has not taken yet, in order.

        What it has taken and not begun, of a pack, is asked for: see `Owner.on_returned`.
        """
        taken = [self.runs.pop() for _ in range(min(self._events.take_back(), len(self.runs)))]
        for run in taken:
            self._events.forget(run)
        if len(self.runs) > 1 and self.is_ready and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(_GIVE_BACK)
        return taken[::-1]

    def stop(self) -> None:
        """Let it end after what it has; it runs its exit functions."""
        self.is_stopping = True
        self._note_offspring()
        self._events.stop()
        if not self.runs:
            self._loop.call_later(_EXIT_TIMEOUT, self.kill)

    def kill(self) -> None:
        """End it now, with all that it started; nothing happens where it has ended."""
        self.is_stopping = True
        if self._process.returncode is not None:
            return
        self._note_offspring()
        self._end_offspring()

    @property
    def process_id(self) -> int:
        """The process's id."""
        return self._process.pid

    def _end_offspring(self) -> None:
        """End what it started: its group, and its children with a session of their own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for handle in self._offspring:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        self._offspring.clear()

    def _note_offspring(self) -> None:
        """Hold on to what it has started: by handles, as a number can soon be another process's."""
        for pid in descendants(self._process.pid):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                self._offspring.append(os.pidfd_open(pid))

    # Starting.

    def _configuration(self, results: int) -> str:
        spec = self._plan.spec
        configuration: dict[str, Any] = {
            "events": self._events.inside,
            "results": results,
            "handler": spec.handler,
            "root": str(spec.root),
            "timeout": spec.timeout,
            "name": spec.name,
            "memory": spec.memory_megabytes,
            "arn": self._plan.arn,
            "version": "$LATEST",
            "logGroup": f"/aws/lambda/{spec.name}",
            "logStream": self._plan.log_stream,
            "parent": os.getpid(),
        }
        return json.dumps(configuration)

    def _watch(self) -> None:
        self._loop.watch(self._log, READ, self._read_log)
        self._loop.watch(self._results, READ, self._read_results)
        # The pipes' end is no sign: a child that the handler left behind may hold them open.
        self._pidfd = os.pidfd_open(self._process.pid) if hasattr(os, "pidfd_open") else -1
        if self._pidfd >= 0:
            self._loop.watch(self._pidfd, READ, self._ended)
        else:
            self._loop.call_later(0.05, self._poll)

    def _poll(self) -> None:
        if self._process.poll() is None:
            self._loop.call_later(0.05, self._poll)
        else:
            self._ended()

    # Running.

    def _begin_head(self) -> None:
        self.head_since = time.monotonic()
        # One timer for many events: when it rings it looks who runs now.
        if self._timer is None:
            self._timer = self._loop.call_later(self._plan.spec.timeout, self._check_timeout)

    def _check_timeout(self) -> None:
        self._timer = None
        if not self.runs or not self.is_ready:
            return
        deadline = self.head_since + self._plan.spec.timeout
        if time.monotonic() >= deadline:
            self._is_killed_for_time = True
            self.kill()
        else:
            self._timer = self._loop.call_at(deadline, self._check_timeout)

    def _init_takes_too_long(self) -> None:
        self._timer = None
        self._is_killed_for_time = True
        self.kill()

    def _read_results(self) -> None:
        try:
            data = os.read(self._results, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._loop.unwatch(self._results)
            return
        # What was written before these results is in its pipe by now, and comes before them.
        self._read_log()
        try:
            for frame in self._frames.feed(data):
                self._take(frame)
        except NoFrameError as error:
            log.error("%s: the handler wrote into our pipe: %s", self._plan.spec.name, error)
            self._loop.unwatch(self._results)
            self.kill()
            return
        if not self.is_stopping and self.is_ready and not self.runs:
            self.idle_since = time.monotonic()
        self._owner.on_progress(self)

    def _take(self, frame: Frame) -> None:
        if frame.kind > Kind.GIVEN_BACK:
            raise NoFrameError(f"a frame of kind {frame.kind}")
        memory = frame.memory // 1024
        if frame.kind in (Kind.SUCCESS, Kind.FAILURE):
            init_duration, self.init_duration = self.init_duration, None
            is_error = frame.kind == Kind.FAILURE
            self._end(Ended(is_error, frame.body, frame.duration, memory, init_duration))
            return
        if frame.kind == Kind.GIVEN_BACK:
            self._take_given_back(frame.sequence, int.from_bytes(frame.body, "little"))
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if frame.kind == Kind.READY:
            self.is_ready = True
            self.init_duration = frame.duration
            if self.runs:
                self.runs[0].is_cold = True
                self._begin_head()
            return
        self._has_failed_to_begin = True
        if self.runs:
            # As on AWS, the event that met the broken handler fails with the reason.
            self._end(Ended(True, frame.body, 0.0, memory, frame.duration))

    def _take_given_back(self, first: int, count: int) -> None:
        given_back = [run for run in self.runs if first <= run.sequence < first + count]
        for run in given_back:
            self.runs.remove(run)
            self._events.forget(run)
        self._owner.on_returned(self, given_back)

    def _end(self, ended: Ended) -> None:
        if not self.runs:
            raise NoFrameError("a result of no event")
        run = self.runs.popleft()
        run.begun = self.head_since
        self._events.forget(run)
        if self._logged_id == run.request_id:
            self._logged_id = ""
        if self.runs:
            self.head_since = time.monotonic()
        self._owner.on_ended(self, run, ended)

    def _read_log(self) -> None:
        for _ in range(_MOST_LOG_AT_ONCE):
            try:
                data = os.read(self._log, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._loop.unwatch(self._log)
                return
            self._take_output(data)
            if len(data) < _CHUNK:
                return

    def _take_output(self, data: bytes) -> None:
        """Say whose output it is: a marker line names the request that what follows belongs to."""
        before, *marked = data.split(b"\x1e")
        head = self.runs[0].request_id if self.runs else ""
        if before:
            self._owner.on_output(self, self._logged_id or head, before)
        for part in marked:
            name, _, text = part.partition(b"\n")
            known = name.decode("ascii", "replace")
            if any(run.request_id == known for run in self.runs):
                self._logged_id = known
            else:
                text = part  # no mark of ours
            if text:
                self._owner.on_output(self, self._logged_id or head, text)

    # Ending.

    def _ended(self) -> None:
        if self._pidfd >= 0:
            self._loop.unwatch(self._pidfd)
            os.close(self._pidfd)
        status = self._process.wait()
        self._end_offspring()
        self._read_results()
        self._read_log()
        if self._timer is not None:
            self._timer.cancel()
        unstarted = self.take_back()
        if not self.is_ready and not self._has_failed_to_begin:
            # It ended before it took an event: as if it had crashed at the first.
            unstarted = [*self.runs, *unstarted]
            self.runs = deque([unstarted.pop(0)] if unstarted else [])
        self.is_stopping = True
        if self.runs:
            why = self._why(self.runs[0], status)
            self._owner.on_output(self, self.runs[0].request_id, last_words(why))
            self._end(why)
        unstarted = [*self.runs, *unstarted]
        self.runs.clear()
        self._close_files()
        self._owner.on_gone(self, unstarted)

    def _why(self, run: Run, status: int) -> Ended:
        late = time.monotonic() - self.head_since >= self._plan.spec.timeout
        if self._is_killed_for_time or (late and status == -signal.SIGALRM):  # its own guard
            return timed_out(run, self._plan.spec.timeout if self.is_ready else _INIT_TIMEOUT)
        return crashed(run, status, time.monotonic() - self.head_since)

    def _close_files(self) -> None:
        for fd in (self._results, self._log):
            self._loop.unwatch(fd)
            os.close(fd)
        self._events.close()


def descendants(pid: int) -> list[int]:
    """Return a process's children, their children and so on; where there is no /proc, nobody."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found
