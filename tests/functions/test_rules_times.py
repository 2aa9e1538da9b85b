"""`parse_time`: moments by Joda-Time's patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.rules import RuleMessage, compile_rule
from functions.runtime.rules.times import MAX_PATTERN, TimeFormatError, time_format, time_zone

MOMENT = 1_795_342_530_123  # Sunday, 2026-11-22T10:15:30.123Z


def written(*arguments: str) -> object:
    quoted = ", ".join("'" + argument.replace("'", "''") + "'" for argument in arguments[1:])
    pattern = arguments[0].replace('"', '""')
    sql = f"SELECT parse_time(\"{pattern}\", {quoted}) AS v FROM '#'"  # noqa: S608 - no database
    event = compile_rule(sql).apply(RuleMessage(topic="a", payload=b"{}", moment=0.0))
    return event.get("v")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2026-11-22T10:15:30.123+00:00"),
        ("yyyy.MM.dd G 'at' HH:mm:ss z", "2026.11.22 AD at 10:15:30 UTC"),
        ("yy y Y x YYYYYY", "26 2026 2026 2026 002026"),
        ("M MM MMM MMMM", "11 11 Nov November"),
        ("d dd D DDDD", "22 22 326 0326"),
        ("E EEE EEEE e", "Sun Sun Sunday 7"),
        ("w ww C", "47 47 20"),
        ("h hh a K k", "10 10 AM 10 10"),
        ("S SS SSSSSSS", "1 12 1230000"),
        ("Z ZZ ZZZ", "+0000 +00:00 UTC"),
        ("''yy'' 'o''clock'", "'26' o'clock"),
        ("äöü/—:", "äöü/—:"),
        ("", ""),
    ],
)
def test_a_pattern_in_utc(pattern: str, expected: str) -> None:
    assert written(pattern, str(MOMENT)) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Paris", "11:15 CET +0100 Europe/Paris"),
        ("America/New_York", "05:15 EST -0500 America/New_York"),
        ("+05:30", "15:45 +05:30 +0530 +05:30"),
        ("-0800", "02:15 -08:00 -0800 -08:00"),
        ("UTC", "10:15 UTC +0000 UTC"),
    ],
)
def test_a_zone(zone: str, expected: str) -> None:
    assert written("HH:mm z Z ZZZ", str(MOMENT), zone) == expected


@pytest.mark.parametrize(
    ("hour", "expected"), [(0, "12 AM 0 24"), (12, "12 PM 0 12"), (23, "11 PM 11 23")]
)
def test_the_hours_of_half_a_day(hour: int, expected: str) -> None:
    assert written("h a K k", str(hour * 3_600_000)) == expected


@pytest.mark.parametrize("moment", ["x", "1E300", "-1E300", "99999999999999999", "-62135596800001"])
def test_a_moment_that_no_calendar_has_is_undefined(moment: str) -> None:
    assert written("yyyy", moment) is None


@pytest.mark.parametrize(
    "zone",
    ["Nowhere", "../../etc/passwd", "/etc/localtime", "", "\0", "+99:00", "Europe", "a" * 9999],
)
def test_a_zone_of_a_message_that_there_is_not_is_undefined(zone: str) -> None:
    rule = compile_rule("SELECT parse_time('yyyy', 0, zone) AS v FROM '#'")
    message = RuleMessage(topic="a", payload=b"{}", moment=0.0, decoded={"zone": zone})
    assert rule.apply(message) == {}


@pytest.mark.parametrize("pattern", ["T", "yyyy'", "zzzz", "b", "y" * (MAX_PATTERN + 1)])
def test_a_pattern_that_is_none(pattern: str) -> None:
    with pytest.raises(TimeFormatError):
        time_format(pattern)


@given(st.text(max_size=30))
def test_no_pattern_and_no_zone_does_more_than_be_refused(text: str) -> None:
    for read in (time_format, time_zone):
        try:
            read(text)
        except TimeFormatError:
            continue
