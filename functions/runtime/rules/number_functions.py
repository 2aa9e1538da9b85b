"""AWS IoT SQL's functions of numbers (AWS IoT developer guide, SQL reference, "Functions").

A numeric text counts as its number; anything else makes the result Undefined, as does a result
that is no finite real number.
"""

import math
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Any

from functions.runtime.rules.arithmetic import bounded
from functions.runtime.rules.values import UNDEFINED, Special, settled, to_number

Function = Callable[..., Any]
_MAX_PLACES = 34


def _of_number(on_int: Function, on_decimal: Function) -> Function:
    def apply(value: Any) -> Any:
        number = to_number(value)
        if isinstance(number, Special):
            return UNDEFINED
        return on_int(number) if isinstance(number, int) else on_decimal(number)

    return apply


def _unchanged(number: int) -> Any:
    return bounded(number)


def _half_away(number: float) -> Any:
    """Round to the nearest Int, and -1.5 to -2, as the guide's example has it."""
    cut = math.trunc(number)
    return bounded(cut + int(math.copysign(abs(number - cut) >= 0.5, number)))


absolute = _of_number(lambda number: bounded(abs(number)), abs)
ceil = _of_number(_unchanged, lambda number: bounded(math.ceil(number)))
floor = _of_number(_unchanged, lambda number: bounded(math.floor(number)))
nearest = _of_number(_unchanged, _half_away)
sign = _of_number(lambda number: (number > 0) - (number < 0), lambda number: 1 - 2 * (number < 0))


def power(base: Any, exponent: Any) -> Any:
    """Raise to a power, with double precision."""
    return _double(math.pow, base, exponent)


def sqrt(value: Any) -> Any:
    """Return the square root, with double precision."""
    return _double(math.sqrt, value)


def _double(function: Callable[..., float], *values: Any) -> Any:
    numbers = [to_number(value) for value in values]
    known = [number for number in numbers if not isinstance(number, Special)]
    if len(known) < len(numbers):
        return UNDEFINED
    try:
        return settled(function(*map(float, known)))
    except (ValueError, OverflowError):
        return UNDEFINED


def trunc(value: Any, places: Any) -> Any:
    """Cut off after so many decimal places, 0 to 34; a text's places are not accepted."""
    number, kept = to_number(value), to_number(places)
    if isinstance(number, Special) or isinstance(kept, Special) or type(places) is str:
        return UNDEFINED
    if isinstance(number, int):
        return bounded(number)
    exact = Decimal(repr(number))
    digits = min(max(math.floor(kept), 0), _MAX_PLACES)
    if -exact.as_tuple().exponent <= digits:  # type: ignore[operator]  # finite: a number
        return number
    return settled(float(exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN)))
