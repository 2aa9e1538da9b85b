"""The values of AWS IoT SQL: what Undefined is, and how one type becomes another.

The rules are those of the AWS IoT developer guide, "Data types" of the SQL reference, for version
2016-03-23. JSON's types are Python's own here; an Int is `int`, a Decimal is `float`. A Decimal has
34 digits and goes to 9.99E999 on AWS; here it is a double, as the handler would read it anyhow.
"""

import re
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias

import msgspec


class Special(Enum):
    """What is no JSON value."""

    UNDEFINED = "Undefined"
    NO_MATCH = "no match"
    UNREAD = "unread"


UNDEFINED: Final = Special.UNDEFINED
"""What an attribute that is not there is, and what most operations on it give."""

NO_MATCH: Final = Special.NO_MATCH
"""What `Rule.apply` returns when WHERE is not true."""

UNREAD: Final = Special.UNREAD
"""What stands for a payload's JSON that nobody has decoded yet."""

Number: TypeAlias = int | float

MAX_CHARACTERS = 1 << 20
"""The longest text that an expression builds; a longer one is Undefined.

Ours: AWS's messages end at 128 KiB, MQTT's at 256 MiB, and `replace` can square a message's size.
"""
EXACT = 1 << 53
"""Below it every whole number is a double: what a whole Decimal may be turned into an Int under."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?")
_INT_DIGITS = 34


def to_number(value: Any) -> Number | Special:
    """Convert to Decimal, or to Int where the value is whole; Undefined where neither can be.

    A text counts when all of it is a number such as -1.2 or 5E-12 ("Conversions", "To decimal").
    Booleans and Null are no numbers without `cast`.
    """
    kind = type(value)
    if kind is int:
        number: int = value
        return number
    if kind is float:
        return settled(value)
    if kind is str and _NUMBER.fullmatch(value):
        return _parsed(value)
    return UNDEFINED


def settled(number: float) -> Number | Special:
    """Return an Int for a whole Decimal; Undefined for what JSON cannot hold.

    "Data types": version 2016-03-23 treats 10.0 as 10.
    """
    if -EXACT < number < EXACT:
        return int(number) if number.is_integer() else number
    return number if number - number == 0 else UNDEFINED  # not for infinity and NaN


def to_int(value: Any) -> int | Special:
    """Convert to Int as a function's argument: a Decimal to the nearest, a text is cut off.

    "Conversions", "To int". Halves go away from zero.
    """
    number = to_number(value)
    if not isinstance(number, float):
        return number
    cut = int(number)
    if type(value) is str or abs(number - cut) < 0.5:
        return cut
    return cut + (1 if number > 0 else -1)


def to_boolean(value: Any) -> bool | Special:
    """Convert to Boolean: "true" and "false" in any case ("Conversions", "To Boolean")."""
    if value is True or value is False:
        return bool(value)
    if type(value) is str:
        return {"true": True, "false": False}.get(value.lower(), UNDEFINED)
    return UNDEFINED


def to_text(value: Any) -> str | Special:
    """Convert to String; arrays and objects become JSON ("Conversions", "To string").

    Null and Undefined have no text. A Decimal may come out in scientific notation.
    """
    if type(value) is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if type(value) is float:
        number = settled(value)
        return str(number) if isinstance(number, int) else str(Decimal(repr(value)))
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return UNDEFINED


def is_same(left: Any, right: Any) -> bool:
    """Whether two values, neither Undefined, are equal. Different types are not ("= operator").

    An Int equals a Decimal of the same value; true does not equal 1, not even inside an array.
    """
    kind = type(left)
    if kind is not type(right):
        return (kind is int or kind is float) and type(right) in (int, float) and left == right
    if kind is list:
        return len(left) == len(right) and all(map(is_same, left, right))
    if kind is dict:
        return left.keys() == right.keys() and all(is_same(left[k], right[k]) for k in left)
    return bool(left == right)


def _parsed(text: str) -> Number | Special:
    if len(text) <= _INT_DIGITS and text.lstrip("-").isdecimal():
        return int(text)
    return settled(float(text))
