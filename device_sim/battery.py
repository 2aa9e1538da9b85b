"""How a simulated battery runs down: slowly, then fast, as a lithium cell does."""

import random

FULL = 3000
"""Millivolts of a fresh cell."""
PRESSES = 1000
"""Presses after which it is below 2,000 mV."""
EMPTY = 1700
"""Millivolts at which a button goes silent, and its owner puts in a fresh cell."""
_NOISE = 8.0  # millivolts, one standard deviation: the measuring, not the cell


class Battery:
    """One button's battery. `used` is the number of presses it has behind it."""

    __slots__ = ("_rng", "_used")

    def __init__(self, *, rng: random.Random, used: int = 0) -> None:
        self._rng = rng
        self._used = used

    def press(self) -> int:
        """Spend one press and return what the button measures, in millivolts."""
        self._used += 1
        if voltage(self._used) < EMPTY:
            self._used = 1
        return max(0, round(self._rng.gauss(voltage(self._used), _NOISE)))


def voltage(presses: float) -> float:
    """Return the true millivolts after that many presses: 2,875 at half, 1,950 at the end."""
    x = presses / PRESSES
    return FULL - 250 * x - 800 * x**8
