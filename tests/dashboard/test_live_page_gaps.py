"""The rows of the live page are the newest without a gap, whatever the page was doing meanwhile."""

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.helpers import Serve
from tests.dashboard.sample_api import answer_with, row
from tests.dashboard.test_live_page import add, open_page
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)
SHOWN = "tr.click .serial"


def older(query: dict[str, str]) -> object:
    first = int(query["before"])
    ids = range(first - 1, max(0, first - 1 - int(query["limit"])), -1)
    return {"clicks": [row(i) for i in ids], "before": ids[-1] if ids and ids[-1] > 1 else None}


def numbers(first: int, last: int) -> list[str]:
    """Return the serial numbers of clicks, newest first."""
    return [f"B-{number}" for number in range(last, first - 1, -1)]


def read_all_older(page: Page) -> None:
    """Ask for older clicks until there are no more."""
    shown = page.locator("tr.click")
    while page.locator("#older").is_visible():
        before = shown.count()
        page.locator("#older").click()
        page.wait_for_function(
            "count => document.querySelectorAll('tr.click').length > count", arg=before
        )


@pytest.mark.parametrize("kept", [0, 100], ids=["as it was opened", "with older ones shown"])
def test_a_page_that_goes_on_after_a_long_pause_has_no_gap(
    page: Page, serve: Serve, kept: int
) -> None:
    hub, port = serve()
    answer_with(page, "/api/clicks", older)
    for number in range(1, 115 + kept):
        add(hub, f"B-{number}")
    open_page(page, port)
    page.get_by_role("button", name="Pause").click()
    for number in range(115 + kept, 815):
        add(hub, f"B-{number}")
    expect(page.get_by_role("button", name="Paused")).to_have_text(f"Paused · {700 - kept} wait")
    page.get_by_role("button", name="Paused").click()
    expect(page.locator(SHOWN).first).to_have_text("B-814")
    expect(page.locator("tr.click")).to_have_count(300)
    read_all_older(page)
    assert page.locator(SHOWN).all_text_contents() == numbers(1, 814)


def test_a_tab_that_drew_nothing_for_a_while_has_no_gap(page: Page, serve: Serve) -> None:
    hub, port = serve()
    answer_with(page, "/api/clicks", older)
    for number in range(1, 21):
        add(hub, f"B-{number}")
    open_page(page, port)
    expect(page.locator("tr.click")).to_have_count(20)
    page.evaluate(
        "() => { held = []; frame = requestAnimationFrame;"
        " requestAnimationFrame = (draw) => held.push(draw); }"
    )
    for number in range(21, 401):
        add(hub, f"B-{number}")
    expect(page.locator("#rate")).to_have_text("400")
    page.evaluate("() => { requestAnimationFrame = frame; held.forEach((draw) => frame(draw)); }")
    expect(page.locator("tr.click")).to_have_count(300)
    read_all_older(page)
    assert page.locator(SHOWN).all_text_contents() == numbers(1, 400)


def test_clicks_that_come_while_older_ones_are_read_leave_no_gap(page: Page, serve: Serve) -> None:
    hub, port = serve()
    for number in range(1, 402):
        add(hub, f"B-{number}")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/clicks?*", hold)
    open_page(page, port)
    with page.expect_request("**/api/clicks?*"):
        page.locator("#older").click()
    for number in range(402, 407):
        add(hub, f"B-{number}")
    expect(page.locator(SHOWN).first).to_have_text("B-406")
    held[0].fulfill(body=json.dumps(older({"before": "102", "limit": "100"})))
    expect(page.locator(SHOWN).last).to_have_text("B-2")
    assert page.locator(SHOWN).all_text_contents() == numbers(2, 406)


def test_a_pause_too_long_for_all_to_be_kept_leaves_no_gap_in_what_is_filtered(
    page: Page, serve: Serve
) -> None:
    hub, port = serve()

    def older_matching(query: dict[str, str]) -> object:
        ids = range(int(query.get("before", 1)) - 1, 0, -1)
        return {"clicks": [row(i) for i in ids if i % 100 == 0], "before": None}

    answer_with(page, "/api/clicks", older_matching)
    open_page(page, port, "/?text=hundred")
    page.get_by_role("button", name="Pause").click()
    for number in range(1, 1501):
        add(hub, f"B-{number}", title="" if number % 100 else "hundred")
    expect(page.locator("#pause")).to_have_text("Paused · 15 wait")
    page.locator("#pause").click()
    expect(page.locator(SHOWN)).to_have_text([f"B-{n}" for n in range(1500, 0, -100)])
