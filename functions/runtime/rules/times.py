"""`parse_time`: a moment written by a Joda-Time pattern.

The letters are those of Joda-Time's `DateTimeFormat`, which the AWS IoT developer guide names
(SQL reference, "parse_time"): all but the long name of a zone (`zzzz`). Names are English.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache, partial
from typing import Final
from zoneinfo import ZoneInfo

MAX_PATTERN = 200
"""Ours: a longer pattern is refused, for it may come in a message."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_PIECE = re.compile(r"([A-Za-z])\1*|'((?:[^']|'')*)'|[^A-Za-z']+")
_OFFSET = re.compile(r"([+-])([0-9]{1,2}):?([0-9]{2})")

Piece = Callable[[datetime], str]


class TimeFormatError(ValueError):
    """A pattern or a zone that cannot be. `offset`: the character of the pattern, from 0."""

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.offset = offset


def _number(value: Callable[[datetime], int], width: int, moment: datetime) -> str:
    return f"{value(moment):0{width}d}"


def _year(value: Callable[[datetime], int], width: int, moment: datetime) -> str:
    year = value(moment)
    return f"{year % 100:02d}" if width == 2 else f"{year:0{width}d}"


def _name(names: list[str], index: Callable[[datetime], int], width: int, moment: datetime) -> str:
    name = names[index(moment)]
    return name if width > 3 else name[:3]


def _month(width: int, moment: datetime) -> str:
    if width < 3:
        return _number(lambda m: m.month, width, moment)
    return _name(_MONTHS, lambda m: m.month - 1, width, moment)


def _fraction(width: int, moment: datetime) -> str:
    return f"{moment.microsecond:06d}".ljust(width, "0")[:width]


def _offset(width: int, moment: datetime) -> str:
    if width > 2:
        return getattr(moment.tzinfo, "key", None) or moment.tzname() or "UTC"
    digits = moment.strftime("%z")[:5]
    return digits if width == 1 else f"{digits[:3]}:{digits[3:]}"


_YEARS: Final[dict[str, Callable[[datetime], int]]] = {
    "y": lambda m: m.year,
    "Y": lambda m: m.year,
    "x": lambda m: m.isocalendar().year,
}
_NUMBERS: Final[dict[str, Callable[[datetime], int]]] = {
    "C": lambda m: m.year // 100,
    "w": lambda m: m.isocalendar().week,
    "e": lambda m: m.isoweekday(),
    "D": lambda m: m.timetuple().tm_yday,
    "d": lambda m: m.day,
    "K": lambda m: m.hour % 12,
    "h": lambda m: (m.hour - 1) % 12 + 1,
    "H": lambda m: m.hour,
    "k": lambda m: (m.hour - 1) % 24 + 1,
    "m": lambda m: m.minute,
    "s": lambda m: m.second,
}
_OTHERS: Final[dict[str, Callable[[int, datetime], str]]] = {
    "G": lambda _width, _moment: "AD",  # Python's calendar begins with the year 1
    "E": lambda width, moment: _name(_DAYS, datetime.weekday, width, moment),
    "M": _month,
    "a": lambda _width, moment: "AM" if moment.hour < 12 else "PM",
    "S": _fraction,
    "Z": _offset,
    "z": lambda _width, moment: moment.tzname() or "UTC",
}


@lru_cache(maxsize=64)
def time_format(pattern: str) -> Callable[[datetime], str]:
    """Compile a pattern.

    Raises:
        TimeFormatError: for a letter that Joda-Time does not have, and a quote without its end.
    """
    if len(pattern) > MAX_PATTERN:
        raise TimeFormatError(f"the pattern is longer than {MAX_PATTERN} characters")
    pieces: list[Piece] = []
    at = 0
    while at < len(pattern):
        match = _PIECE.match(pattern, at)
        if match is None:
            raise TimeFormatError("a quote in the pattern has no end", at)
        pieces.append(_piece(match))
        at = match.end()
    return lambda moment: "".join([piece(moment) for piece in pieces])


def _piece(match: re.Match[str]) -> Piece:
    letter, quoted, width = match[1], match[2], len(match[0])
    if letter is None:
        text = match[0] if quoted is None else quoted.replace("''", "'") or "'"
        return lambda _moment: text
    if letter in _YEARS:
        return partial(_year, _YEARS[letter], width)
    if letter in _NUMBERS:
        return partial(_number, _NUMBERS[letter], width)
    if letter not in _OTHERS:
        raise TimeFormatError(f"the pattern letter {letter} does not exist", match.start())
    if letter == "z" and width > 3:
        raise TimeFormatError("zzzz, a zone's long name, is not supported", match.start())
    return partial(_OTHERS[letter], width)


def time_zone(name: str) -> tzinfo:
    """Find a time zone by its name, such as `Europe/Paris`, or its offset, such as `+01:00`.

    Raises:
        TimeFormatError: when there is none.
    """
    if name in ("UTC", "Z"):
        return UTC
    if match := _OFFSET.fullmatch(name):
        length = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if length < timedelta(hours=24):
            written = f"{match[1]}{int(match[2]):02d}:{match[3]}"
            return timezone(-length if match[1] == "-" else length, written)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise TimeFormatError(f"there is no time zone {name[:40]!r}") from error


def moment_of(milliseconds: float, zone: tzinfo) -> datetime:
    """Return the moment so many milliseconds after the beginning of 1970 in UTC.

    Raises:
        TimeFormatError: for one outside the years 1 to 9999.
    """
    try:
        return (_EPOCH + timedelta(milliseconds=math.floor(milliseconds))).astimezone(zone)
    except OverflowError as error:
        raise TimeFormatError("the moment is outside the years 1 to 9999") from error
