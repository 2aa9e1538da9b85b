import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.dashboard.helpers import (
    TITLE,
    Enrich,
    Mosquitto,
    Relay,
    Start,
    open_live,
    processed,
    start_dashboard,
)
from tests.support import DEADLINE, Listener, Program, free_port

expect.set_options(timeout=DEADLINE * 1000)
PAD = "#pad"
HOLD_MS = 1700
NOT_KNOWN = "\N{EN DASH}"

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "'\"><svg onload=alert(1)>",
    "W" * 5000,
    "مرحبا بالعالم \u202e reversed",
    "👩‍👩‍👧‍👦🔘🏳️‍🌈",
    "a\u0000b\nc",
    "Z" + "\u0301" * 150,
]


def center(page: Page) -> tuple[float, float]:
    box = page.locator(PAD).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def tap_with_pointer(page: Page) -> None:
    page.mouse.move(*center(page))
    page.mouse.down()
    page.mouse.up()


def hold_with_pointer(page: Page) -> None:
    page.mouse.move(*center(page))
    page.mouse.down()
    page.wait_for_timeout(HOLD_MS)
    page.mouse.up()


def tap_with_key(key: str) -> Callable[[Page], None]:
    def tap(page: Page) -> None:
        page.focus(PAD)
        page.keyboard.press(key)

    return tap


def hold_with_key(page: Page) -> None:
    page.focus(PAD)
    page.keyboard.down("Space")
    page.wait_for_timeout(HOLD_MS)
    page.keyboard.up("Space")


def twice(tap: Callable[[Page], None]) -> Callable[[Page], None]:
    def both(page: Page) -> None:
        # With the page's clock at rest the two are within the window, however slow the machine.
        page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
        tap(page)
        tap(page)
        page.clock.resume()

    return both


@pytest.mark.parametrize(
    ("gesture", "click_type"),
    [
        (tap_with_pointer, "SINGLE"),
        (tap_with_key("Space"), "SINGLE"),
        (tap_with_key("Enter"), "SINGLE"),
        (twice(tap_with_pointer), "DOUBLE"),
        (twice(tap_with_key("Enter")), "DOUBLE"),
        (hold_with_pointer, "LONG"),
        (hold_with_key, "LONG"),
    ],
    ids=["tap", "space", "enter", "double tap", "double enter", "hold", "hold space"],
)
def test_a_press_on_the_page_becomes_one_row_of_its_kind(
    page: Page,
    dashboard: Program,
    enrich: Enrich,
    gesture: Callable[[Page], None],
    click_type: str,
) -> None:
    del enrich
    page.clock.install()
    open_live(page, dashboard)
    gesture(page)
    expect(page.locator("#light")).to_have_attribute("data-state", "processed")
    row = page.locator("tr.click")
    expect(row.locator(".serial")).to_have_text("WEB-BUTTON")
    expect(row.locator(".type")).to_have_text(click_type.lower())
    expect(row.locator(".address")).to_have_text("192.0.2.17")
    expect(row.locator(".latency")).to_have_text(re.compile(r"^\d+ ms$|^\d\.\d s$"))
    expect(row.locator(".battery")).to_have_text(NOT_KNOWN)
    # A gesture is one click: had a single come as well, it would be there by the next press.
    tap_with_pointer(page)
    expect(row).to_have_count(2)
    expect(page.locator("#light")).to_have_attribute("data-state", "processed")
    expect(row.locator(".type")).to_have_text(["single", click_type.lower()])


def test_the_light_knows_a_press_also_where_the_function_does_not_pass_the_id_on(
    page: Page, dashboard: Program, broker: Mosquitto
) -> None:
    answer = {"serialNumber": "WEB-BUTTON", "clickType": "SINGLE"}
    with Listener(broker.port, "iotbutton/+") as function:
        function.publish("iotprocessed", json.dumps(answer))
        open_live(page, dashboard)
        expect(page.locator("tr.click")).to_have_count(1)
        tap_with_pointer(page)
        function.next()
        function.publish("iotprocessed", json.dumps(answer | {"clickType": "LONG"}))
        expect(page.locator("tr.click")).to_have_count(2)
        expect(page.locator("#light")).to_have_attribute("data-state", "published")
        function.publish("iotprocessed", json.dumps(answer))
        expect(page.locator("#light")).to_have_attribute("data-state", "processed")


