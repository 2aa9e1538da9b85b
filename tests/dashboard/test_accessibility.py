from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.kept import Kept
from tests.dashboard.looking import quiet_page
from tests.support import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
LIGHT: Literal["light"] = "light"
DARK: Literal["dark"] = "dark"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
OPEN_ALL = """[...document.querySelectorAll("details")].slice(0, 3).forEach(one => one.open = true);
document.querySelector(".more")?.click();"""
PAGES = (
    "/?clickType=LONG",
    "/buttons",
    "/buttons/KITCHEN",
    "/charts",
    "/charts?serialNumber=LAB-07&range=7d",
    "/functions",
    "/reference",
    "/press/KITCHEN",
    "/press/offline.html",
    "/nothing",
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with Kept(tmp_path_factory.mktemp("state")) as dashboard:
        dashboard.fill(days=2)
        yield dashboard


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser, reduced_motion="reduce") as page:
        yield page


def violations(page: Page, *rules: str) -> list[str]:
    options = {"runOnly": rules or RULES, "resultTypes": ["violations"]}
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_on_phone_and_desktop_in_light_and_dark(
    shared: Page, kept: Kept, path: str
) -> None:
    shared.goto(kept.url(path))
    if path not in ("/press/offline.html", "/nothing"):
        shared.wait_for_selector("#page-link[data-state=good]")
    shared.evaluate(AXE)
    shared.evaluate(OPEN_ALL)
    # What the width changes is the same in both schemes, but for contrast.
    for width, full, other in ((1280, LIGHT, DARK), (390, DARK, LIGHT)):
        shared.set_viewport_size({"width": width, "height": 800})
        shared.emulate_media(color_scheme=full)
        assert violations(shared) == [], (width, full)
        shared.emulate_media(color_scheme=other)
        assert violations(shared, "color-contrast") == [], (width, other)


def test_axe_finds_nothing_in_the_question_before_a_deletion(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/buttons/KITCHEN"))
    shared.get_by_role("button", name="Delete…").click()
    shared.evaluate(AXE)
    shared.emulate_media(color_scheme=LIGHT)
    assert violations(shared) == []
    shared.emulate_media(color_scheme=DARK)
    assert violations(shared, "color-contrast") == []


def test_axe_does_find_what_is_wrong(shared: Page, kept: Kept) -> None:
    shared.goto(kept.url("/press/offline.html"))
    shared.evaluate(AXE)
    shared.evaluate("document.querySelector('main').append(document.createElement('input'))")
    shared.evaluate("document.querySelector('p').style.color = '#888'")
    shared.evaluate("document.querySelector('p').style.background = '#999'")
    assert any(one.startswith("label: ") for one in violations(shared))
    assert any(one.startswith("color-contrast: ") for one in violations(shared, "color-contrast"))
