import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from dashboard.store.arrivals import ButtonStatus
from dashboard.store.store import CLEAN_TIMEOUT
from tests.dashboard.guests import log_in, make_accounts, make_app, settings_of
from tests.dashboard.kept import Kept
from tests.dashboard.looking import overflow, quiet_page
from tests.dashboard.sample_api import answer_with
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)
ALL = {"Kitchen bell", "Front door", "LAB-07", "More coffee", "Garden gate"}

NOTE_TIMEOUTS = """
const begin = AbortSignal.timeout.bind(AbortSignal);
window.timeouts = [];
AbortSignal.timeout = (milliseconds) => timeouts.push(milliseconds) && begin(milliseconds);
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with Kept(tmp_path_factory.mktemp("state")) as dashboard:
        dashboard.fill()
        yield dashboard


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state_dir = tmp_path_factory.mktemp("accounts")
    make_accounts(state_dir)
    return state_dir


def names(page: Page) -> list[str]:
    return page.locator(".card h2").all_text_contents()


def test_each_button_has_a_card_that_tells_how_it_is(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/buttons"))
    expect(shared.locator("#summary")).to_have_text("5 buttons")
    assert set(names(shared)) == ALL
    card = shared.locator(".card", has_text="Front door")
    expect(card.locator(".serial")).to_have_text("G030JF055364XVRB")
    expect(card.locator(".place")).to_have_text("hall")
    expect(card.locator(".state")).to_have_text("sleeping")
    expect(card.locator(".volts")).to_have_text(re.compile(r"^2\.6\d V$"))
    expect(card.locator(".ends")).to_contain_text("lasts until")
    assert card.locator(".spark rect").count() == 24
    expect(card.locator(".spark")).to_have_attribute(
        "aria-label", re.compile("clicks in the last 24 hours")
    )
    unnamed = shared.locator(".card", has_text="LAB-07")
    expect(unnamed.locator(".where")).to_have_text("no name yet")


def test_cards_are_found_and_ordered_and_the_view_is_in_the_address(
    shared: Page, kept: Kept
) -> None:
    shared.goto(kept.url("/buttons"))
    expect(shared.locator("#summary")).to_have_text("5 buttons")
    shared.get_by_label("Order").select_option("battery")
    assert names(shared)[:4] == ["More coffee", "LAB-07", "Front door", "Kitchen bell"]
    shared.get_by_label("Order").select_option("name")
    assert names(shared) == sorted(ALL)
    shared.get_by_label("Find", exact=True).fill("STOVE")
    expect(shared.locator("#summary")).to_have_text("1 of 5 buttons")
    assert names(shared) == ["Kitchen bell"]
    assert urlsplit(shared.url).query == "search=STOVE&sort=name"
    shared.get_by_label("Find", exact=True).fill("nothing of ours")
    expect(shared.get_by_text("No button matches")).to_be_visible()
    shared.goto(kept.url("/buttons?search=lab"))
    expect(shared.locator("#summary")).to_have_text("1 of 5 buttons")


def test_a_click_shows_on_its_card_at_once_and_a_new_button_appears(
    shared: Page, kept: Kept
) -> None:
    shared.goto(kept.url("/buttons"))
    card = shared.locator(".card", has_text="Garden gate")
    before = int(card.locator(".today").inner_text())
    shared.wait_for_selector("#page-link[data-state=good]")
    kept.click("DOORBELL-2", click_type="LONG")
    expect(card.locator(".today")).to_have_text(str(before + 1))
    expect(card.locator(".last")).to_have_text("long just now")
    kept.click("NEW-ONE")
    expect(shared.locator(".card", has_text="NEW-ONE").locator(".total")).to_have_text("1")


def test_a_button_is_renamed_and_given_a_place_and_a_colour(shared: Page, kept: Kept) -> None:
    kept.click("RENAMED")
    shared.goto(kept.url("/buttons/RENAMED"))
    expect(shared.locator("#total")).to_have_text("1")
    shared.get_by_label("Name").fill("<b>Élodie's</b> bell")
    shared.get_by_label("Place").fill("attic")
    shared.get_by_label("teal").check()
    shared.get_by_role("button", name="Save").click()
    expect(shared.locator("#edit-said")).to_have_text("Saved.")
    expect(shared.locator("h1")).to_have_text("<b>Élodie's</b> bell")
    shared.reload()
    expect(shared.locator("h1")).to_have_text("<b>Élodie's</b> bell")
    expect(shared.get_by_label("Place")).to_have_value("attic")
    expect(shared.get_by_label("teal")).to_be_checked()
    colour = "getComputedStyle(document.getElementById('dot')).backgroundColor"
    assert shared.evaluate(colour) == "rgb(15, 118, 110)"


def test_a_heat_map_is_a_table_that_says_each_hour(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/buttons/KITCHEN"))
    cells = shared.locator("#heat tbody td")
    expect(cells.first).to_have_text("0")
    counts = [int(text) for text in cells.all_text_contents()]
    assert len(counts) == 7 * 24
    total = int(shared.locator("#total").inner_text().replace(",", ""))
    assert sum(counts) == total
    expect(shared.locator("#heat-said")).to_contain_text("Most on ")
    busiest = counts.index(max(counts))
    expect(cells.nth(busiest)).to_have_attribute("data-level", "4")


def test_a_buttons_history_is_read_on_demand_and_grows_as_it_is_pressed(
    shared: Page, kept: Kept
) -> None:
    shared.goto(kept.url("/buttons/KITCHEN"))
    rows = shared.locator("tr.click")
    expect(rows).to_have_count(25)
    shared.get_by_role("button", name="Show older clicks").click()
    expect(rows).to_have_count(50)
    kept.click("LAB-07")
    kept.click("KITCHEN", click_type="DOUBLE")
    expect(rows).to_have_count(51)
    expect(rows.first.locator(".type")).to_have_text("double")
    expect(shared.locator("#last")).to_contain_text("just now")


def test_a_buttons_data_is_taken_along_as_a_file(shared: Page, kept: Kept, tmp_path: Path) -> None:
    shared.goto(kept.url("/buttons/LAB-07"))
    for name, first in (("CSV", "id,"), ("NDJSON", "{")):
        with shared.expect_download() as download:
            shared.get_by_role("link", name=name, exact=True).click()
        download.value.save_as(tmp_path / name)
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[0].startswith(first)
        assert all("LAB-07" in line for line in lines[1:])
    clicks = [json.loads(line) for line in lines]
    expect(shared.locator("#total")).to_have_text(f"{len(clicks):,}")


@pytest.mark.parametrize("serial_number", ["GONE", "'\"><img src=x onerror=alert(1)>/?#%"])
def test_a_button_is_deleted_only_after_it_is_confirmed(
    shared: Page, kept: Kept, serial_number: str
) -> None:
    kept.click(serial_number)
    shared.goto(kept.url("/buttons"))
    shared.locator(".card", has_text=serial_number).get_by_role("link").click()
    expect(shared.locator("h1")).to_have_text(serial_number)
    expect(shared.locator("#total")).to_have_text("1")
    shared.get_by_role("button", name="Delete…").click()
    expect(shared.get_by_role("button", name="Keep it")).to_be_focused()
    shared.keyboard.press("Escape")
    expect(shared.get_by_role("dialog")).to_be_hidden()
    shared.get_by_role("button", name="Delete…").click()
    shared.get_by_role("button", name="Delete all of it").click()
    shared.wait_for_url("**/buttons")
    expect(shared.locator("#summary")).to_contain_text("buttons")
    assert serial_number not in names(shared)


def test_the_page_waits_for_a_deletion_longer_than_the_server_may_take(
    page: Page, kept: Kept
) -> None:
    kept.click("WAITS")
    page.add_init_script(NOTE_TIMEOUTS)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.goto(kept.url("/buttons/WAITS"))
    expect(page.locator("#total")).to_have_text("1")
    page.get_by_role("button", name="Delete…").click()
    page.route("**/api/buttons/WAITS", hold)
    page.get_by_role("button", name="Delete all of it").click()
    expect(page.locator("#confirm-said")).to_contain_text("Deleting.")
    expect(page.get_by_role("button", name="Delete all of it")).to_be_disabled()
    assert max(page.evaluate("timeouts")) > CLEAN_TIMEOUT * 1000
    held.pop().continue_()
    page.wait_for_url("**/buttons")


def test_what_is_not_there_or_fails_is_said(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/buttons/NOBODY"))
    expect(shared.get_by_role("alert")).to_contain_text("there is no such button")
    shared.route("**/api/buttons*", lambda route: route.abort())
    shared.goto(kept.url("/buttons"))
    expect(shared.locator("#summary")).to_contain_text("could not be read")
    shared.unroute_all()


@pytest.mark.parametrize("path", ["/buttons", "/buttons/KITCHEN", "/charts"])
def test_no_page_scrolls_sideways(shared: Page, kept: Kept, path: str) -> None:
    shared.goto(kept.url(path))
    shared.wait_for_selector("#page-link[data-state=good]")
    try:
        for width in (320, 390, 800, 1280, 2560):
            shared.set_viewport_size({"width": width, "height": 800})
            assert overflow(shared) <= 0, width
    finally:
        shared.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize(("name", "may_edit"), [("vera", False), ("oscar", False), ("ada", True)])
def test_only_who_may_change_a_button_is_offered_it(
    accounts: Path, name: str, may_edit: bool
) -> None:
    client = make_app(settings_of(accounts)).test_client()
    log_in(client, name)
    page = client.get("/buttons/KITCHEN").text
    assert ("Only an admin can change this." in page) is not may_edit
    assert ('<fieldset class="form" disabled>' in page) is not may_edit
    assert f"Logged in as {name}" in page


def test_a_button_that_somebody_deletes_leaves_the_open_pages(shared: Page, kept: Kept) -> None:
    kept.click("LEAVES")
    shared.goto(kept.url("/buttons"))
    expect(shared.locator(".card", has_text="LEAVES")).to_have_count(1)
    kept.hub.forget("LEAVES")
    expect(shared.locator(".card", has_text="LEAVES")).to_have_count(0)
    shared.goto(kept.url("/buttons/LEAVES"))
    expect(shared.locator("tr.click")).to_have_count(1)
    kept.hub.forget("LEAVES")
    expect(shared.get_by_role("alert")).to_have_text("This button was deleted.")
    expect(shared.locator("tr.click")).to_have_count(0)


def test_cards_follow_what_a_button_says_of_itself(page: Page, kept: Kept) -> None:
    kept.put(ButtonStatus(serial_number="KITCHEN", state="online"))
    page.clock.install()
    page.goto(kept.url("/buttons"))
    state = page.locator(".card", has_text="Kitchen bell").locator(".state")
    expect(state).to_have_text("online")
    kept.put(ButtonStatus(serial_number="KITCHEN", state="offline"))
    page.clock.run_for(61_000)
    expect(state).to_have_text("offline")
    page.goto(kept.url("/buttons/KITCHEN"))
    expect(page.locator("#state")).to_have_text("offline")
    kept.put(ButtonStatus(serial_number="KITCHEN", state="sleeping"))
    page.clock.run_for(61_000)
    expect(page.locator("#state")).to_have_text("sleeping")


@pytest.mark.parametrize("path", ["/buttons", "/buttons/KITCHEN"])
def test_today_begins_anew_with_the_first_click_after_midnight(
    page: Page, kept: Kept, path: str
) -> None:
    page.clock.install(time=datetime(2026, 11, 22, 23, 59, 55))
    page.goto(kept.url(path))
    today = page.locator(".card", has_text="Kitchen bell").locator(".today")
    if path != "/buttons":
        today = page.locator("#today")
    page.wait_for_selector("#page-link[data-state=good]")
    expect(today).to_have_text(re.compile(r"\d"))
    known = json.loads(page.request.get(kept.url("/api/buttons/KITCHEN")).body())
    answer = known | {"clicksToday": 1}
    answer_with(page, "/api/buttons", lambda _query: {"buttons": [answer]})
    answer_with(page, "/api/buttons/KITCHEN", lambda _query: answer)
    page.clock.run_for(10_000)
    kept.click("KITCHEN")
    expect(today).to_have_text("1")
