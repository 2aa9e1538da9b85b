from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.live import Hub
from dashboard.store.buttons import Change, change
from iot_button.events import ProcessedClick
from tests.dashboard.helpers import Serve, show
from tests.dashboard.kept import Kept
from tests.dashboard.looking import overflow
from tests.dashboard.sample_api import answer_with, row
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)


def add(hub: Hub, serial_number: str, *, click_type: str = "SINGLE", title: str = "") -> None:
    click = ProcessedClick(serial_number=serial_number, click_type=click_type, title=title)
    show(hub, click)


def open_page(page: Page, port: int, path: str = "/") -> None:
    page.goto(f"http://127.0.0.1:{port}{path}")
    page.wait_for_selector("#page-link[data-state=good]")


def test_a_paused_page_counts_what_waits_and_shows_it_when_it_goes_on(
    page: Page, serve: Serve
) -> None:
    hub, port = serve()
    open_page(page, port)
    add(hub, "before")
    expect(page.locator("tr.click")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    for number in range(3):
        add(hub, f"B-{number}")
    expect(page.get_by_role("button", name="Paused")).to_have_text("Paused · 3 wait")
    expect(page.locator("tr.click")).to_have_count(1)
    page.get_by_role("button", name="Paused").click()
    expect(page.locator("tr.click .serial")).to_have_text(["B-2", "B-1", "B-0", "before"])
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")


def test_filters_choose_what_is_shown_and_are_in_the_address(page: Page, serve: Serve) -> None:
    hub, port = serve()
    asked = answer_with(page, "/api/clicks", lambda _query: {"clicks": [], "before": None})
    answer_with(page, "/api/names", lambda _query: {"buttons": []})
    add(hub, "A-1", title="kitchen")
    add(hub, "B-1", click_type="LONG", title="Kitchen door")
    add(hub, "B-1", title="hall")
    open_page(page, port)
    expect(page.locator("tr.click")).to_have_count(3)
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Text").fill("kitchen")
    expect(page.locator("tr.click .serial")).to_have_text(["B-1", "A-1"])
    page.get_by_label("Click", exact=True).select_option("LONG")
    expect(page.locator("tr.click .serial")).to_have_text(["B-1"])
    assert urlsplit(page.url).query == "clickType=LONG&text=kitchen"
    add(hub, "C-1", title="kitchen")
    add(hub, "C-2", click_type="LONG", title="The kitchen's")
    expect(page.locator("tr.click .serial")).to_have_text(["C-2", "B-1"])
    assert asked[-1] == {"clickType": "LONG", "text": "kitchen", "limit": "100", "before": "1"}
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("tr.click")).to_have_count(5)
    assert urlsplit(page.url).query == ""


def test_a_view_can_be_bookmarked(page: Page, serve: Serve) -> None:
    hub, port = serve()
    answer_with(page, "/api/clicks", lambda _query: {"clicks": [], "before": None})
    add(hub, "A-1")
    add(hub, "B-1")
    open_page(page, port, "/?serialNumber=A-1")
    expect(page.locator("tr.click .serial")).to_have_text(["A-1"])
    expect(page.get_by_label("Button", exact=True)).to_have_value("A-1")
    page.get_by_label("Button", exact=True).fill("nobody")
    expect(page.get_by_text("No click matches")).to_be_visible()


def test_older_clicks_come_on_demand_up_to_a_thousand_rows(page: Page, serve: Serve) -> None:
    hub, port = serve()

    def older(query: dict[str, str]) -> object:
        first = int(query["before"])
        ids = range(first - 1, max(0, first - 1 - int(query["limit"])), -1)
        return {"clicks": [row(i) for i in ids], "before": ids[-1] if ids[-1] > 1 else None}

    asked = answer_with(page, "/api/clicks", older)
    for number in range(1, 951):
        add(hub, f"B-{number}")
    open_page(page, port)
    expect(page.locator("tr.click")).to_have_count(300)
    for count in range(400, 1001, 100):
        page.locator("#older").click()
        expect(page.locator("tr.click")).to_have_count(min(count, 950))
    assert [query["before"] for query in asked] == [str(n) for n in range(651, 0, -100)]
    expect(page.locator("tr.click .serial").last).to_have_text("B-1")
    expect(page.locator("#older")).to_be_hidden()
    expect(page.get_by_text("That was the first of them.")).to_be_visible()
    for number in range(951, 1012):
        add(hub, f"B-{number}")
    expect(page.locator("tr.click .serial").first).to_have_text("B-1011")
    expect(page.locator("tr.click")).to_have_count(1000)


