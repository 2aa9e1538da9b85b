"""A selector loop on one thread: files, timers, and calls from other threads.

Everything that its user does happens in a callback of this loop, so nothing locks. A callback
never blocks. An error in one is logged, and the loop goes on.
"""

import contextlib
import heapq
import itertools
import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

Callback = Callable[[], None]
READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_LONGEST_WAIT = 3600.0


@dataclass(slots=True, order=True)
class Timer:
    """A call at a moment of `time.monotonic`; `cancel` makes it never come."""

    moment: float
    number: int
    callback: Callback | None = field(compare=False)

    def cancel(self) -> None:
        """Let it never be called."""
        self.callback = None


class Loop:
    """Waits for files, timers and other threads, and calls back. `run` returns after `stop`.

    Between the callbacks of one wake-up and the next wait, the functions of `at_end_of_turn` are
    called: there whatever was gathered in a turn is written at once.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._numbers = itertools.count()
        self._calls: deque[Callback] = deque()
        self._ends: list[Callback] = []
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._is_over = False
        self.watch(self._woken.fileno(), READ, self._drain_waker)

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """Call back whenever `fd` is ready for `events`; a second call changes the first."""
        try:
            self._selector.modify(fd, events, callback)
        except KeyError:
            self._selector.register(fd, events, callback)

    def unwatch(self, fd: int) -> None:
        """Watch `fd` no more; do it before the file is closed. One that is not watched is fine."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def call_at(self, moment: float, callback: Callback) -> Timer:
        """Call once, at a moment of `time.monotonic`."""
        timer = Timer(moment, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Call once, after `delay` seconds."""
        return self.call_at(time.monotonic() + delay, callback)

    def at_end_of_turn(self, callback: Callback) -> None:
        """Call after the callbacks of every turn; in the order of registration."""
        self._ends.append(callback)

    def call_from_thread(self, callback: Callback) -> None:
        """Call soon, on the loop's thread. The only method that other threads may use."""
        self._calls.append(callback)
        with contextlib.suppress(OSError):  # awake already, or closed
            self._waker.send(b"\0")

    def stop(self) -> None:
        """Make `run` return after this turn."""
        self._is_over = True

    def run(self) -> None:
        """Call back until `stop`."""
        self._is_over = False
        while not self._is_over:
            ready = self._selector.select(self._time_to_wait())
            for key, _events in ready:
                self._safely(key.data)
            # What other threads saw comes before the timers: it happened before this moment.
            for _ in range(len(self._calls)):
                self._safely(self._calls.popleft())
            # Of this moment: a timer that sets itself again, for at once, must not keep us here.
            now = time.monotonic()
            while self._timers and self._timers[0].moment <= now:
                callback = heapq.heappop(self._timers).callback
                if callback is not None:
                    self._safely(callback)
            for callback in self._ends:
                self._safely(callback)

    def close(self) -> None:
        """Give the loop's own files back."""
        self._selector.close()
        self._waker.close()
        self._woken.close()

    def _time_to_wait(self) -> float:
        if self._calls:
            return 0.0
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return _LONGEST_WAIT
        return min(_LONGEST_WAIT, max(0.0, self._timers[0].moment - time.monotonic()))

    def _drain_waker(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    @staticmethod
    def _safely(callback: Callback) -> None:
        try:
            callback()
        except Exception:
            log.exception("an error in a callback; the loop goes on")
