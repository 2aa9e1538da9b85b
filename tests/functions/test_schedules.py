"""Schedule expressions: the forms, their errors, and that nothing fires in between."""

import calendar
import contextlib
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.runtime.schedules import Cron, Rate, ScheduleError, parse

SINCE = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def firings(expression: str, start: str, count: int) -> list[str]:
    """Return the next firings as texts, from a moment on."""
    timetable = parse(expression)
    found = [at(start)]
    for _ in range(count):
        following = timetable.next_after(found[-1], since=SINCE)
        assert following is not None
        found.append(following)
    return [moment.strftime("%Y-%m-%d %H:%M") for moment in found[1:]]


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(5 minutes)", timedelta(minutes=5)),
        ("rate(1 hour)", timedelta(hours=1)),
        ("rate(12 hours)", timedelta(hours=12)),
        ("rate(1 day)", timedelta(days=1)),
        ("  rate( 7   days ) ", timedelta(days=7)),
    ],
)
def test_a_rate_is_a_length(expression: str, period: timedelta) -> None:
    assert parse(expression) == Rate(period)


def test_a_rate_first_fires_one_period_after_it_was_first_seen() -> None:
    rate = parse("rate(5 minutes)")
    assert rate.next_after(SINCE, since=SINCE) == SINCE + timedelta(minutes=5)
    assert rate.next_after(SINCE - timedelta(days=1), since=SINCE) == SINCE + timedelta(minutes=5)


def test_a_rate_keeps_its_beat_over_a_pause() -> None:
    late = SINCE + timedelta(minutes=12, seconds=1)
    following = parse("rate(5 minutes)").next_after(late, since=SINCE)
    assert following == SINCE + timedelta(minutes=15)


def test_a_rate_beyond_the_calendar_never_fires() -> None:
    assert parse("rate(999999999 days)").next_after(SINCE, since=SINCE) is None


@given(
    value=st.integers(2, 10_000),
    unit=st.sampled_from(["minutes", "hours", "days"]),
    elapsed=st.timedeltas(timedelta(0), timedelta(days=3650)),
)
def test_the_next_of_a_rate_is_later_by_at_most_one_period(
    value: int, unit: str, elapsed: timedelta
) -> None:
    rate = parse(f"rate({value} {unit})")
    assert isinstance(rate, Rate)
    following = rate.next_after(SINCE + elapsed, since=SINCE)
    assert following is not None
    assert timedelta(0) < following - (SINCE + elapsed) <= rate.period
    assert (following - SINCE) % rate.period == timedelta(0)


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-11-22 10:00", ["2026-11-23 10:00", "2026-11-24 10:00"]),
        ("cron(15 12 * * ? *)", "2026-11-22 12:14", ["2026-11-22 12:15", "2026-11-23 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-20 18:00", ["2026-11-23 18:00", "2026-11-24 18:00"]),
        ("cron(0 8 1 * ? *)", "2026-11-22", ["2026-12-01 08:00", "2027-01-01 08:00"]),
        ("cron(0/15 * * * ? *)", "2026-11-22 23:30", ["2026-11-22 23:45", "2026-11-23 00:00"]),
        ("cron(1/10 * * * ? *)", "2026-11-22 00:00", ["2026-11-22 00:01", "2026-11-22 00:11"]),
        ("cron(0-10/5 9 * * ? *)", "2026-11-22", ["2026-11-22 09:00", "2026-11-22 09:05"]),
        ("cron(0 0 L * ? *)", "2027-01-31", ["2027-02-28 00:00", "2027-03-31 00:00"]),
        ("cron(0 0 29 FEB ? *)", "2026-01-01", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("cron(0 0 LW * ? *)", "2027-01-01", ["2027-01-29 00:00", "2027-02-26 00:00"]),
        ("cron(0 0 3W * ? *)", "2026-09-30", ["2026-10-02 00:00", "2026-11-03 00:00"]),
        ("cron(0 0 1W * ? *)", "2026-07-31", ["2026-08-03 00:00", "2026-09-01 00:00"]),
        ("cron(0 0 31W * ? *)", "2027-01-01", ["2027-01-29 00:00", "2027-03-31 00:00"]),
        ("cron(0 0 ? * 3#2 *)", "2026-11-01", ["2026-11-10 00:00", "2026-12-08 00:00"]),
        ("cron(0 0 ? * TUE#5 *)", "2026-11-01", ["2026-12-29 00:00", "2027-03-30 00:00"]),
        ("cron(0 0 ? * 6L *)", "2026-11-01", ["2026-11-27 00:00", "2026-12-25 00:00"]),
        ("cron(0 0 ? * L *)", "2026-11-22", ["2026-11-28 00:00", "2026-12-05 00:00"]),
        ("cron(0 0 ? * sun,wed *)", "2026-11-22", ["2026-11-25 00:00", "2026-11-29 00:00"]),
        ("cron(0 0 1,15 jan-mar ? 2030)", "2026-11-22", ["2030-01-01 00:00", "2030-01-15 00:00"]),
        ("cron(30 6 ? 6 2 2027/2)", "2026-11-22", ["2027-06-07 06:30", "2027-06-14 06:30"]),
    ],
)
def test_cron_fires_when_aws_does(expression: str, start: str, expected: list[str]) -> None:
    assert firings(expression, start, len(expected)) == expected


