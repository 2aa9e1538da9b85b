"""The execution environments of one function: how many there are, and which event goes where.

Their number grows with the load up to the reserved concurrency, and shrinks when they idle. A fast
handler's events are handed to a busy environment ahead of time, so that none costs a round trip;
whatever waits there behind an event that takes long is taken back.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

from functions.runtime.environment import Environment
from functions.runtime.plan import Plan
from functions.runtime.runs import Ended, Run, error_response
from iot_button.loop import Loop, Timer

log = logging.getLogger(__name__)

DEEPEST = 64
"""Events in one environment's hands at most, the running one included."""
_AHEAD = 0.002
"""Seconds of work that an environment is given ahead."""
_LOOK_AFTER = 0.005
_STALLED_AFTER = 0.02
_MUCH_WORK = 0.05
"""Seconds of work that may wait, and that all environments may be stuck, before another is started:
a cold start costs some 40 ms of a core, in which a fast handler has done thousands of events."""
_IDLE_TIMEOUT = 600.0
_NEWEST_WEIGHT = 0.1


class Observer(Protocol):
    """Who keeps logs and metrics."""

    def on_output(self, request_id: str, text: bytes) -> None:
        """Hear what a handler has written."""

    def on_ended(self, run: Run, ended: Ended) -> None:
        """Hear that a run has ended; `run.on_ended` is called afterwards."""


