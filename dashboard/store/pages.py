"""Clicks by the page, newest first, and by the piece, oldest first: filtered, never by offset."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dashboard.history import Row
from iot_button.events import EPOCH, format_instant

Read = Callable[..., Sequence[tuple[Any, ...]]]
"""Runs a query with its parameters and returns all rows."""

MAX_LIMIT = 1000
WINDOW = 25_000
"""Clicks that one page looks through for a text: about 40 ms, and 200 ms for one that is not ASCII.
The next page goes on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which clicks; None: whatever they have.

    `before`, `after`: ids, exclusive. `text`: some text of the click contains it, whatever the
    case. `since`, `until`: milliseconds since 1970, when it was received; `until` is exclusive.
    """

    before: int | None = None
    after: int | None = None
    serial_number: str | None = None
    click_type: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some clicks, newest first; `before`: where the next page goes on, None at the end."""

    rows: list[Row]
    before: int | None


def latest(read: Read, count: int) -> list[Row]:
    """Return the latest clicks, oldest first."""
    return page(read, Filter(), limit=count).rows[::-1]


def page(read: Read, wanted: Filter, *, limit: int) -> Page:
    """Return the newest clicks that are wanted.

    A search for a text looks at `WINDOW` clicks at most: its page may be short, or empty, and yet
    not the last one.
    """
    lowest, highest = _bounds(read, wanted)
    if wanted.text is not None:
        lowest, end = max(lowest, highest - WINDOW + 1), lowest
    else:
        end = lowest
    found = _select(read, wanted, (lowest, highest), limit=limit + 1, order="DESC")
    rows = found[:limit]
    if len(found) > limit:
        return Page(rows, rows[-1].id)
    return Page(rows, lowest if lowest > end else None)


def pieces(read: Read, wanted: Filter, *, size: int = MAX_LIMIT) -> Iterator[list[Row]]:
    """Yield all clicks that are wanted, oldest first; what comes in meanwhile is left out."""
    lowest, highest = _bounds(read, wanted)
    while lowest <= highest:
        end = highest if wanted.text is None else min(highest, lowest + WINDOW - 1)
        rows = _select(read, wanted, (lowest, end), limit=size, order="ASC")
        if rows:
            yield rows
        lowest = rows[-1].id + 1 if len(rows) == size else end + 1


def _bounds(read: Read, wanted: Filter) -> tuple[int, int]:
    """Return the lowest and the highest id that may be wanted.

    Moments become ids first: then every query walks along ids, whatever else is asked for. Ids
    and moments go together; where somebody has set the clock by more than a thousand clicks, some
    of those may be left out.
    """
    ((lowest, highest),) = read(_ENDS)
    if lowest is None:
        return 1, 0
    if wanted.since is not None or wanted.until is not None:
        since, until = wanted.since or 0, _END if wanted.until is None else wanted.until
        ((first, last),) = read(_BETWEEN, (since, until, since, until))
        if first is None:
            return 1, 0
        lowest, highest = max(lowest, first), min(highest, last)
    if wanted.before is not None:
        highest = min(highest, wanted.before - 1)
    if wanted.after is not None:
        lowest = max(lowest, wanted.after + 1)
    return lowest, highest


def _select(
    read: Read, wanted: Filter, ids: tuple[int, int], *, limit: int, order: str
) -> list[Row]:
    index, conditions = "NOT INDEXED", ["click.id BETWEEN ? AND ?"]
    parameters: list[object] = [*ids]
    if wanted.click_type is not None:
        index = "INDEXED BY click_by_type"
        conditions.append("click.click_type = ?")
        parameters.append(wanted.click_type)
    if wanted.serial_number is not None:
        index = "INDEXED BY click_by_button"
        conditions.append("click.button = (SELECT number FROM button WHERE serial_number = ?)")
        parameters.append(wanted.serial_number)
    if wanted.since is not None or wanted.until is not None:
        conditions.append("click.received_at >= ? AND click.received_at < ?")
        parameters += [wanted.since or 0, _END if wanted.until is None else wanted.until]
    if wanted.text is not None:
        condition = _CONTAINS_ASCII if wanted.text.isascii() else _CONTAINS
        conditions.append(condition)
        parameters += [_pattern(wanted.text), "\\"] * (condition.count("?") // 2)
    query = _SELECT.format(index=index, conditions=" AND ".join(conditions), order=order)
    return [_row(*values) for values in read(query, (*parameters, limit))]


def _row(row_id: int, received_at: int, *values: Any) -> Row:
    moment = format_instant(EPOCH + timedelta(milliseconds=received_at))
    return Row(id=row_id, received_at=moment, **dict(zip(_FIELDS, values, strict=True)))


def _pattern(text: str) -> str:
    """Return a LIKE pattern for what contains a text."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


_END = 1 << 62
_FIELDS = (
    "latency_ms",
    "serial_number",
    "click_type",
    "battery_millivolts",
    "battery_highest",
    "ip_address",
    "title",
    "timestamp",
    "event_id",
    "clicked_at",
)
_TEXTS = (
    "serial_number",
    "click.click_type",
    "title",
    "ip_address",
    "timestamp",
    "event_id",
    "name",
    "place",
)
_CONTAINS_ASCII = f"({' OR '.join(f'{name} LIKE ? ESCAPE ?' for name in _TEXTS)})"
# SQLite's LIKE takes A for a, and no other letters. All in one, for one call of `lower` a click;
# between them is what no one types.
_CONTAINS = "lower({}) LIKE lower(?) ESCAPE ?".format(
    " || '\x1f' || ".join(f"coalesce({name}, '')" for name in _TEXTS)
)
# One by one: for both together SQLite would go through all.
_ENDS = "SELECT (SELECT min(id) FROM click), (SELECT max(id) FROM click)"
# Of the first and the last thousand: looking through all that lie between would take long.
_BETWEEN = """
SELECT
    (SELECT min(id) FROM
        (SELECT id FROM click WHERE received_at >= ? AND received_at < ?
         ORDER BY received_at LIMIT 1000) AS candidate),
    (SELECT max(id) FROM
        (SELECT id FROM click WHERE received_at >= ? AND received_at < ?
         ORDER BY received_at DESC LIMIT 1000) AS candidate)
"""
_SELECT = """
SELECT click.id, received_at, latency, serial_number, click.click_type, click.battery,
    click.battery_highest, ip_address, title, timestamp, event_id, click.clicked_at
FROM click {index} JOIN button ON button.number = click.button
WHERE {conditions} AND serial_number IS NOT NULL
ORDER BY click.id {order} LIMIT ?
"""
