"""Buttons: what is known of each, and what people call them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec

from dashboard.store.batteries import DAYS, Day, ends_at
from dashboard.store.engine import Engine
from dashboard.store.pages import Read
from dashboard.store.schema import DAY, QUARTER
from iot_button.events import EPOCH, format_instant

AnyButton = TypeVar("AnyButton", bound="Button")
Name = Annotated[str, msgspec.Meta(max_length=64)]
Colour = Annotated[str, msgspec.Meta(pattern="^#[0-9a-fA-F]{6}\\Z")]
MOST = 10_000
"""Buttons in one answer: those that were pressed last."""

HOUR = 3600
_HOURS = 24
_WEEKDAYS = 7
_THURSDAY = 3  # 1970-01-01 was one; Monday is 0


class Button(msgspec.Struct, kw_only=True, rename="camel"):
    """A button as the browser gets it. Every text is hostile until shown as text.

    `clicks_today`: since the midnight of who asks. `hours`: clicks of the last 24 hours, this one
    last. `battery_ends_at`: a date; None where it cannot be estimated.
    """

    serial_number: str
    name: str | None
    place: str | None
    colour: str | None
    last_click_at: str | None
    last_click_type: str | None
    clicks_today: int = 0
    clicks_total: int
    battery_millivolts: int | None
    battery_highest: int | None
    battery_ends_at: str | None = None
    state: str | None
    state_at: str | None
    hours: list[int] = msgspec.field(default_factory=lambda: [0] * _HOURS)


class OneButton(Button, kw_only=True, rename="camel"):
    """A button with its heat map: seven days, Monday first, of 24 hours of who asks."""

    heat_map: list[list[int]] = msgspec.field(
        default_factory=lambda: [[0] * _HOURS for _ in range(_WEEKDAYS)]
    )


class Named(msgspec.Struct, frozen=True, rename="camel"):
    """What people call a button, and where it is."""

    serial_number: str
    name: str | None
    place: str | None


class Names(msgspec.Struct, frozen=True):
    """What people call all buttons, those that were pressed last first."""

    buttons: list[Named]


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed at a button; None takes it away, and what is unset stays."""

    name: Name | msgspec.UnsetType | None = msgspec.UNSET
    place: Name | msgspec.UnsetType | None = msgspec.UNSET
    colour: Colour | msgspec.UnsetType | None = msgspec.UNSET


def names(read: Read) -> Names:
    """Return what people call all buttons, without looking at any sums."""
    return Names([Named(*values) for values in read(_NAMES, (MOST,))])


def buttons(read: Read, *, now: datetime, offset: int) -> list[Button]:
    """Return all buttons, those that were pressed last first.

    Args:
        read: runs a query.
        now: this moment.
        offset: seconds by which the clocks of who asks are before UTC's.
    """
    rows = read(f"{_BUTTON} ORDER BY coalesce(clicked_at, 0) DESC LIMIT ?", (MOST,))
    found = {number: _button(Button, *values) for number, *values in rows}
    _count(found, read(_COUNTS, _spans(now, offset)), now=now)
    days: defaultdict[int, list[Day]] = defaultdict(list)
    for number, day, voltage in read(_VOLTAGES, (_days_back(now),)):
        days[number].append((day, voltage))
    for number, voltages in days.items():
        if number in found:
            _estimate(found[number], voltages)
    return list(found.values())


def one_button(read: Read, serial_number: str, *, now: datetime, offset: int) -> OneButton | None:
    """Return one button; None where there is none. The arguments are those of `buttons`."""
    for number, *values in read(f"{_BUTTON} AND serial_number = ?", (serial_number,)):
        found = _button(OneButton, *values)
        spans = _spans(now, offset)
        _count(
            {number: found},
            read(f"{_COUNTS_OF} AND number = ? GROUP BY 1, 2", (*spans, number)),
            now=now,
        )
        _estimate(found, read(_VOLTAGES_OF, (number, _days_back(now))))
        for hour, count in read(_HEAT, (offset, number)):
            day, hour_of_day = divmod(hour, _HOURS)
            found.heat_map[(day + _THURSDAY) % _WEEKDAYS][hour_of_day] += count
        return found
    return None


