"""An execution environment, seen from outside: a process that runs a handler, one event at a time.

It runs `inside/bootstrap.py` in a fresh interpreter. Events wait in a datagram socket, from which
the process takes one when it is idle; so the next event costs it no round trip, and what it has not
taken, we can take back (the kernel decides who gets a datagram). Results come by a pipe, and what
the handler writes by another.
"""

import functools
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from functions.runtime.event_socket import EventSocket
from functions.runtime.frames import Frame, Frames, Kind, NoFrameError
from functions.runtime.handler_output import HandlerOutput
from functions.runtime.plan import Plan
from functions.runtime.runs import Ended, Run, last_words
from functions.runtime.time_limit import TimeLimit
from functions.runtime.worker_process import WorkerProcess
from iot_button.loop import READ, Loop

log = logging.getLogger(__name__)

BOOTSTRAP = Path(__file__).parent / "inside" / "bootstrap.py"
_GIVE_BACK = signal.SIGUSR2
_CHUNK = 65_536
_EXIT_TIMEOUT = 5.0


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


class Environment:
    """One worker process, from `start` to `on_gone`. All on the loop's thread."""

    def __init__(self, loop: Loop, plan: Plan, owner: Owner) -> None:
        self.runs: deque[Run] = deque()
        """Those handed over and not ended; the first is the one that runs."""
        self.is_ready = False
        self.is_stopping = False
        self.idle_since = 0.0
        self.init_duration: float | None = None
        self.limit = TimeLimit(
            loop,
            plan.spec.timeout,
            is_running=lambda: bool(self.runs) and self.is_ready,
            kill=self.kill,
        )
        self._loop = loop
        self._plan = plan
        self._owner = owner
        self._frames = Frames()
        self._output = HandlerOutput(loop, self.runs, functools.partial(owner.on_output, self))
        self._process = WorkerProcess(loop, self._ended)
        self._has_failed_to_begin = False

    def start(self) -> None:
        """Start the process.

        Raises:
            OSError: the machine has no room for another.
        """
        self._events = EventSocket(self._plan.folder)
        self._results, results_in = os.pipe()
        log_in = self._output.open()
        try:
            self._process.start(
                [
                    sys.executable,
                    str(BOOTSTRAP),
                    self._plan.configuration(events=self._events.inside, results=results_in),
                ],
                variables=self._plan.variables,
                folder=self._plan.spec.root,
                output=log_in,
                files=(self._events.inside, results_in),
            )
        except OSError:
            self._close_files()
            raise
        finally:
            os.close(results_in)
            os.close(log_in)
        os.set_blocking(self._results, False)
        self._output.watch()
        self._loop.watch(self._results, READ, self._read_results)
        self._process.watch()
        self.limit.begin_init()

    def hand_over(self, runs: Sequence[Run]) -> int:
        """Give it events; return how many of them it got: fewer when they are large, or many."""
        taken = self._events.put(runs)
        if taken and not self.runs and self.is_ready:
            self.limit.begin()
        self.runs.extend(runs[:taken])
        return taken

    def take_back(self) -> list[Run]:
        """Take back the events that it has not taken yet, in order.

        What it has taken and not begun, of a pack, is asked for: see `Owner.on_returned`.
        """
        taken = [self.runs.pop() for _ in range(min(self._events.take_back(), len(self.runs)))]
        for run in taken:
            self._events.forget(run)
        if len(self.runs) > 1 and self.is_ready:
            self._process.send_signal(_GIVE_BACK)
        return taken[::-1]

    def stop(self) -> None:
        """Let it end after what it has; it runs its exit functions."""
        self.is_stopping = True
        self._process.note_offspring()
        self._events.stop()
        if not self.runs:
            self._loop.call_later(_EXIT_TIMEOUT, self.kill)

    def kill(self) -> None:
        """End it now, with all that it started; nothing happens where it has ended."""
        self.is_stopping = True
        self._process.kill()

    @property
    def process_id(self) -> int:
        """The process's id."""
        return self._process.id

    # Running.

    def _read_results(self) -> None:
        try:
            data = os.read(self._results, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._loop.unwatch(self._results)
            return
        # What was written before these results is in its pipe by now, and comes before them.
        self._output.read()
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
        self.limit.cancel()
        if frame.kind == Kind.READY:
            self.is_ready = True
            self.init_duration = frame.duration
            if self.runs:
                self.runs[0].is_cold = True
                self.limit.begin()
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
        run.begun = self.limit.since
        self._events.forget(run)
        if self._output.request_id == run.request_id:
            self._output.request_id = ""
        if self.runs:
            self.limit.since = time.monotonic()
        self._owner.on_ended(self, run, ended)

    # Ending.

    def _ended(self, status: int) -> None:
        self._read_results()
        self._output.read()
        self.limit.cancel()
        unstarted = self.take_back()
        if not self.is_ready and not self._has_failed_to_begin:
            # It ended before it took an event: as if it had crashed at the first.
            unstarted = [*self.runs, *unstarted]
            self.runs.clear()
            self.runs.extend(unstarted[:1])
            del unstarted[:1]
        self.is_stopping = True
        if self.runs:
            why = self.limit.why(self.runs[0], status, is_ready=self.is_ready)
            self._owner.on_output(self, self.runs[0].request_id, last_words(why))
            self._end(why)
        unstarted = [*self.runs, *unstarted]
        self.runs.clear()
        self._close_files()
        self._owner.on_gone(self, unstarted)

    def _close_files(self) -> None:
        self._loop.unwatch(self._results)
        os.close(self._results)
        self._output.close()
        self._events.close()
