"""When to look for hardware: often after something has come or gone, seldom otherwise."""

from collections.abc import Callable

from device_sim.drivers.uevents import Uevents
from iot_button.loop import Loop, Timer

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0
"""Seconds between looks. The time doubles from the first to the longest."""


class Search:
    """Calls `look` until it is closed: at growing intervals, and whenever hardware comes or goes.

    A look must be cheap. New hardware is announced before it can be opened, so there are several
    looks soon after.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._uevents = Uevents(self.hurry)
        self._loop: Loop | None = None
        self._timer: Timer | None = None
        self._wait = FIRST_WAIT

    def begin(self, loop: Loop) -> None:
        """Begin; the first look is a moment later."""
        self._loop = loop
        self._uevents.open(loop)
        self.hurry()

    def hurry(self) -> None:
        """Look at the next turn, and often for a while."""
        self._wait = 0.0
        self._set_timer()

    def close(self) -> None:
        """Look no more."""
        self._uevents.close()
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._timer = self._loop.call_later(self._wait, self._again)

    def _again(self) -> None:
        self._wait = min(LONGEST_WAIT, max(FIRST_WAIT, 2 * self._wait))
        self._set_timer()
        self._look()
