"""The pages of functions, in a browser, with a runtime whose HTTP side is the real one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard import functions_api
from tests.dashboard.kept import Kept
from tests.dashboard.looking import overflow, quiet_page
from tests.dashboard.running_functions import HOSTILE, REQUEST_ID, Runtime, running
from tests.dashboard.test_accessibility import AXE, violations
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Iterator[Kept]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functions_api, "GOOD_FOR", 0.05)
        with Kept(tmp_path_factory.mktemp("state"), functions=runtime.settings) as dashboard:
            yield dashboard


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def page_of(shared: Page, kept: Kept, runtime: Runtime) -> Iterator[Page]:
    """The page of enrich, which has neither dead letters nor a switch thrown."""
    shared.goto(kept.url("/functions/enrich"))
    expect(shared.locator("#state")).to_have_text("runs")
    yield shared
    runtime.redrive("enrich")
    runtime.throttle("enrich", None)
    runtime.queued.clear()


def look_again(page: Page) -> None:
    """Have the page read now what it would read within two seconds."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_each_function_has_a_card_that_is_kept_up_to_date(
    shared: Page, kept: Kept, runtime: Runtime
) -> None:
    shared.goto(kept.url("/functions"))
    expect(shared.locator("#summary")).to_have_text("2 functions")
    card = shared.locator(".card", has_text="enrich")
    expect(card.locator(".state")).to_have_text("runs")
    before = int(card.locator(".invocations").inner_text())
    runtime.invoke("enrich", b'"a"')
    runtime.invoke("enrich", b'"fail"')
    look_again(shared)
    expect(card.locator(".invocations")).to_have_text(str(before + 2))
    expect(card.locator(".errors")).to_have_text("1")
    expect(card.locator(".p50")).to_have_text(re.compile("^[0-9.]+ (µs|ms)$"))
    expect(card.locator(".load")).to_contain_text("0 of 2 at a time")
    card.get_by_role("link", name="enrich").click()
    expect(shared.locator("h1")).to_have_text("enrich")