def test_a_press_by_assistive_technology_is_a_single_click(
    page: Page, dashboard: Program, enrich: Enrich
) -> None:
    del enrich
    open_live(page, dashboard)
    page.evaluate("document.getElementById('pad').click()")
    expect(page.locator("tr.click .type")).to_have_text("single")


def test_a_press_that_the_browser_takes_away_is_no_click(page: Page, dashboard: Program) -> None:
    page.clock.install()
    open_live(page, dashboard)
    page.focus(PAD)
    page.keyboard.down("Space")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.up("Space")
    page.clock.run_for(HOLD_MS)
    expect(page.locator("#light")).to_have_attribute("data-state", "idle")


def test_a_row_shows_all_of_a_click(page: Page, dashboard: Program, publisher: Listener) -> None:
    open_live(page, dashboard)
    publisher.publish("iotprocessed", processed(eventId="e-1", clickType="LONG"))
    row = page.locator("tr.click")
    expect(row.locator(".serial")).to_have_text("G030JF055364XVRB")
    expect(row.locator(".battery")).to_have_text(re.compile(r"1\.72 V"))
    assert row.locator("meter").evaluate("meter => meter.value") == 1716
    expect(row.locator(".latency")).to_have_text(NOT_KNOWN)
    row.locator(".more").click()
    expect(page.locator("tr.details")).to_contain_text(TITLE)
    expect(page.locator("tr.details")).to_contain_text("e-1")
    row.locator(".more").click()
    expect(page.locator("tr.details")).to_have_count(0)


def test_the_newest_click_is_first_and_duplicates_show_once(
    page: Page, dashboard: Program, publisher: Listener
) -> None:
    open_live(page, dashboard)
    for number in (1, 2, 2, 1, 3):
        publisher.publish(
            "iotprocessed", processed(eventId=f"e-{number}", serialNumber=f"B-{number}")
        )
    expect(page.locator("tr.click .serial")).to_have_text(["B-3", "B-2", "B-1"])
    expect(page.locator("#buttons")).to_have_text("3")
    expect(page.locator("#rate")).to_have_text("3")


