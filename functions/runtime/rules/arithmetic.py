"""AWS IoT SQL's operators as plain functions (AWS IoT developer guide, SQL reference, "Operators").

Each returns Undefined where the guide's tables say "Other value". Nothing a message brings makes
them slow or large: an Int of more than 34 digits goes on as a Decimal, a Decimal that no double
holds is Undefined, and so is a division by zero, of which the guide says nothing.
"""

import operator
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from functions.runtime.rules.values import (
    EXACT,
    MAX_CHARACTERS,
    UNDEFINED,
    Number,
    Special,
    is_same,
    settled,
    to_boolean,
    to_number,
    to_text,
)

Operation = Callable[[Any, Any], Any]

_LIMIT = 10**34
_DECIMAL = Context(prec=34, Emin=-999, Emax=999, traps=[])
"""34 digits as "Data types" says; without traps, so that infinity and NaN come back as values."""


def bounded(number: int) -> Number | Special:
    """Return an Int as it is up to 34 digits, and as a Decimal beyond."""
    if -_LIMIT < number < _LIMIT:
        return number
    try:
        return settled(float(number))
    except OverflowError:
        return UNDEFINED


def _decimal(number: Number) -> Decimal:
    return _DECIMAL.create_decimal(number if isinstance(number, int) else repr(number))


def _settled_decimal(result: Decimal) -> Number | Special:
    """Return a Decimal as the Int that it is, or as the nearest double."""
    if not result.is_finite():
        return UNDEFINED
    if -EXACT < result < EXACT and result == int(result):
        return int(result)
    return settled(float(result))


def _on_numbers(on_ints: Callable[[int, int], Any], on_decimals: Operation) -> Operation:
    """Build an operator: Int with Int is Int, and any Decimal or numeric text makes it Decimal."""

    def apply(left: Any, right: Any) -> Any:
        a, b = to_number(left), to_number(right)
        if isinstance(a, int) and isinstance(b, int):
            return on_ints(a, b)
        if isinstance(a, Special) or isinstance(b, Special):
            return UNDEFINED
        return _settled_decimal(on_decimals(_decimal(a), _decimal(b)))

    return apply


def _divide_ints(a: int, b: int) -> Any:
    """Divide towards zero, as Java does: AWS's own example makes 90 / 9 an Int."""
    if b == 0:
        return UNDEFINED
    quotient = abs(a) // abs(b)
    return bounded(quotient if (a < 0) == (b < 0) else -quotient)


def _remainder_ints(a: int, b: int) -> Any:
    """Return what is left over; it has the sign of the dividend, as in Java."""
    if b == 0:
        return UNDEFINED
    rest = abs(a) % abs(b)
    return bounded(-rest if a < 0 else rest)


_sum = _on_numbers(lambda a, b: bounded(a + b), _DECIMAL.add)
subtract = _on_numbers(lambda a, b: bounded(a - b), _DECIMAL.subtract)
multiply = _on_numbers(lambda a, b: bounded(a * b), _DECIMAL.multiply)
divide = _on_numbers(_divide_ints, _DECIMAL.divide)
remainder = _on_numbers(_remainder_ints, _DECIMAL.remainder)


def add(left: Any, right: Any) -> Any:
    """Add two numbers; or join two texts, when either side is one ("+ operator")."""
    if type(left) is str or type(right) is str:
        return join(left, right)
    return _sum(left, right)


def join(*values: Any) -> Any:
    """Return the texts of the values, one behind the other."""
    texts = [to_text(value) for value in values]
    known = [text for text in texts if isinstance(text, str)]
    if len(known) < len(texts) or sum(map(len, known)) > MAX_CHARACTERS:
        return UNDEFINED
    return "".join(known)


def negate(value: Any) -> Any:
    """Return the number with the other sign."""
    return subtract(0, value)


def equal(left: Any, right: Any) -> Any:
    """Compare; Undefined when a side is ("= operator")."""
    return UNDEFINED if left is UNDEFINED or right is UNDEFINED else is_same(left, right)


def not_equal(left: Any, right: Any) -> Any:
    """Compare; Undefined when a side is ("<> operator")."""
    return UNDEFINED if left is UNDEFINED or right is UNDEFINED else not is_same(left, right)


def _ordered(compare: Operation) -> Operation:
    """Build `<` and its kin: both sides become numbers, and nothing else has an order."""

    def apply(left: Any, right: Any) -> Any:
        a, b = to_number(left), to_number(right)
        if isinstance(a, Special) or isinstance(b, Special):
            return UNDEFINED
        return compare(a, b)

    return apply


less = _ordered(operator.lt)
less_or_equal = _ordered(operator.le)
greater = _ordered(operator.gt)
greater_or_equal = _ordered(operator.ge)


def both(left: Any, right: Any) -> Any:
    """Return AND: Undefined unless both sides are Boolean or say "true" or "false"."""
    a, b = to_boolean(left), to_boolean(right)
    return UNDEFINED if a is UNDEFINED or b is UNDEFINED else a is True and b is True


def either(left: Any, right: Any) -> Any:
    """Return OR: Undefined unless both sides are Boolean or say "true" or "false"."""
    a, b = to_boolean(left), to_boolean(right)
    return UNDEFINED if a is UNDEFINED or b is UNDEFINED else a is True or b is True


def negation(value: Any) -> Any:
    """Return NOT: Undefined for what is neither Boolean nor "true" nor "false"."""
    known = to_boolean(value)
    return UNDEFINED if known is UNDEFINED else known is False


def is_in(value: Any, array: Any) -> Any:
    """Whether an array has the value; Undefined for what is no array ("IN operator")."""
    if value is UNDEFINED or type(array) is not list:
        return UNDEFINED
    return any(is_same(value, item) for item in array)