def test_the_page_says_what_it_would_have_cost_on_aws(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/functions"))
    expect(shared.locator("#bill-total")).to_contain_text("after Lambda's free tier")
    expect(shared.locator("#bill-server")).to_have_text(re.compile(r"^\$5\.00Amazon Lightsail"))
    shared.get_by_text("Line by line").click()
    expect(shared.locator("#bill-items tr")).to_have_count(6)
    expect(shared.locator("#bill-prices")).to_contain_text("1 October 2025 (Lambda)")
    expect(shared.locator("#bill-prices")).to_contain_text("in us-east-1")


def test_a_runtime_that_is_away_is_said_with_what_to_do_about_it(
    shared: Page, tmp_path: Path
) -> None:
    with running() as gone:
        settings = gone.settings
    with Kept(tmp_path, functions=settings) as dashboard:
        shared.goto(dashboard.url("/functions"))
        expect(shared.locator("#problem")).to_contain_text(
            f"not reachable at http://127.0.0.1:{settings.port}"
        )
        expect(shared.locator("#away")).to_contain_text("iot-button functions")
        assert shared.locator(".card").count() == 0
        shared.goto("about:blank")


def test_what_a_function_wrote_is_text_and_is_read_by_request(
    page_of: Page, runtime: Runtime
) -> None:
    runtime.log("enrich", HOSTILE, request_id=REQUEST_ID)
    runtime.log("enrich", "of another request", request_id="other")
    look_again(page_of)
    line = page_of.locator("#lines tr", has_text=HOSTILE)
    expect(line).to_have_count(1)
    line.get_by_role("button").click()
    expect(page_of.locator("#lines tr")).to_have_count(1)
    assert page_of.url.endswith(f"?request={REQUEST_ID}")
    page_of.reload()
    expect(page_of.locator("#lines tr")).to_have_count(1)
    expect(page_of.locator("#lines img")).to_have_count(0)
    expect(page_of.locator("#log-said")).to_contain_text("1 of the newest")


def test_a_log_is_held_and_says_what_came_too_fast(page_of: Page, runtime: Runtime) -> None:
    lines, said = page_of.locator("#lines tr"), page_of.locator("#log-said")
    runtime.log("enrich", "the first")
    look_again(page_of)
    expect(lines.last).to_contain_text("the first")
    page_of.get_by_role("button", name="Hold").click()
    expect(said).to_contain_text("Held: nothing new is read.")
    runtime.log("enrich", *(f"line {number}" for number in range(503)))
    look_again(page_of)
    expect(lines.last).to_contain_text("the first")
    page_of.get_by_role("button", name="Hold").click()
    look_again(page_of)
    expect(lines.last).to_contain_text("line 502")
    expect(said).to_contain_text("3 came too fast and are left out.")


def test_a_dead_letter_says_why_and_what_came_and_is_run_again(
    page_of: Page, runtime: Runtime
) -> None:
    runtime.fail({"serialNumber": "B-0"}, message="first")
    runtime.fail({"serialNumber": "B-1"})
    look_again(page_of)
    letters = page_of.locator(".letter")
    expect(letters).to_have_count(2)
    newest = letters.first
    expect(newest.locator(".why")).to_have_text(f"RetriesExhausted: {HOSTILE}")
    expect(newest).to_contain_text("after 3 attempts")
    newest.get_by_text("What it was given").click()
    expect(newest.locator("pre")).to_have_text('{"serialNumber":"B-1"}')
    newest.get_by_role("button", name=re.compile("^Run again: dead")).click()
    expect(letters).to_have_count(1)
    assert [event for _name, event in runtime.queued] == [b'{"serialNumber": "B-1"}']
    page_of.get_by_role("button", name="Run all again").click()
    page_of.get_by_role("button", name="Run all of them").click()
    expect(letters).to_have_count(0)
    expect(page_of.get_by_role("dialog")).to_be_hidden()
    assert len(runtime.queued) == 2


def test_a_function_is_paused_and_killed_only_after_it_is_confirmed(
    page_of: Page, runtime: Runtime
) -> None:
    state = page_of.locator("#state")
    page_of.get_by_role("button", name="Pause…").click()
    expect(page_of.get_by_role("button", name="Leave it")).to_be_focused()
    page_of.keyboard.press("Escape")
    assert runtime.functions()[0].state.value == "active"
    page_of.get_by_role("button", name="Pause…").click()
    page_of.get_by_role("button", name="Pause it").click()
    expect(state).to_have_text("paused: its events wait")
    page_of.get_by_role("button", name="Resume").click()
    expect(state).to_have_text("runs")
    page_of.get_by_role("button", name="Kill switch…").click()
    page_of.get_by_role("button", name="Kill it").click()
    expect(state).to_have_text("killed: its events become dead letters")
    page_of.get_by_role("button", name="Take the kill switch back").click()
    expect(state).to_have_text("runs")


def test_a_function_that_is_not_there_is_said(shared: Page, kept: Kept) -> None:
    answer = shared.goto(kept.url("/functions/nobody"))
    assert answer is not None
    assert answer.status == 404
    expect(shared.get_by_role("main")).to_contain_text("There is no such function.")
    expect(shared.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("path", ["/functions", "/functions/enrich"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    shared: Page, kept: Kept, runtime: Runtime, path: str
) -> None:
    runtime.fail({"serialNumber": "B-1" * 60})
    runtime.log("enrich", "long" * 200, request_id=REQUEST_ID)
    shared.goto(kept.url(path))
    shared.wait_for_selector("#page-link[data-state=good]")
    shared.wait_for_selector(".card .events, .letter")
    shared.evaluate(AXE)
    shared.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    try:
        for width, scheme in ((1280, "light"), (390, "dark")):
            shared.set_viewport_size({"width": width, "height": 800})
            shared.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert violations(shared) == [], (width, scheme)
        for width in (320, 390, 800, 1280, 2560):
            shared.set_viewport_size({"width": width, "height": 800})
            assert overflow(shared) <= 0, width
    finally:
        shared.set_viewport_size({"width": 1280, "height": 800})
        runtime.redrive("enrich")
