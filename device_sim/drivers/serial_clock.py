"""The moments of edges that come over a line: by the microcontroller's clock, or by ours. Pure."""

from dataclasses import dataclass

WRAP = 1 << 32
"""`millis()` of Arduino begins anew after so many milliseconds, 49.7 days."""
SLACK = 1000
"""Milliseconds that a clock may step back and still be the same: an interrupt overtakes a loop."""


@dataclass(frozen=True, slots=True)
class Moment:
    """In seconds by the clock in use; `is_of_another_clock`: not comparable with those before."""

    seconds: float
    is_of_another_clock: bool


class EdgeClock:
    """Makes seconds that only go forward of milliseconds that wrap, or of times of arrival.

    The microcontroller's own milliseconds are what happened at the button, whatever USB did to the
    line on its way. Without them the time of arrival has to do.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._total = 0
        self._is_by_arrival = False

    def moment(self, milliseconds: int | None, *, arrived: float) -> Moment:
        """Return an edge's moment.

        Args:
            milliseconds: what the line said; None: nothing.
            arrived: when it came, in seconds by a clock of ours that only goes forward.
        """
        if milliseconds is None:
            was_other = self._last is not None
            self._last, self._is_by_arrival = None, True
            return Moment(arrived, was_other)
        is_other = self._is_by_arrival or not self._count(milliseconds % WRAP)
        if is_other:
            self._last, self._total = milliseconds % WRAP, 0
        self._is_by_arrival = False
        return Moment(self._total / 1000, is_other)

    def _count(self, milliseconds: int) -> bool:
        """Count up to a reading; return False where the clock must have begun anew."""
        step = 0 if self._last is None else (milliseconds - self._last) % WRAP
        if step >= WRAP // 2:  # back
            return WRAP - step <= SLACK
        self._total += step
        self._last = milliseconds
        return True