def test_the_next_firing_is_strictly_later_to_the_microsecond() -> None:
    cron = parse("cron(0 10 * * ? *)")
    firing = at("2026-11-22 10:00")
    assert cron.next_after(firing - timedelta(microseconds=1), since=SINCE) == firing
    assert cron.next_after(firing, since=SINCE) == firing + timedelta(days=1)


def test_cron_is_in_utc_whatever_the_zone_of_the_moment() -> None:
    tokyo = timezone(timedelta(hours=9))
    moment = datetime(2026, 11, 23, 0, 30, tzinfo=tokyo)  # 15:30 the day before, in UTC
    assert parse("cron(0 16 * * ? *)").next_after(moment, since=SINCE) == at("2026-11-22 16:00")


@pytest.mark.parametrize("expression", ["cron(0 0 30 2 ? *)", "cron(0 0 1 1 ? 2020)"])
def test_a_cron_whose_time_never_comes_has_no_next(expression: str) -> None:
    assert parse(expression).next_after(SINCE, since=SINCE) is None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "neither rate"),
        ("every 5 minutes", "neither rate"),
        ("rate(5 minutes", "neither rate"),
        ("rate(-5 minutes)", "neither rate"),
        ("rate(1.5 hours)", "neither rate"),
        ("rate(5 seconds)", "neither rate"),
        ("rate(٣ minutes)", "neither rate"),
        ("Rate(5 minutes)", "neither rate"),
        ("at(2026-11-22T10:00:00)", "fires once"),
        ("rate(0 minutes)", "at least 1"),
        ("rate(1 minutes)", "singular after 1"),
        ("rate(5 minute)", "plural after 5"),
        ("cron(* * * * *)", "6 fields, not 5"),
        ("cron(0 0 0 * * ? *)", "6 fields, not 7"),
        ("cron(0 0 * * * *)", "exactly one"),
        ("cron(0 0 ? * ? *)", "exactly one"),
        ("cron(0 0 1 * MON *)", "exactly one"),
        ("cron(60 0 * * ? *)", "minutes: '60' is not between 0 and 59"),
        ("cron(0 24 * * ? *)", "hours: '24'"),
        ("cron(0 0 0 * ? *)", "day-of-month: '0'"),
        ("cron(0 0 32 * ? *)", "day-of-month: '32'"),
        ("cron(0 0 * 13 ? *)", "month: '13'"),
        ("cron(0 0 * FOO ? *)", "month: 'FOO'"),
        ("cron(0 0 ? * 0 *)", "day-of-week: '0'"),
        ("cron(0 0 ? * 8 *)", "day-of-week: '8'"),
        ("cron(0 0 * * ? 1969)", "year: '1969'"),
        ("cron(0 0 * * ? 2200)", "year: '2200'"),
        ("cron(0/0 * * * ? *)", "minutes: '0' is no increment"),
        ("cron(0/60 * * * ? *)", "minutes: '60' is no increment"),
        ("cron(/5 * * * ? *)", "minutes: ''"),
        ("cron(1, * * * ? *)", "minutes: ''"),
        ("cron(? * 1 * ? *)", "minutes: '?'"),
        ("cron(0 0 ? * FRI-MON *)", "runs backwards"),
        ("cron(0 22-2 * * ? *)", "runs backwards"),
        ("cron(0 0 W * ? *)", "day-of-month: ''"),
        ("cron(0 0 40W * ? *)", "day-of-month: '40'"),
        ("cron(0 0 ? * 3#6 *)", "after #: '6'"),
        ("cron(0 0 ? * 3#1,6#3 *)", "no second expression"),
        ("cron(0 0 ? * W *)", "day-of-week: 'W'"),
        ("cron(L 0 * * ? *)", "minutes: 'L'"),
        ("cron(٣ 0 * * ? *)", "minutes: '٣'"),
    ],
)
def test_an_expression_that_aws_does_not_take_is_refused_with_the_reason(
    expression: str, reason: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(expression)
    assert reason in caught.value.problem
    assert repr(expression) in caught.value.problem
    assert caught.value.mend


@pytest.mark.parametrize(
    ("expression", "mend"),
    [
        ("rate(1 minutes)", "write rate(1 minute)"),
        ("rate(5  minute)", "write rate(5 minutes)"),
        ("rate(2 day)", "write rate(2 days)"),
    ],
)
def test_a_unit_that_does_not_agree_with_its_number_is_put_right(
    expression: str, mend: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(expression)
    assert caught.value.mend == mend


def a_field(low: int, high: int) -> st.SearchStrategy[str]:
    """Return texts for a field of numbers: `*`, lists, ranges and increments."""
    value = st.integers(low, high)
    ranges = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, high)
    item = st.one_of(
        value.map(str),
        ranges,
        st.tuples(st.one_of(ranges, st.just("*"), value.map(str)), step).map(
            lambda pair: f"{pair[0]}/{pair[1]}"
        ),
    )
    return st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join))


