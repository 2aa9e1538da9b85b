from pathlib import Path

from playwright.sync_api import Browser, expect

from dashboard.openapi import document
from dashboard.reference import operations
from tests.dashboard.kept import Kept
from tests.dashboard.looking import overflow, quiet_page


def test_every_operation_of_the_document_is_on_the_page() -> None:
    told = {(method.upper(), path) for path, ways in document()["paths"].items() for method in ways}
    assert {(one.method, one.path) for one in operations()} == told


def test_parameters_and_answers_are_put_into_words() -> None:
    clicks = next(one for one in operations() if one.path == "/api/clicks")
    limit = next(field for field in clicks.parameters if field.name == "limit")
    assert (limit.kind, limit.is_needed) == ("number, 1 to 1,000", False)
    answer = {field.name: field.kind for field in clicks.answer}
    assert answer["before"] == "number or null"
    assert answer["clicks[].serialNumber"] == "text"
    rename = next(one for one in operations() if one.method == "PATCH")
    assert {field.name: field.kind for field in rename.body}[
        "name"
    ] == "text, up to 64 characters or null"
    assert not rename.can_be_opened


def test_the_page_opens_an_operation_and_needs_no_script(browser: Browser, tmp_path: Path) -> None:
    with Kept(tmp_path) as kept, quiet_page(browser, java_script_enabled=False) as page:
        page.goto(kept.url("/reference"))
        page.get_by_text("Processed clicks, newest first, by the page").click()
        expect(page.get_by_role("cell", name="number, 1 to 1,000")).to_be_visible()
        page.get_by_role("link", name="Open /api/clicks", exact=True).click()
        page.wait_for_url("**/api/clicks")
        expect(page.locator("body")).to_contain_text('"clicks":[]')
        page.go_back()
    with (
        Kept(tmp_path) as kept,
        quiet_page(browser, viewport={"width": 320, "height": 640}) as page,
    ):
        page.goto(kept.url("/reference"))
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert overflow(page) <= 0
