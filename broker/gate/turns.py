"""Long work of clients, and everything else that the loop has to do, in turns."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

TURN: Final = 0.0003
"""Seconds of work that was put off in one turn of the loop, of all clients together."""

Work = Callable[[float], bool]
"""Goes on until that moment of `time.perf_counter`, or somewhat beyond; whether more is left."""


class Turns:
    """Does what was put off a slice at a time, whose turn it is, for as long as there is any."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Work] = deque()
        self._is_due = False

    def add(self, work: Work) -> None:
        """Have work done, behind what waits already."""
        self._waiting.append(work)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._give_way)

    def _give_way(self) -> None:
        """Let what was read meanwhile be answered first: a turn's writes go out at its end."""
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        until = time.perf_counter() + TURN
        try:
            while self._waiting and time.perf_counter() < until:
                work = self._waiting.popleft()
                if work(until):
                    self._waiting.append(work)
        finally:  # an error of one is told by the loop, and the others go on
            self._is_due = bool(self._waiting)
            if self._is_due:
                self._loop.call_soon(self._give_way)
