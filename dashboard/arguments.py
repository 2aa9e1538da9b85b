"""What a query string asks for, checked: what is wrong with it is a 400 that says so."""

import re
from datetime import UTC, datetime

from flask import abort, request

from dashboard.history import MAX_TEXT
from dashboard.store.arrivals import milliseconds
from dashboard.store.pages import Filter

MAX_ID = (1 << 63) - 1
MAX_OFFSET = 18 * 60
_WHOLE = re.compile("-?[0-9]{1,19}")


def number(name: str, *, default: int | None = None, lowest: int, highest: int) -> int | None:
    """Return a whole number; `default` where there is none."""
    text = request.args.get(name)
    if text is None or text == "":
        return default
    if _WHOLE.fullmatch(text) is None or not lowest <= int(text) <= highest:
        abort(400, f"{name} = {text[:40]!r} is no whole number from {lowest} to {highest}")
    return int(text)


def text(name: str) -> str | None:
    """Return a text of at most `MAX_TEXT` characters; None for none, and for an empty one."""
    value = request.args.get(name) or None
    if value is not None and len(value) > MAX_TEXT:
        abort(400, f"{name} has more than {MAX_TEXT} characters")
    return value


def searched(name: str) -> str | None:
    """Return a text to search for. One with a NUL is refused: no database finds it alike."""
    value = text(name)
    if value is not None and "\0" in value:
        abort(400, f"{name} has a NUL")
    return value


def moment(name: str) -> datetime | None:
    """Return a moment that is given as RFC 3339 has it."""
    value = request.args.get(name)
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise ValueError("no offset")
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        abort(400, f"{name} = {value[:40]!r} is not of the form 2026-11-22T10:15:30Z (RFC 3339)")


def offset() -> int:
    """Return how many seconds the clocks of who asks are before UTC's."""
    return 60 * (number("offset", default=0, lowest=-MAX_OFFSET, highest=MAX_OFFSET) or 0)


def limit(default: int = 50, *, highest: int = 1000) -> int:
    """Return how many are wanted."""
    return number("limit", default=default, lowest=1, highest=highest) or default


def filters() -> Filter:
    """Return which clicks are wanted."""
    since, until = moment("from"), moment("to")
    return Filter(
        before=number("before", lowest=0, highest=MAX_ID),
        after=number("after", lowest=0, highest=MAX_ID),
        serial_number=text("serialNumber"),
        click_type=text("clickType"),
        text=searched("text"),
        since=None if since is None else milliseconds(since),
        until=None if until is None else milliseconds(until),
    )