def change(database: Engine, serial_number: str, wanted: Change) -> bool:
    """Change what people call a button; return whether there is such a button."""
    known = database.read("SELECT number FROM button WHERE serial_number = ?", (serial_number,))
    for name in ("name", "place", "colour"):
        value = getattr(wanted, name)
        if known and value is not msgspec.UNSET:
            sql = f"UPDATE button SET {name} = ? WHERE serial_number = ?"  # noqa: S608 - our names
            database.write(sql, (value, serial_number))
    return bool(known)


def _button(kind: type[AnyButton], *values: Any) -> AnyButton:
    serial_number, name, place, colour, clicks, clicked_at, click_type, *rest = values
    battery, highest, state, state_at = rest
    return kind(
        serial_number=serial_number,
        name=name,
        place=place,
        colour=colour,
        last_click_at=_instant(clicked_at),
        last_click_type=click_type,
        clicks_total=clicks,
        battery_millivolts=battery,
        battery_highest=highest or None,
        state=state,
        state_at=_instant(state_at),
    )


def _count(
    found: dict[int, Button] | dict[int, OneButton], counts: Iterable[Any], *, now: datetime
) -> None:
    first = _first_hour(now) // HOUR
    for number, hour, count, today in counts:
        if number in found:
            found[number].clicks_today += today
            if hour >= first:
                found[number].hours[min(hour - first, _HOURS - 1)] += count


def _estimate(button: Button, days: Iterable[Day]) -> None:
    end = ends_at(list(days), highest=button.battery_highest or 0)
    button.battery_ends_at = None if end is None else end.isoformat()


def _spans(now: datetime, offset: int) -> tuple[int, int]:
    """Return the midnight of who asks, and from when on quarters are needed at all."""
    midnight = (_seconds(now) + offset) // DAY * DAY - offset
    return midnight, min(midnight, _first_hour(now))


def _first_hour(now: datetime) -> int:
    return _seconds(now) // HOUR * HOUR - (_HOURS - 1) * HOUR


def _days_back(now: datetime) -> int:
    return _seconds(now) - DAYS * DAY


def _seconds(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())


def _instant(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return format_instant(EPOCH + timedelta(milliseconds=milliseconds))


_BUTTON = """
SELECT number, serial_number, name, place, colour, clicks, clicked_at, click_type, battery,
    battery_highest, state, state_at
FROM button WHERE serial_number IS NOT NULL
"""
_NAMES = """
SELECT serial_number, name, place FROM button WHERE serial_number IS NOT NULL
ORDER BY coalesce(clicked_at, 0) DESC LIMIT ?
"""
# CROSS JOIN: SQLite then goes through the buttons, and to the place of each in the sums.
_COUNTS_OF = f"""
SELECT number, start / {HOUR}, CAST(sum(single + double + long + other) AS BIGINT),
    CAST(sum(CASE WHEN start >= ? THEN single + double + long + other ELSE 0 END) AS BIGINT)
FROM button CROSS JOIN rollup
WHERE step = {QUARTER} AND rollup.button = number AND start >= ?
"""  # noqa: S608 - constants
_COUNTS = f"{_COUNTS_OF} GROUP BY 1, 2"
_VOLTAGES = f"""
SELECT number, start / {DAY}, rollup.battery FROM button CROSS JOIN rollup
WHERE step = {DAY} AND rollup.button = number AND start >= ? AND rollup.battery IS NOT NULL
ORDER BY 1, 2
"""  # noqa: S608 - constants
_VOLTAGES_OF = f"""
SELECT start / {DAY}, battery FROM rollup
WHERE step = {DAY} AND button = ? AND start >= ? AND battery IS NOT NULL ORDER BY 1
"""  # noqa: S608 - constants
_HEAT = f"""
SELECT (start + ?) / {HOUR}, CAST(sum(single + double + long + other) AS BIGINT) FROM rollup
WHERE step = {QUARTER} AND button = ? GROUP BY 1
"""  # noqa: S608 - constants
