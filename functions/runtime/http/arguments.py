"""Numbers that requests to the administration hold, or 400."""

import json
import math
from typing import NoReturn

from flask import abort, request

from functions.runtime.http.whole_body import whole_body

MAX_BODY_BYTES = 64 * 1024
_MAX_NUMBER = 2**53


def number_from_body(key: str) -> int | None:
    """Return a whole number, or None, from the body `{"<key>": ...}`; no body is None."""
    try:
        body = json.loads(whole_body(MAX_BODY_BYTES) or b"{}")
    except (ValueError, RecursionError):
        abort(400, "the body is no JSON")
    if not isinstance(body, dict) or set(body) - {key}:
        abort(400, f"the body is an object with {key!r} and nothing else")
    value = body.get(key)
    if value is not None and (type(value) is not int or not 0 <= value <= _MAX_NUMBER):
        _bad(key, value)
    return value


def whole_number(name: str, default: int) -> int:
    """Return a whole number from the query."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and int(text[:20]) <= _MAX_NUMBER):
        _bad(name, text)
    return int(text)


def seconds(name: str, *, maximum: float) -> float:
    """Return a length of time from the query; 0 where there is none."""
    text = request.args.get(name, "0")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= maximum:
        _bad(name, text)
    return number


def _bad(name: str, value: object) -> NoReturn:
    abort(400, f"{name} cannot be {value!r}")
