"""Who is connected, and how those come in who are not let in yet."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from broker.figures import Figures
from broker.gate.limits import Limits

log = logging.getLogger(__name__)

_ADMITTED_AT_ONCE: Final = 2
"""Newcomers within `_PACE`, 0.2 ms each in all: many come at once, and others are served too."""
_PACE: Final = 0.001
"""Seconds, the finest that the loop's clock knows: 2,000 newcomers a second."""


class Arrival(Protocol):
    """One connection: before its CONNECT can come (`Doorstep`), or from then on (`Client`)."""

    def end(self, reason: str) -> None:
        """Close it: something was wrong."""
        ...

    def dismiss(self) -> None:
        """Close it: the broker goes."""
        ...


class Arrivals:
    """All connections, and those that are not let in yet, the oldest first."""

    def __init__(self, *, figures: Figures, limits: Limits) -> None:
        self.figures = figures
        self._limits = limits
        self._here: set[Arrival] = set()
        self._newcomers: dict[Arrival, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: deque[Coroutine[Any, Any, None]] = deque()
        self._is_admitting = False

    def came(self, arrival: Arrival) -> None:
        """Count one that has connected. Where there are too many, one goes."""
        self.figures.connections_total += 1
        self._here.add(arrival)
        self._newcomers[arrival] = None
        self._count()
        if len(self._here) > self._limits.connections:
            arrival.end("too many connections")
        elif len(self._newcomers) > self._limits.newcomers:
            next(iter(self._newcomers)).end("too many newcomers")

    def becomes(self, before: Arrival, after: Arrival) -> None:
        """Hear that one who has come may speak now: it is the same connection."""
        self.left(before)
        self._here.add(after)
        self._newcomers[after] = None
        self._count()

    def entered(self, arrival: Arrival) -> None:
        """Hear that one has been let in."""
        self._newcomers.pop(arrival, None)

    def left(self, arrival: Arrival) -> None:
        """Hear that a connection has ended."""
        self._here.discard(arrival)
        self._newcomers.pop(arrival, None)
        self._count()

    def _count(self) -> None:
        figures = self.figures
        figures.connections = len(self._here)
        figures.connections_maximum = max(figures.connections, figures.connections_maximum)

    def admit(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a newcomer in when it is its turn."""
        self._queue.append(work)
        if not self._is_admitting:
            self._is_admitting = True
            asyncio.get_running_loop().call_soon(self._admit_some)

    def _admit_some(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_admitting = bool(self._queue)
        for _ in range(min(_ADMITTED_AT_ONCE, len(self._queue))):
            task = loop.create_task(self._queue.popleft())
            self._tasks.add(task)
            task.add_done_callback(self._on_done)
        if self._is_admitting:
            loop.call_later(_PACE, self._admit_some)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a connection failed: %r", task.exception())

    def dismiss_all(self) -> None:
        """Close all connections, and let nobody in any more."""
        for arrival in list(self._here):
            arrival.dismiss()
        for task in list(self._tasks):
            task.cancel()
        while self._queue:
            self._queue.popleft().close()
