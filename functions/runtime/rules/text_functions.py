"""AWS IoT SQL's functions of texts (AWS IoT developer guide, SQL reference, "Functions").

An argument that is no text is converted to one; Null and Undefined have none, and make the result
Undefined. Indices count characters from 0.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from functions.runtime.rules.message import read_json
from functions.runtime.rules.values import (
    MAX_CHARACTERS,
    UNDEFINED,
    Special,
    to_number,
    to_text,
)

_MAX_PADDING = 1000
_BLANK = "".join(map(chr, range(33)))
"""What Java's `trim` takes off: every character up to the space."""

Function = Callable[..., Any]


def of_texts(function: Function) -> Function:
    """Build a function that gets its arguments as texts, from one that needs them to be texts."""

    def apply(*values: Any) -> Any:
        texts = [to_text(value) for value in values]
        return UNDEFINED if UNDEFINED in texts else function(*texts)

    return apply


length = of_texts(len)
numbytes = of_texts(lambda text: len(text.encode()))
lower = of_texts(str.lower)
upper = of_texts(str.upper)
trim = of_texts(lambda text: text.strip(_BLANK))
ltrim = of_texts(lambda text: text.lstrip(" \t"))
rtrim = of_texts(lambda text: text.rstrip(" \t"))
startswith = of_texts(str.startswith)
endswith = of_texts(str.endswith)
indexof = of_texts(str.find)
"""The guide does not say what a text that is not found gives: -1, as in Java."""


@of_texts
def replace(text: str, old: str, new: str) -> Any:
    """Replace every occurrence; Undefined when the result would be too long."""
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_CHARACTERS:
        return UNDEFINED
    return text.replace(old, new)


def substring(value: Any, start: Any, end: Any = None) -> Any:
    """Return the characters from `start` up to, not including, `end`.

    Indices outside the text are set to its ends, and a Decimal is cut off: the guide's own
    example has `substring("012345", 2.745)` = "2345".
    """
    text, first = to_text(value), _cut(start)
    last = MAX_CHARACTERS if end is None else _cut(end)
    if isinstance(text, Special) or isinstance(first, Special) or isinstance(last, Special):
        return UNDEFINED
    if end is None:
        return text[max(first, 0) :]
    return text[max(first, 0) : max(last, 0)]


def lpad(value: Any, count: Any) -> Any:
    """Put so many spaces before the text: 0 to 1000."""
    return _padded(value, count, "{1}{0}")


def rpad(value: Any, count: Any) -> Any:
    """Put so many spaces behind the text: 0 to 1000."""
    return _padded(value, count, "{0}{1}")


def _padded(value: Any, count: Any, form: str) -> Any:
    text, spaces = to_text(value), _cut(count)
    if isinstance(text, Special) or isinstance(spaces, Special):
        return UNDEFINED
    return form.format(text, " " * min(max(spaces, 0), _MAX_PADDING))


def _cut(value: Any) -> int | Special:
    number = to_number(value)
    return number if isinstance(number, Special) else int(number)


def encode(value: Any) -> Any:
    """Return the text in base64."""
    text = to_text(value)
    return UNDEFINED if isinstance(text, Special) else encode_bytes(text.encode())


def encode_bytes(payload: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(payload).decode()


def decode(value: Any) -> Any:
    """Read base64: a JSON document's value, or else the text; Null where it is neither."""
    text = to_text(value)
    if isinstance(text, Special):
        return UNDEFINED
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    try:
        return read_json(decoded)
    except ValueError:
        return _as_text(decoded)


def _as_text(decoded: bytes) -> str | None:
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        return None


def hashed(algorithm: str) -> Function:
    """Build a function that gives a text's hash in hexadecimal digits ("Hashing functions")."""
    return of_texts(
        lambda text: hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()
    )
