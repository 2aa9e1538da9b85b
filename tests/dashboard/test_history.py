import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.history import MAX_TEXT, ClickRate, History
from iot_button.events import ProcessedClick, format_instant

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def click(event_id: str | None = None, **fields: str) -> ProcessedClick:
    values = {"serial_number": "B-1", "click_type": "SINGLE"} | fields
    return ProcessedClick(event_id=event_id, **values)


def row_of(history: History, **fields: str) -> dict[str, object]:
    recorded = history.add(click(**fields), received_at=NOON)
    assert recorded is not None
    row: dict[str, object] = json.loads(recorded.json)
    return row


def test_a_click_that_comes_twice_is_recorded_once() -> None:
    history = History()
    assert history.add(click("a"), received_at=NOON) is not None
    assert history.add(click("a"), received_at=NOON) is None
    assert history.last_id == 1


def test_clicks_without_an_event_id_are_all_recorded() -> None:
    history = History()
    assert [history.add(click(), received_at=NOON) is not None for _ in range(3)] == [True] * 3


@given(kept=st.integers(1, 5), came=st.integers(0, 12), seen=st.integers(-1, 14))
def test_resuming_gives_every_later_row_or_says_that_it_cannot(
    kept: int, came: int, seen: int
) -> None:
    history = History(max_rows=kept)
    for number in range(came):
        history.add(click(f"e{number}"), received_at=NOON)
    rows = history.after(seen)
    if rows is None:
        assert seen < came - kept or seen > came or seen < 0
    else:
        assert [row.id for row in rows] == list(range(seen + 1, came + 1))


def test_an_event_id_is_forgotten_with_its_row_so_that_memory_is_bounded() -> None:
    history = History(max_rows=2)
    for event_id in ("a", "b", "c"):
        history.add(click(event_id), received_at=NOON)
    assert history.add(click("a"), received_at=NOON) is not None
    assert history.add(click("c"), received_at=NOON) is None


@pytest.mark.parametrize(
    ("clicked_at", "latency"),
    [
        (format_instant(NOON - timedelta(milliseconds=23)), 23),
        (format_instant(NOON), 0),
        (format_instant(NOON + timedelta(milliseconds=1)), None),
        ("yesterday", None),
        ("2026-02-30T10:00:00Z", None),
    ],
)
def test_latency_is_measured_or_null_and_never_negative(
    clicked_at: str, latency: int | None
) -> None:
    assert row_of(History(), clicked_at=clicked_at)["latencyMs"] == latency


def test_long_texts_are_cut_so_that_memory_is_bounded() -> None:
    row = row_of(History(), title="x" * 100_000, serial_number="y" * 100_000)
    assert len(str(row["title"])) == len(str(row["serialNumber"])) == MAX_TEXT


def test_buttons_are_counted_up_to_a_bound() -> None:
    history = History(max_buttons=3)
    for number in range(5):
        history.add(click(serial_number=f"B-{number}"), received_at=NOON)
    assert (history.buttons, history.has_more_buttons) == (3, True)


@given(st.lists(st.floats(0, 200), max_size=50).map(sorted), st.floats(0, 300))
def test_the_rate_counts_the_last_sixty_seconds(moments: list[float], later: float) -> None:
    rate = ClickRate()
    for moment in moments:
        rate.add(moment)
    now = max([later, *moments])
    assert rate.per_minute(now) == sum(int(now) - int(moment) < 60 for moment in moments)


def test_a_row_tells_the_highest_voltage_of_its_button_and_of_no_other() -> None:
    history = History()
    voltages = [("A", "3000mV"), ("B", "1716mV"), ("A", "1750mV"), ("C", None)]
    highest = [
        row_of(history, serial_number=serial, **({"battery_voltage": text} if text else {}))
        for serial, text in voltages
    ]
    assert [row["batteryHighest"] for row in highest] == [3000, 1716, 3000, None]
