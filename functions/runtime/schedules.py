"""Schedule expressions: `rate(...)` and AWS's six-field `cron(...)`, both in UTC. Pure: no clock.

The rules are those of the Amazon EventBridge user guide, "Setting a schedule pattern for scheduled
rules" and "Cron expressions reference". Where that page is silent we refuse rather than guess:
a range that runs backwards (`FRI-MON`), and an increment larger than its field (`0/90`).
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from iot_button.errors import IotButtonError

DayRule = Callable[[int, int], set[int]]
"""From a year and a month to the days of that month that a field names."""

_RATE = re.compile(r"rate\(\s*([0-9]{1,9})\s+(minute|hour|day)(s?)\s*\)")
_CRON = re.compile(r"cron\((.*)\)", re.DOTALL)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MEND = "write rate(5 minutes), or cron(0 12 ? * MON-FRI *): minute hour day month weekday year"


class ScheduleError(IotButtonError, ValueError):
    """An expression that breaks the rules of its form."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Every `period`, counted from the moment that the runtime first saw the schedule."""

    period: timedelta

    def next_after(self, moment: datetime, *, since: datetime) -> datetime | None:
        """Return the first firing strictly later than `moment`; the first ever is `since + period`.

        Both are aware. None: later than any date that Python can write.
        """
        elapsed = max((moment - since) // self.period, 0)
        try:
            return since.astimezone(UTC) + (elapsed + 1) * self.period
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Cron:
    """The minutes that six fields name. The sets are sorted; the seconds are always 0."""

    times: tuple[time, ...]
    days: DayRule
    months: frozenset[int]
    years: tuple[int, ...]

    def next_after(self, moment: datetime, *, since: datetime | None = None) -> datetime | None:  # noqa: ARG002
        """Return the first firing strictly later than `moment` (aware); None: there is none.

        `since` has no meaning here; it is taken so that both kinds are called alike.
        """
        start = moment.astimezone(UTC)
        for day in self._days_from(start.date()):
            for at in self.times:
                firing = datetime.combine(day, at)
                if firing > start:
                    return firing
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in self.years:
            if year < first.year:
                continue
            for month in sorted(self.months):
                if (year, month) >= (first.year, first.month):
                    for day in sorted(self.days(year, month)):
                        if date(year, month, day) >= first:
                            yield date(year, month, day)


Timetable = Rate | Cron


def parse(expression: str) -> Timetable:
    """Read an expression.

    Raises:
        ScheduleError: naming the expression, and the field where it is one field's fault.
    """
    text = expression.strip()
    try:
        if match := _RATE.fullmatch(text):
            _check_number(expression, int(match[1]), match[2], plural=bool(match[3]))
            return _rate(int(match[1]), match[2])
        if match := _CRON.fullmatch(text):
            return _cron(match[1].split())
    except ScheduleError:
        raise
    except ValueError as error:
        raise ScheduleError(f"{expression!r}: {error}", mend=_MEND) from error
    if text.startswith("at("):
        reason = "a schedule that fires once is not supported"
    else:
        reason = "neither rate(VALUE UNIT) nor cron(FIELDS)"
    raise ScheduleError(f"{expression!r}: {reason}", mend=_MEND)


def _check_number(expression: str, value: int, unit: str, *, plural: bool) -> None:
    if value < 1 or plural == (value > 1):
        return
    wanted, end = ("the plural", "s") if value > 1 else ("the singular", "")
    problem = f"{expression!r}: AWS wants {wanted} after {value}"
    raise ScheduleError(problem, mend=f"write rate({value} {unit}{end})")


def _rate(value: int, unit: str) -> Rate:
    if value < 1:
        raise ValueError("a rate is at least 1")
    return Rate(timedelta(**{f"{unit}s": value}))


def _cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise ValueError(f"cron has 6 fields, not {len(fields)}")
    minutes, hours, day, month, weekday, year = (field.upper() for field in fields)
    if (day == "?") == (weekday == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week must be ?")
    hour_set, minute_set = _HOURS.read(hours), _MINUTES.read(minutes)
    return Cron(
        times=tuple(time(h, m, tzinfo=UTC) for h in sorted(hour_set) for m in sorted(minute_set)),
        days=_days_of_month(day) if weekday == "?" else _days_of_week(weekday),
        months=frozenset(_MONTH.read(month)),
        years=tuple(sorted(_YEAR.read(year))),
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """One field's values: `low` to `high`, and the names that stand for them in order."""

    what: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def read(self, text: str) -> set[int]:
        """Return the values of a list of `*`, values, ranges and increments."""
        return {value for item in text.split(",") for value in self.item(item)}

    def item(self, text: str) -> range:
        base, slash, step_text = text.partition("/")
        step = self._step(step_text) if slash else 1
        if base == "*":
            return range(self.low, self.high + 1, step)
        first, dash, last = base.partition("-")
        low = self.value(first)
        high = self.value(last) if dash else self.high if slash else low
        if high < low:
            raise ValueError(f"{self.what}: the range {base} runs backwards; write two ranges")
        return range(low, high + 1, step)

    def value(self, text: str) -> int:
        if text in self.names:
            return self.names.index(text) + self.low
        if not re.fullmatch("[0-9]{1,4}", text) or not self.low <= int(text) <= self.high:
            raise ValueError(f"{self.what}: {text!r} is not between {self.low} and {self.high}")
        return int(text)

    def _step(self, text: str) -> int:
        if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= self.high:
            raise ValueError(f"{self.what}: {text!r} is no increment from 1 to {self.high}")
        return int(text)


_MINUTES = _Field("minutes", 0, 59)
_HOURS = _Field("hours", 0, 23)
_DAY = _Field("day-of-month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day-of-week", 1, 7, _WEEKDAYS)
_YEAR = _Field("year", 1970, 2199)


def _days_of_month(text: str) -> DayRule:
    rules = [_day_of_month(item) for item in text.split(",")]
    return lambda year, month: set().union(*(rule(year, month) for rule in rules))


def _day_of_month(item: str) -> DayRule:
    if item == "L":
        return lambda year, month: {_length(year, month)}
    if item in ("LW", "WL"):
        return lambda year, month: _nearest_weekday(year, month, _length(year, month))
    if item.endswith("W"):
        day = _DAY.value(item[:-1])
        return lambda year, month: _nearest_weekday(year, month, day)
    days = set(_DAY.item(item))
    return lambda year, month: {day for day in days if day <= _length(year, month)}


def _days_of_week(text: str) -> DayRule:
    if "#" in text and "," in text:
        raise ValueError("day-of-week: # allows no second expression beside it")
    rules = [_day_of_week(item) for item in text.split(",")]
    return lambda year, month: set().union(*(rule(year, month) for rule in rules))


def _day_of_week(item: str) -> DayRule:
    if item == "L":  # alone, the last day of the week: Saturday
        return lambda year, month: set(_all_of(year, month, _WEEKDAY.high))
    if item.endswith("L"):
        last = _WEEKDAY.value(item[:-1])
        return lambda year, month: set(_all_of(year, month, last)[-1:])
    if "#" in item:
        name, _, which = item.partition("#")
        weekday, place = _WEEKDAY.value(name), _Field("day-of-week after #", 1, 5).value(which)
        return lambda year, month: set(_all_of(year, month, weekday)[place - 1 : place])
    weekdays = list(_WEEKDAY.item(item))
    return lambda year, month: {day for each in weekdays for day in _all_of(year, month, each)}


def _all_of(year: int, month: int, weekday: int) -> range:
    """Return the days of a month that fall on a weekday; 1 is Sunday, as AWS counts."""
    of_the_first = date(year, month, 1).isoweekday() % 7 + 1
    return range(1 + (weekday - of_the_first) % 7, _length(year, month) + 1, 7)


def _nearest_weekday(year: int, month: int, day: int) -> set[int]:
    """Return the day from Monday to Friday that is nearest, within the same month."""
    length = _length(year, month)
    if day > length:
        return set()
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:
        return {day - 1 if day > 1 else day + 2}
    if weekday == 7:
        return {day + 1 if day < length else day - 2}
    return {day}


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