class Pool:
    """Runs a function's events, in the order in which they come. All on the loop's thread.

    Args:
        limit: how many run at once at most; may be changed with `set_limit`.
        idle_timeout: seconds after which an environment with nothing to do is ended.
        is_open: says whether waiting events may be handed out at this moment.
    """

    def __init__(
        self,
        loop: Loop,
        plan: Plan,
        observer: Observer,
        *,
        limit: int,
        idle_timeout: float = _IDLE_TIMEOUT,
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self.waiting: deque[Run] = deque()
        self.environments: list[Environment] = []
        self._loop = loop
        self._plan = plan
        self._observer = observer
        self._limit = limit
        loop.at_end_of_turn(self.dispatch)
        self._idle_timeout = idle_timeout
        self._is_open = is_open
        self._usual_duration = 0.0
        self._growth: Timer | None = None
        self._watchdog: Timer | None = None
        self._reaper: Timer | None = None
        self._is_stopping = False

    def run(self, run: Run) -> None:
        """Take an event; it runs when its turn comes."""
        self.waiting.append(run)

    def warm_up(self) -> None:
        """Start the first environment before there is an event."""
        if not self.environments and self._limit > 0:
            self._grow()

    def set_limit(self, limit: int) -> None:
        """Change how many may run at once; those above it end when they have nothing to do."""
        self._limit = limit
        for environment in self._idle()[: max(0, len(self.environments) - limit)]:
            environment.stop()

    @property
    def limit(self) -> int:
        """How many may run at once."""
        return self._limit

    @property
    def running(self) -> int:
        """How many environments have an event."""
        return sum(1 for environment in self.environments if environment.runs)

    @property
    def is_full(self) -> bool:
        """Whether an event that came now would have to wait."""
        return bool(self.waiting) or self.running >= self._limit

    def stop(self) -> None:
        """End all environments that have nothing to do, and the others after their event."""
        self._is_stopping = True
        for timer in (self._growth, self._watchdog, self._reaper):
            if timer is not None:
                timer.cancel()
        for environment in self.environments:
            self._put_back(environment.take_back())
            environment.stop()

    def kill(self) -> None:
        """End all environments now."""
        for environment in list(self.environments):
            environment.kill()

    # What an environment tells us.

    def on_progress(self, environment: Environment) -> None:
        """Give it more to do."""
        if self._is_stopping or (
            not environment.runs and len(self.environments) > max(self._limit, 0)
        ):
            environment.stop()
        if not self.waiting:
            self._reap_later()

    def on_ended(self, _environment: Environment, run: Run, ended: Ended) -> None:
        """Pass on how a run ended."""
        # Capped: one event that hangs says nothing of the others.
        duration = min(ended.duration, _STALLED_AFTER)
        self._usual_duration += (duration - self._usual_duration) * _NEWEST_WEIGHT
        try:
            self._observer.on_ended(run, ended)
            run.on_ended(ended)
        except Exception:  # a full disk, say. Its source has it still, and those behind it go on
            log.exception("%s %s has no end", self._plan.spec.name, run.request_id)

    def on_output(self, _environment: Environment, request_id: str, text: bytes) -> None:
        """Pass on what a handler wrote."""
        self._observer.on_output(request_id, text)

    def on_gone(self, environment: Environment, unstarted: list[Run]) -> None:
        """Run elsewhere what it had not begun."""
        self.environments.remove(environment)
        self._put_back(unstarted)

    def on_returned(self, _environment: Environment, unstarted: list[Run]) -> None:
        """Run elsewhere what waited behind an event that takes long."""
        self._put_back(unstarted)

    # Who gets what.

    def dispatch(self) -> None:
        """Hand out what waits. Once at the end of a turn, so that events go several at a time."""
        while self.waiting and not self._is_stopping and self._is_open():
            environment = self._next_environment()
            if environment is None:
                self._grow_soon()
                return
            room = self._room(environment)
            taken = environment.hand_over([*islice(self.waiting, room)])
            if not taken:
                return
            for _ in range(taken):
                self.waiting.popleft()
            if len(environment.runs) > 1 and self._watchdog is None:
                self._watchdog = self._loop.call_later(_STALLED_AFTER, self._take_back_stalled)

    def _next_environment(self) -> Environment | None:
        """Return who should get the next events: one that idles, or one that soon will."""
        stalled_before = time.monotonic() - _STALLED_AFTER
        best: Environment | None = None
        for environment in self.environments:
            if environment.is_stopping:
                continue
            runs = len(environment.runs)
            if not runs and environment.is_ready:
                return environment
            if environment.is_ready and environment.limit.since < stalled_before:
                continue
            if best is None or runs < len(best.runs):
                best = environment
        if best is None:
            return None if self.environments else self._grow()
        return best if self._room(best) > 0 else None

    def _room(self, environment: Environment) -> int:
        """Return how many events an environment may be given ahead of time."""
        runs = len(environment.runs)
        if not environment.is_ready or not self._usual_duration:
            return 1 - runs
        ahead = int(_AHEAD / self._usual_duration)
        return max(min(DEEPEST, ahead) - runs, 0 if runs else 1)

    def _grow_soon(self) -> None:
        if self._growth is None and len(self.environments) < self._limit:
            self._growth = self._loop.call_later(_LOOK_AFTER, self._grow_if_needed)

    def _grow_if_needed(self) -> None:
        """Start another environment where what waits would take long with those there are."""
        self._growth = None
        if not self.waiting or self._is_stopping or len(self.environments) >= self._limit:
            return
        now = time.monotonic()
        usable = [e for e in self.environments if not e.is_stopping]
        is_starting = any(not e.is_ready for e in usable)
        prompt = sum(1 for e in usable if not e.runs or now - e.limit.since < _MUCH_WORK)
        work = len(self.waiting) * self._usual_duration
        is_needed = not prompt or work / prompt > _MUCH_WORK
        if is_needed and not is_starting and self._is_open():
            self._grow()
        else:
            self._grow_soon()

    def _grow(self) -> Environment | None:
        environment = Environment(self._loop, self._plan, self)
        try:
            environment.start()
        except OSError as error:
            log.error("no further environment for %s: %s", self._plan.spec.name, error)
            if not self.environments:
                self._fail_all(f"no environment can be started: {error}")
            return None
        self.environments.append(environment)
        return environment

    def _fail_all(self, reason: str) -> None:
        runs, self.waiting = self.waiting, deque()
        for run in runs:
            response = error_response("Runtime.NoEnvironment", reason, request_id=run.request_id)
            ended = Ended(True, response, 0.0)
            self._observer.on_ended(run, ended)
            run.on_ended(ended)

    def _take_back_stalled(self) -> None:
        """Free the events that wait in an environment behind one that takes long."""
        self._watchdog = None
        now = time.monotonic()
        is_any_deep = False
        for environment in self.environments:
            if len(environment.runs) > 1:
                if now - environment.limit.since > _STALLED_AFTER:
                    self._put_back(environment.take_back())
                else:
                    is_any_deep = True
        if is_any_deep:
            self._watchdog = self._loop.call_later(_STALLED_AFTER, self._take_back_stalled)

    def _put_back(self, runs: Iterable[Run]) -> None:
        self.waiting.extendleft(reversed(list(runs)))

    # Shrinking.

    def _idle(self) -> list[Environment]:
        idle = [e for e in self.environments if e.is_ready and not e.runs and not e.is_stopping]
        return sorted(idle, key=lambda e: e.idle_since)

    def _reap_later(self) -> None:
        if self._reaper is None and not self._is_stopping:
            self._reaper = self._loop.call_later(self._idle_timeout, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        idle = self._idle()
        for environment in idle:
            if time.monotonic() - environment.idle_since >= self._idle_timeout:
                environment.stop()
        if self.environments:
            self._reap_later()