def test_older_clicks_that_cannot_be_read_are_said_and_can_be_asked_for_again(
    page: Page, serve: Serve
) -> None:
    hub, port = serve()
    for number in range(310):
        add(hub, f"B-{number}")
    page.route("**/api/clicks?*", lambda route: route.fulfill(status=400, json={"error": "busy"}))
    open_page(page, port)
    page.get_by_role("button", name="Show older clicks").click()
    expect(page.locator("#older-said")).to_have_text("Older clicks could not be read: busy")
    expect(page.get_by_role("button", name="Show older clicks")).to_be_enabled()


@pytest.mark.parametrize("width", [1280, 390])
def test_who_has_scrolled_away_is_told_of_new_clicks_and_brought_to_them(
    page: Page, serve: Serve, width: int
) -> None:
    hub, port = serve()
    for number in range(60):
        add(hub, f"B-{number}")
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, port)
    page.locator("tr.click").nth(50).scroll_into_view_if_needed()
    expect(page.locator("#top-edge")).not_to_be_in_viewport()
    pill = page.locator("#fresh")
    for number in range(2):
        add(hub, f"new-{number}")
    expect(pill).to_have_text("↑ 2 new")
    pill.click()
    expect(page.locator("tr.click").first).to_be_in_viewport()
    expect(pill).to_be_hidden()


def test_a_screen_reader_hears_a_summary_and_not_each_click(page: Page, serve: Serve) -> None:
    hub, port = serve()
    page.clock.install()
    open_page(page, port)
    page.evaluate(
        """() => { window.said = []; new MutationObserver(() =>
        said.push(document.getElementById("heard").textContent))
        .observe(document.getElementById("heard"), {childList: true}); }"""
    )
    for number in range(40):
        add(hub, f"B-{number}", click_type="LONG")
    expect(page.locator("tr.click")).to_have_count(40)
    page.clock.run_for(1000)
    for number in range(2):
        add(hub, f"C-{number}")
    expect(page.locator("tr.click")).to_have_count(42)
    page.clock.run_for(11_000)
    assert page.evaluate("said") == ["40 new clicks, the latest long by B-39."]
    page.clock.run_for(2_000)
    assert page.evaluate("said.at(-1)") == "2 new clicks, the latest single by C-1."


def test_the_colours_follow_the_system_until_switched_and_the_choice_is_kept(
    browser: Browser, serve: Serve
) -> None:
    _hub, port = serve()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = "rgb(244, 241, 234)", "rgb(21, 19, 15)"
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        open_page(page, port)
        assert page.evaluate(ground) == dark
        page.get_by_role("button", name="Colours: as the system").click()
        assert page.evaluate(ground) == light
        page.reload()
        assert page.evaluate(ground) == light
        page.get_by_role("button", name="Colours: light").click()
        page.get_by_role("button", name="Colours: dark").click()
        expect(page.get_by_role("button", name="Colours: as the system")).to_be_visible()
        assert page.evaluate(ground) == dark


def test_the_keyboard_can_skip_to_the_content(page: Page, serve: Serve) -> None:
    _hub, port = serve()
    open_page(page, port)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#pad")).to_be_focused()


def test_the_rows_of_a_button_that_is_deleted_leave_the_page(page: Page, serve: Serve) -> None:
    hub, port = serve()
    for number in range(60):
        add(hub, "GONE", title="x")
        add(hub, f"B-{number}", title="x")
    open_page(page, port)
    expect(page.locator("tr.click")).to_have_count(120)
    page.locator(".more").nth(1).click()
    page.get_by_role("button", name="Pause").click()
    add(hub, "GONE")
    add(hub, "waits")
    expect(page.get_by_role("button", name="Paused")).to_have_text("Paused · 2 wait")
    hub.forget("GONE")
    expect(page.locator("tr.click")).to_have_count(60)
    expect(page.locator("tr.details")).to_have_count(0)
    expect(page.get_by_role("button", name="Paused")).to_have_text("Paused · 1 waits")
    page.get_by_role("button", name="Paused").click()
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Text").fill("x")
    expect(page.locator("tr.click")).to_have_count(60)
    expect(page.locator("tr.click", has_text="GONE")).to_have_count(0)