DAYS = st.one_of(
    a_field(1, 31), st.just("L"), st.just("LW"), st.integers(1, 31).map(lambda day: f"{day}W")
)
DAYS_OF_WEEK = st.one_of(
    a_field(1, 7),
    st.just("L"),
    st.integers(1, 7).map(lambda day: f"{day}L"),
    st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}"),
)
EXPRESSIONS = st.builds(
    "cron({} {} {} {} {} *)".format,
    a_field(0, 59),
    a_field(0, 23),
    DAYS,
    a_field(1, 12),
    st.just("?"),
) | st.builds(
    "cron({} {} ? {} {} *)".format,
    a_field(0, 59),
    a_field(0, 23),
    a_field(1, 12),
    DAYS_OF_WEEK,
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))


def in_field(text: str, value: int, low: int, high: int) -> bool:
    """Whether a value is one of a field's, told value by value and not by sets."""
    for item in text.split(","):
        base, _, step = item.partition("/")
        first, _, last = base.partition("-")
        start = low if first == "*" else int(first)
        end = int(last) if last else high if step or first == "*" else start
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


def is_day(text: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if text == "L":
        return day.day == last
    if not text.endswith("W"):
        return in_field(text, day.day, 1, 31)
    wanted = last if text == "LW" else int(text[:-1])
    if wanted > last or day.weekday() > 4:
        return False
    weekdays = [n for n in range(1, last + 1) if date(day.year, day.month, n).weekday() < 5]
    return day.day == min(weekdays, key=lambda n: abs(n - wanted))


def is_day_of_week(text: str, day: date) -> bool:
    number = (day.weekday() + 1) % 7 + 1
    if text == "L":
        return number == 7
    if text.endswith("L"):
        last = calendar.monthrange(day.year, day.month)[1]
        return number == int(text[:-1]) and day.day + 7 > last
    if "#" in text:
        wanted, _, which = text.partition("#")
        return number == int(wanted) and (day.day - 1) // 7 + 1 == int(which)
    return in_field(text, number, 1, 7)


def matches(expression: str, moment: datetime) -> bool:
    """Whether a cron fires at a minute: each field by itself, written another way."""
    minutes, hours, day, month, weekday, _year = expression[5:-1].split()
    return (
        in_field(minutes, moment.minute, 0, 59)
        and in_field(hours, moment.hour, 0, 23)
        and in_field(month, moment.month, 1, 12)
        and (is_day(day, moment) if weekday == "?" else is_day_of_week(weekday, moment))
    )


@settings(deadline=None)  # it looks at 2,880 minutes one by one
@given(expression=EXPRESSIONS, moment=MOMENTS)
def test_the_next_firing_is_later_matches_and_has_none_before_it(
    expression: str, moment: datetime
) -> None:
    following = parse(expression).next_after(moment, since=SINCE)
    minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    if following is not None:
        assert following > moment
        assert following.second == following.microsecond == 0
        assert matches(expression, following)
    end = min(following, minute + timedelta(days=2)) if following else minute + timedelta(days=2)
    while minute < end:
        assert not matches(expression, minute), minute
        minute += timedelta(minutes=1)


@given(
    month=st.integers(1, 12),
    weekday=st.integers(1, 7),
    in_lower_case=st.booleans(),
)
def test_names_mean_their_numbers(month: int, weekday: int, in_lower_case: bool) -> None:
    named = f"cron(0 0 ? {MONTHS[month - 1]} {WEEKDAYS[weekday - 1]} *)"
    if in_lower_case:
        named = "cron" + named[4:].lower()
    numbered = f"cron(0 0 ? {month} {weekday} *)"
    assert firings(named, "2026-11-22", 5) == firings(numbered, "2026-11-22", 5)


@given(st.text(max_size=40) | st.text("0123456789*,-/?LW#() cronrateSUNminutes", max_size=40))
def test_any_text_is_a_timetable_or_a_schedule_error(text: str) -> None:
    for expression in (text, f"cron({text})", f"rate({text})"):
        with contextlib.suppress(ScheduleError):
            assert isinstance(parse(expression), Rate | Cron)