@pytest.mark.parametrize("width", [1280, 800, 360])
def test_hostile_text_is_shown_as_text_and_breaks_nothing(
    page: Page, dashboard: Program, publisher: Listener, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_live(page, dashboard)
    for text in HOSTILE:
        fields: dict[str, Any] = dict.fromkeys(
            ("serialNumber", "clickType", "title", "timestamp", "ipAddress", "batteryVoltage"), text
        )
        publisher.publish("iotprocessed", processed(**fields))
    expect(page.locator("tr.click")).to_have_count(len(HOSTILE))
    for more in page.locator(".more").all():
        more.click()
    shown = page.locator("tr.click .serial").all_text_contents()
    assert shown[-1] == HOSTILE[0]
    assert page.locator("tbody img, tbody script, tbody svg").count() == 0
    heights = page.locator("tr.click").evaluate_all("rows => rows.map(r => r.offsetHeight)")
    assert max(heights) < 1.6 * min(heights)
    assert overflow(page) <= 0


def overflow(page: Page) -> int:
    pixels: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return pixels


@pytest.mark.parametrize("width", [320, 360, 390, 600, 800, 1024, 1280, 2560])
def test_the_page_never_scrolls_sideways(
    page: Page, dashboard: Program, publisher: Listener, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_live(page, dashboard)
    publisher.publish("iotprocessed", processed(ipAddress="192.168.100.100"))
    expect(page.locator("tr.click")).to_have_count(1)
    assert overflow(page) <= 0


def top_of(row: Locator) -> float:
    box = row.bounding_box()
    assert box is not None
    return box["y"]


def test_300_rows_scroll_within_the_page_and_stay_still_while_more_come(
    page: Page, dashboard: Program, publisher: Listener
) -> None:
    for number in range(320):
        publisher.publish("iotprocessed", processed(serialNumber=f"B-{number}"))
    open_live(page, dashboard)
    expect(page.locator("tr.click")).to_have_count(300)
    heights = "[document.documentElement.scrollHeight, innerHeight]"
    assert page.evaluate(heights) == [800, 800]
    page.locator("tr.click").nth(150).scroll_into_view_if_needed()
    watched = page.locator("tr.click", has_text="B-169")
    before = top_of(watched)
    for number in range(5):
        publisher.publish("iotprocessed", processed(serialNumber=f"new-{number}"))
    expect(page.locator("tr.click").first).to_contain_text("new-4")
    assert page.locator("tr.click").count() == 300
    assert abs(top_of(watched) - before) < 1


def test_a_thousand_clicks_a_second_do_not_freeze_the_tab(
    page: Page, dashboard: Program, publisher: Listener
) -> None:
    open_live(page, dashboard)
    page.evaluate(
        """() => { window.worst = 0; let last = performance.now();
        setInterval(() => { const now = performance.now();
        window.worst = Math.max(window.worst, now - last); last = now; }, 10); }"""
    )
    for number in range(3000):
        publisher.connection.publish("iotprocessed", processed(serialNumber=f"B-{number % 50}"))
    publisher.publish("iotprocessed", processed(serialNumber="last"))
    expect(page.locator("tr.click").first).to_contain_text("last")
    assert page.locator("tr.click").count() == 300
    # A bound for a hang, on however slow a machine; not a measurement.
    assert page.evaluate("window.worst") < 10_000


def test_an_empty_page_says_what_to_do(page: Page, dashboard: Program) -> None:
    open_live(page, dashboard)
    expect(page.locator("#empty")).to_contain_text("iot-button press")


def test_a_lost_broker_is_said_and_the_page_recovers(
    page: Page, dashboard: Program, broker: Mosquitto
) -> None:
    open_live(page, dashboard)
    expect(page.locator("#broker-link")).to_have_text("Broker: connected")
    broker.kill()
    expect(page.locator("#broker-link")).to_have_text("Broker: lost, trying again")
    tap_with_pointer(page)
    expect(page.locator("#light")).to_have_attribute("data-state", "failed")
    expect(page.locator("#outcome")).to_contain_text("is lost; nothing was sent")
    broker.start()
    expect(page.locator("#broker-link")).to_have_text("Broker: connected")
    with Enrich(broker.port):
        tap_with_pointer(page)
        expect(page.locator("tr.click")).to_have_count(1)


def test_a_lost_dashboard_is_said_and_the_page_goes_on_with_the_next(
    page: Page, start: Start, broker: Mosquitto, publisher: Listener
) -> None:
    port = free_port()
    first = start_dashboard(start, broker, port=port)
    open_live(page, first)
    publisher.publish("iotprocessed", processed(serialNumber="before"))
    expect(page.locator("tr.click")).to_have_count(1)
    first.process.kill()
    first.end()
    expect(page.locator("#page-link")).to_have_text("Dashboard: connection lost; trying again")
    second = start_dashboard(start, broker, port=port)
    second.address("dashboard")
    expect(page.locator("#page-link")).to_have_text("Dashboard: connected")
    publisher.publish("iotprocessed", processed(serialNumber="after"))
    expect(page.locator("tr.click").first).to_contain_text("after")


def test_a_page_that_was_offline_catches_up_and_shows_nothing_twice(
    page: Page, dashboard: Program, publisher: Listener
) -> None:
    with Relay(dashboard.port("dashboard")) as relay:
        page.goto(f"http://127.0.0.1:{relay.port}/")
        publisher.publish("iotprocessed", processed(serialNumber="B-1"))
        expect(page.locator("tr.click")).to_have_count(1)
        asked: list[str] = []
        page.on("websocket", lambda websocket: asked.append(websocket.url))
        relay.cut()
        for number in (2, 3):
            publisher.publish("iotprocessed", processed(serialNumber=f"B-{number}"))
        expect(page.locator("tr.click .serial")).to_have_text(["B-3", "B-2", "B-1"])
        assert "after=1" in asked[0]
        page.goto("about:blank")


def test_it_can_be_used_in_the_dark_and_without_motion(
    browser: Browser, dashboard: Program
) -> None:
    with browser.new_context(color_scheme="dark", reduced_motion="reduce") as context:
        dark = context.new_page()
        open_live(dark, dashboard)
        background = "getComputedStyle(document.documentElement).backgroundColor"
        assert dark.evaluate(background) == "rgb(21, 19, 15)"