def test_what_waits_goes_on_waiting_when_another_filter_is_chosen(page: Page, serve: Serve) -> None:
    hub, port = serve()
    answer_with(page, "/api/clicks", lambda _query: {"clicks": [], "before": None})
    add(hub, "A-1")
    add(hub, "B-1")
    open_page(page, port)
    expect(page.locator("tr.click")).to_have_count(2)
    page.get_by_role("button", name="Pause").click()
    add(hub, "A-2")
    add(hub, "B-2")
    pause = page.locator("#pause")
    expect(pause).to_have_text("Paused · 2 wait")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Text").fill("a-")
    expect(page.locator("tr.click .serial")).to_have_text(["A-1"])
    expect(pause).to_have_text("Paused · 1 waits")
    pause.click()
    expect(page.locator("tr.click .serial")).to_have_text(["A-2", "A-1"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("tr.click .serial")).to_have_text(["B-2", "A-2", "B-1", "A-1"])


def test_a_text_is_found_in_what_a_button_is_called_and_in_the_moment(
    page: Page, serve: Serve
) -> None:
    hub, port = serve()
    named = {"serialNumber": "K-1", "name": "Küche", "place": "by the stove"}
    answer_with(page, "/api/clicks", lambda _query: {"clicks": [], "before": None})
    answer_with(page, "/api/names", lambda _query: {"buttons": [named]})
    add(hub, "K-1")
    show(
        hub, ProcessedClick(serial_number="B-1", click_type="SINGLE", timestamp="2026-11-22T10:15Z")
    )
    open_page(page, port, "/?text=KÜCHE")
    expect(page.locator("tr.click .serial")).to_have_text(["Küche"])
    add(hub, "B-2")
    add(hub, "K-1", click_type="LONG")
    expect(page.locator("tr.click .serial")).to_have_text(["Küche", "Küche"])
    page.get_by_label("Text").fill("STOVE")
    expect(page.locator("tr.click .serial")).to_have_text(["Küche", "Küche"])
    page.get_by_label("Text").fill("t10:15z")
    expect(page.locator("tr.click .serial")).to_have_text(["B-1"])


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with Kept(tmp_path) as dashboard:
        dashboard.click("KITCHEN")
        dashboard.click("LAB-07")
        call(dashboard, "KITCHEN", "Kitchen bell")
        yield dashboard


def call(kept: Kept, serial_number: str, name: str) -> None:
    assert kept.store.run(partial(change, serial_number=serial_number, wanted=Change(name=name)))


def test_a_click_bears_its_buttons_name_and_follows_a_new_one(page: Page, kept: Kept) -> None:
    page.clock.install()
    open_page(page, kept.port)
    cells = page.locator("tr.click .serial")
    expect(cells).to_have_text(["LAB-07", "Kitchen bell"])
    expect(cells.last).to_have_attribute("title", "Kitchen bell\nKITCHEN")
    kept.click("KITCHEN", click_type="LONG")
    expect(cells.first).to_have_text("Kitchen bell")
    page.clock.run_for(1000)
    expect(page.locator("#heard")).to_have_text("New click: long by Kitchen bell.")
    cells.first.click()
    expect(page.locator(".details dd").first).to_have_text("KITCHEN")
    call(kept, "KITCHEN", "<img src=x>" + "x" * 53)
    page.clock.run_for(61_000)
    expect(cells.first).to_have_text("<img src=x>" + "x" * 53)
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0, width


def test_the_filter_takes_a_buttons_name_and_keeps_its_serial_number(
    page: Page, kept: Kept
) -> None:
    page.clock.install()
    open_page(page, kept.port)
    page.get_by_role("button", name="Filter").click()
    field = page.get_by_label("Button", exact=True)
    expect(page.locator("#serials option")).to_have_count(2)
    assert page.locator("#serials").evaluate("it => [...it.options].map(o => o.value)") == [
        "LAB-07",
        "Kitchen bell",
    ]
    field.fill("kitchen BELL")
    page.clock.run_for(1000)
    cells = page.locator("tr.click .serial")
    expect(cells).to_have_text(["Kitchen bell"])
    assert urlsplit(page.url).query == "serialNumber=KITCHEN"
    page.get_by_label("Text").focus()
    call(kept, "KITCHEN", "Bell")
    page.clock.run_for(61_000)
    expect(field).to_have_value("Bell")
    expect(cells).to_have_text(["Bell"])
    call(kept, "LAB-07", "Bell")  # two of one name are told by their serial numbers
    page.clock.run_for(61_000)
    expect(field).to_have_value("KITCHEN")
    expect(cells).to_have_text(["Bell"])
