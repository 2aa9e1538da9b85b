import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.history import MAX_TEXT, ClickRate, History, Recorded, recorded, row_of
from iot_button.events import ProcessedClick, format_instant

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def shown(**fields: str) -> dict[str, object]:
    click = ProcessedClick(**{"serial_number": "B-1", "click_type": "SINGLE"} | fields)
    row = row_of(click, row_id=1, received_at=NOON, battery_highest=None)
    shown: dict[str, object] = json.loads(recorded(row).json)
    return shown


@given(kept=st.integers(1, 5), came=st.integers(0, 12), seen=st.integers(-1, 14))
def test_resuming_gives_every_later_row_or_says_that_it_cannot(
    kept: int, came: int, seen: int
) -> None:
    history = History(max_rows=kept)
    for number in range(came):
        history.add(Recorded(number + 1, "B", b"{}"))
    rows = history.after(seen)
    if rows is None:
        assert seen < came - kept or seen > came or seen < 0
    else:
        assert [row.id for row in rows] == list(range(seen + 1, came + 1))


def test_a_button_that_was_deleted_is_in_no_snapshot() -> None:
    history = History([Recorded(n, "AB"[n % 2], b"{}") for n in range(1, 7)])
    history.forget("B")
    assert [row.id for row in history.latest(10)] == [2, 4, 6]


def test_who_was_here_last_before_a_button_was_deleted_starts_anew() -> None:
    history = History([Recorded(n, "AB"[n % 2], b"{}") for n in range(1, 7)])
    history.forget("B")
    history.add(Recorded(7, "A", b"{}"))
    assert history.after(3) is None
    assert history.after(6) is None
    assert history.after(7) == []


@pytest.mark.parametrize(
    ("clicked_at", "latency"),
    [
        (format_instant(NOON - timedelta(milliseconds=23)), 23),
        (format_instant(NOON), 0),
        (format_instant(NOON + timedelta(milliseconds=1)), None),
        ("1970-01-01T00:00:12.000Z", None),  # a clock that nobody has set
        ("yesterday", None),
        ("2026-02-30T10:00:00Z", None),
    ],
)
def test_latency_is_measured_or_null_and_never_negative(
    clicked_at: str, latency: int | None
) -> None:
    assert shown(clicked_at=clicked_at)["latencyMs"] == latency


def test_long_texts_are_cut_so_that_memory_and_disk_are_bounded() -> None:
    row = shown(title="x" * 100_000, serial_number="y" * 100_000, event_id="z" * 100_000)
    assert {len(str(row[name])) for name in ("title", "serialNumber", "eventId")} == {MAX_TEXT}


@given(st.lists(st.floats(0, 200), max_size=50).map(sorted), st.floats(0, 300))
def test_the_rate_counts_the_last_sixty_seconds(moments: list[float], later: float) -> None:
    rate = ClickRate()
    for moment in moments:
        rate.add(moment)
    now = max([later, *moments])
    assert rate.per_minute(now) == sum(int(now) - int(moment) < 60 for moment in moments)
