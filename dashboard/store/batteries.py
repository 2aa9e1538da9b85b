"""When a battery will be empty, estimated from the voltage of each day."""

import math
from collections.abc import Sequence
from datetime import date, timedelta

from iot_button.events import EPOCH

DAYS = 90
"""Days that are looked back at."""

_FEWEST_DAYS = 3
_FURTHEST = 3650
_NEW_BATTERY = 1.03
_FULL = (1800, 3300, 4200, 5000)
_EMPTY = 0.65
"""The page's own scale: what a full battery may have, and the share at which it is low."""

Day = tuple[int, int]
"""Days since 1970, and the last voltage of that day in millivolts."""


def ends_at(days: Sequence[Day], *, highest: int) -> date | None:
    """Return the day on which the voltage will be low, going on as since the last new battery.

    None where too little is known: a voltage that does not fall has no end in sight.
    """
    days = _since_new(days)
    if len(days) < _FEWEST_DAYS:
        return None
    slope, start = _line(days)
    if slope >= 0:
        return None
    low = _EMPTY * next((full for full in _FULL if highest <= full), highest)
    end = (low - start) / slope
    last = days[-1][0]
    if not math.isfinite(end) or end > last + _FURTHEST:
        return None
    return (EPOCH + timedelta(days=max(last, math.ceil(end)))).date()


def _since_new(days: Sequence[Day]) -> Sequence[Day]:
    begins = 0
    for number in range(1, len(days)):
        if days[number][1] > days[number - 1][1] * _NEW_BATTERY:
            begins = number
    return days[begins:]


def _line(days: Sequence[Day]) -> tuple[float, float]:
    """Return the slope and the value at day 0 of the straight line through all (least squares)."""
    middle = sum(day for day, _ in days) / len(days)
    mean = sum(voltage for _, voltage in days) / len(days)
    square = sum((day - middle) ** 2 for day, _ in days)
    slope = sum((day - middle) * (voltage - mean) for day, voltage in days) / square
    return slope, mean - slope * middle
