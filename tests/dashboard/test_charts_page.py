import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.kept import Kept
from tests.dashboard.looking import quiet_page
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with Kept(tmp_path_factory.mktemp("state")) as dashboard:
        dashboard.fill()
        yield dashboard


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser) as page:
        yield page


def counted(page: Page) -> int:
    """Return the clicks in the chart's table, once it is there."""
    rows = page.locator("#clicks .plot-table tbody tr")
    expect(rows.first).to_be_attached()
    return sum(int(text.replace(",", "")) for text in rows.locator("td").all_text_contents())


def test_each_chart_has_a_table_of_the_same_numbers(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/charts?range=1y"))
    expect(shared.locator("#clicks-note")).to_contain_text("by the day")
    for name in ("clicks", "latency"):
        expect(shared.locator(f"#{name} canvas")).to_be_visible()
        shared.locator(f"#{name} summary").click()
    heads = shared.locator("#clicks .plot-table thead th").all_text_contents()
    assert heads == ["Time", "single", "double", "long"]
    ((total,),) = kept.store.run(lambda database: database.read("SELECT count(*) FROM click"))
    assert counted(shared) == total
    expect(shared.locator("#clicks-note")).to_have_text(f"{total:,} in this time, by the day")
    expect(shared.locator("#latency .plot-table tbody td").first).to_have_text(
        re.compile(r"^\d+ ms$")
    )
    assert shared.locator("#batteries li").count() == 4
    expect(shared.locator("#batteries li").first).to_contain_text("More coffee")


def test_a_range_and_a_button_are_chosen_and_kept_in_the_address(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/charts"))
    shared.get_by_label("seven days").check()
    expect(shared.locator("#clicks-note")).to_contain_text("by the hour")
    shared.get_by_label("Button").select_option(label="LAB-07")
    expect(shared.locator("#battery canvas")).to_be_visible()
    expect(shared.locator("#battery-note")).to_contain_text("at this rate it lasts until")
    query = parse_qs(urlsplit(shared.url).query)
    assert query == {"serialNumber": ["LAB-07"], "range": ["7d"]}
    shared.reload()
    expect(shared.get_by_label("Button")).to_have_value("LAB-07")
    expect(shared.get_by_label("seven days")).to_be_checked()


def test_dragging_zooms_all_charts_and_asks_for_finer_steps(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/charts?range=30d"))
    expect(shared.locator("#clicks-note")).to_contain_text("by the day")
    over = shared.locator("#clicks .u-over")
    expect(over).to_be_visible()
    box = over.bounding_box()
    assert box is not None
    shared.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    shared.mouse.down()
    shared.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50, steps=3)
    shared.mouse.up()
    expect(shared.locator("#clicks-note")).to_contain_text("by the hour")
    query = parse_qs(urlsplit(shared.url).query)
    days = (int(query["to"][0]) - int(query["from"][0])) / 86_400
    assert 2.5 < days < 3.5
    shared.get_by_role("button", name="Leave the zoom").click()
    expect(shared.locator("#clicks-note")).to_contain_text("by the day")
    expect(shared.get_by_role("button", name="Leave the zoom")).to_be_hidden()


def test_pointing_at_a_bar_tells_its_numbers(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/charts?range=30d"))
    legend = shared.locator("#clicks .u-legend .u-value")
    expect(legend.first).to_have_text("in all")
    shared.locator("#clicks .u-over").hover(position={"x": 300, "y": 60})
    expect(legend.first).not_to_have_text("in all")


def test_a_time_without_clicks_says_so(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/charts?from=86400&to=172800"))
    expect(shared.get_by_text("No clicks in this time.")).to_be_visible()


def test_charts_take_the_colours_of_the_theme(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/charts?range=30d"))
    expect(shared.locator("#clicks canvas")).to_be_visible()
    marker = shared.locator("#clicks .u-marker").last
    light = marker.evaluate("marker => getComputedStyle(marker).backgroundColor")
    shared.get_by_role("button", name="Colours").click()
    shared.get_by_role("button", name="Colours: light").click()
    expect(shared.get_by_role("button", name="Colours: dark")).to_be_visible()
    dark = marker.evaluate("marker => getComputedStyle(marker).backgroundColor")
    assert (light, dark) == ("rgb(29, 111, 165)", "rgb(124, 192, 238)")
