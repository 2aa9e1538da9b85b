"""Where a click's time went: computed, kept, shown."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.store import Store
from dashboard.store.arrivals import milliseconds
from dashboard.store.schema import APPLICATION, FILE, SCHEMA
from dashboard.store.traces import click_and_trace, pack, unpack
from dashboard.traces import Waterfall, waterfall
from dashboard.traces_page import took
from iot_button.database import Database
from iot_button.events import decode_traced_click, format_instant, utc_now
from iot_button.traces import Trace, precise
from tests.dashboard.helpers import click, keep, processed
from tests.dashboard.kept import Kept
from tests.dashboard.looking import overflow, quiet_page
from tests.dashboard.running_functions import HOSTILE
from tests.dashboard.test_accessibility import AXE, violations
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT_ID = "01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e"
WARM = Trace(
    traceparent=f"00-{EVENT_ID.replace('-', '')}-8d3f1b1e0b0a4c9b-01",
    request_id="8d3f1b1e-0b0a-4c9b-9d3e-5a1b2c3d4e5f",
    function="enrich",
    attempt=1,
    received_at=precise(NOON.timestamp() + 0.010),
    queued_ms=2.0,
    cold_start_ms=0.0,
    handler_ms=3.0,
    published_ms=6.0,
)


def payload(trace: object, *, clicked_at: datetime = NOON) -> bytes:
    return processed(eventId=EVENT_ID, clickedAt=format_instant(clicked_at), trace=trace)


def json_of(trace: Trace) -> object:
    return json.loads(msgspec.json.encode(trace))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def way(
    store: Store, trace: object, *, clicked_at: datetime = NOON, took_ms: int = 20
) -> Waterfall:
    """Take in a click that came here so long after noon, and return its way."""
    content = decode_traced_click(payload(trace, clicked_at=clicked_at))
    keep(store, content, at=NOON + timedelta(milliseconds=took_ms))
    found = click_and_trace(store.reader(), 1)
    assert found is not None
    return waterfall(*found)


def lengths(found: Waterfall) -> list[float | None]:
    return [step.length_ms for step in found.steps]


def test_each_step_begins_where_the_one_before_it_ends(store: Store) -> None:
    found = way(store, json_of(WARM))
    assert lengths(found) == [10.0, 2.0, 0.0, 3.0, 1.0, 4.0]
    assert [step.start_ms for step in found.steps] == [0.0, 10.0, 12.0, 12.0, 15.0, 16.0]
    assert found.total_ms == 20.0
    assert [step.between_clocks for step in found.steps] == [True, *[False] * 4, True]
    assert found.trace_id == EVENT_ID.replace("-", "")


def test_a_cold_start_and_failed_runs_are_told(store: Store) -> None:
    trace = msgspec.structs.replace(WARM, cold_start_ms=0.5, attempt=3)
    steps = way(store, json_of(trace)).steps
    assert (steps[2].name, steps[2].length_ms) == ("Cold start", 0.5)
    assert steps[1].note == "with 2 failed runs before"


@pytest.mark.parametrize(("ahead_ms", "took_ms"), [(38, 20), (0, 5)])
def test_clocks_that_differ_are_told_and_make_no_negative_step(
    store: Store, ahead_ms: int, took_ms: int
) -> None:
    ahead = NOON + timedelta(milliseconds=ahead_ms)
    found = way(store, json_of(WARM), clicked_at=ahead, took_ms=took_ms)
    assert all(length is not None and length >= 0 for length in lengths(found))
    apart = [step.apart_ms for step in found.steps]
    assert apart == ([28.0, *[None] * 5] if ahead_ms else [*[None] * 5, 11.0])


def test_a_clock_that_was_never_set_is_named_and_is_no_length(store: Store) -> None:
    found = way(store, json_of(WARM), clicked_at=datetime(1970, 1, 1, 0, 0, 12, tzinfo=UTC))
    first = found.steps[0]
    assert (first.length_ms, first.note) == (None, "the button's clock was not set")
    assert found.total_ms == 10.0


def test_a_difference_that_rounding_makes_is_none(store: Store) -> None:
    trace = msgspec.structs.replace(WARM, published_ms=10.6)  # at 20.6, which is cut to 20
    last = way(store, json_of(trace), took_ms=20).steps[-1]
    assert (last.length_ms, last.apart_ms) == (0.0, None)


@pytest.mark.parametrize("strange", [None, 5, [], {}, {"traceparent": HOSTILE}, "x" * 5000])
def test_a_click_whose_trace_is_none_of_ours_has_a_way_of_two_steps(
    store: Store, strange: object
) -> None:
    found = way(store, strange)
    assert len(found.steps) == 2
    assert (found.trace_id, found.function) == (None, None)


def test_a_trace_is_kept_whole_and_small() -> None:
    data = pack(WARM)
    assert data is not None
    assert unpack(data) == WARM
    assert len(data) < 220
    assert unpack(None) is None


def test_a_history_from_before_is_brought_up_to_date(tmp_path: Path) -> None:
    before = Database(tmp_path / FILE, application=APPLICATION, schema=SCHEMA[:1])
    with before as database:
        database.write("INSERT INTO button (number, serial_number) VALUES (1, 'B-1')")
        database.write(
            "INSERT INTO click VALUES (1, 1, 'e', ?, ?, 'SINGLE', NULL, NULL, '', '', '', NULL)",
            (milliseconds(utc_now()),) * 2,  # the button's clock was at 1970
        )
        database.commit()
    with Store(tmp_path) as store:
        found = click_and_trace(store.reader(), 1)
        assert found is not None
        assert (found[0].event_id, found[0].latency_ms, found[1]) == ("e", None, None)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (len(SCHEMA),)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (None, "not known"),
        (0.0, "0 µs"),
        (0.14, "140 µs"),
        (3.14, "3.1 ms"),
        (250.0, "250 ms"),
        (1500.0, "1.5 s"),
        (59_999.0, "60 s"),
        (7_200_000.0, "2.0 h"),
        (864_000_000.0, "10 d"),
    ],
)
def test_lengths_of_time_are_said_in_words(milliseconds: float | None, words: str) -> None:
    assert took(milliseconds) == words


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with Kept(tmp_path_factory.mktemp("state")) as dashboard:
        trace = json_of(msgspec.structs.replace(WARM, cold_start_ms=0.4))
        dashboard.put(
            decode_traced_click(payload(trace, clicked_at=NOON + timedelta(milliseconds=50))),
            click("plain", serial_number="B-1", click_type=HOSTILE),
            moments=[NOON + timedelta(milliseconds=20)] * 2,
        )
        yield dashboard


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser, reduced_motion="reduce") as page:
        yield page


def test_the_live_page_leads_to_a_clicks_way_and_that_to_its_log(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/"))
    shared.locator("tr.click", has_text="G030JF055364XVRB").click()
    shared.get_by_role("link", name="Where the time went").click()
    expect(shared.locator("h1")).to_have_text("Where the time went")
    rows = shared.locator(".waterfall tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.nth(2)).to_contain_text("Cold start")
    expect(rows.nth(2).locator("td").first).to_have_text("400 µs")
    expect(rows.first).to_contain_text("The clocks differ by 40 ms at least")
    assert float(rows.nth(3).locator(".length").get_attribute("width") or 0) > 0
    shared.get_by_role("link", name=WARM.request_id).click()
    expect(shared).to_have_url(re.compile(rf"/functions/enrich\?request={WARM.request_id}$"))


@pytest.mark.parametrize("number", [1, 2])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    shared: Page, kept: Kept, number: int
) -> None:
    shared.goto(kept.url(f"/clicks/{number}"))
    shared.wait_for_selector("#page-link[data-state=good]")
    expect(shared.locator("main img")).to_have_count(0)
    shared.evaluate(AXE)
    try:
        for width, scheme in ((1280, "light"), (390, "dark")):
            shared.set_viewport_size({"width": width, "height": 800})
            shared.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert violations(shared) == [], (width, scheme)
        for width in (320, 390, 800, 1280):
            shared.set_viewport_size({"width": width, "height": 800})
            assert overflow(shared) <= 0, width
    finally:
        shared.set_viewport_size({"width": 1280, "height": 800})


def test_a_click_that_is_not_there_is_said(shared: Page, kept: Kept) -> None:
    answer = shared.request.get(kept.url("/clicks/99"))
    assert (answer.status, "no such click" in answer.text()) == (404, True)
    assert shared.request.get(kept.url(f"/api/clicks/{1 << 80}/trace")).status == 404
