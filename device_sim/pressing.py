"""A schedule carried out on a loop: each press at its moment, or as soon as may be."""

import itertools
import time
from collections.abc import Callable, Iterator

from device_sim.schedule import Press
from iot_button.loop import Loop

_MOST_AT_ONCE = 200
_LOOK_EVERY = 0.02


class Pressing:
    """Calls for each press, from `begin` until its end.

    Args:
        presses: the schedule.
        press: called for each.
        may_press: whether more may be pressed now; otherwise the schedule waits.
        on_end: called when the duration is over and all is pressed; not after `end`.
    """

    def __init__(
        self,
        loop: Loop,
        presses: Iterator[Press],
        *,
        press: Callable[[Press], None],
        may_press: Callable[[], bool],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._presses = presses
        self._press = press
        self._may_press = may_press
        self._on_end = on_end
        self._is_over = False

    def begin(self, duration: float | None) -> None:
        """Press from now on, for so many seconds; None: until `end`."""
        self._start = self._ends_at = time.monotonic()
        if duration is not None:
            self._ends_at += duration
            self._presses = itertools.takewhile(lambda press: press.at <= duration, self._presses)
        self._coming = next(self._presses, None)
        self._go_on()

    def end(self) -> None:
        """Press no more."""
        self._is_over = True

    def _go_on(self) -> None:
        """Press what is due, but not so much that nothing else has its turn."""
        now = time.monotonic() - self._start
        for _ in range(_MOST_AT_ONCE):
            coming = self._coming
            if self._is_over or coming is None or coming.at > now or not self._may_press():
                break
            self._press(coming)
            self._coming = next(self._presses, None)
        if self._is_over:
            return
        if self._coming is None:
            self._loop.call_at(self._ends_at, self._finish)
        elif self._may_press():
            self._loop.call_at(self._start + self._coming.at, self._go_on)
        else:
            self._loop.call_later(_LOOK_EVERY, self._go_on)

    def _finish(self) -> None:
        if not self._is_over:
            self.end()
            self._on_end()
