import http.client
import io
import json
import struct
from collections.abc import Iterator

import pytest
import segno
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.helpers import Enrich
from tests.dashboard.kept import Kept
from tests.dashboard.looking import overflow, quiet_page
from tests.support import DEADLINE, Program

expect.set_options(timeout=DEADLINE * 1000)
HOLD_MS = 1700
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
RECORD_VIBRATION = """window.felt = [];
Object.defineProperty(navigator, "vibrate", {value: (what) => felt.push(what)});"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with Kept(tmp_path_factory.mktemp("state")) as dashboard:
        dashboard.fill(days=1)
        yield dashboard


def ask(kept: Kept, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", kept.port, timeout=DEADLINE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read()
    finally:
        connection.close()


def pad_center(page: Page) -> tuple[float, float]:
    box = page.locator("#pad").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_phone_presses_its_own_button_by_tapping_and_by_holding(
    browser: Browser, dashboard: Program, enrich: Enrich
) -> None:
    del enrich
    with quiet_page(browser, **PHONE) as page:
        page.add_init_script(RECORD_VIBRATION)
        page.goto(f"{dashboard.address('dashboard')}/press/MY-PHONE")
        page.wait_for_selector("#page-link[data-state=good]")
        page.touchscreen.tap(*pad_center(page))
        expect(page.locator("#outcome")).to_contain_text("The single click was processed")
        page.mouse.move(*pad_center(page))
        page.mouse.down()
        page.wait_for_timeout(HOLD_MS)
        page.mouse.up()
        expect(page.locator("#outcome")).to_contain_text("The long click was processed")
        expect(page.locator("#light")).to_have_attribute("data-state", "processed")
        assert page.evaluate("felt") == [15, [25, 60, 25]] * 2
        page.goto(dashboard.address("dashboard"))
        expect(page.locator("tr.click .serial")).to_have_text(["MY-PHONE", "MY-PHONE"])


def test_the_page_is_as_large_as_the_phone_and_in_the_buttons_colour(
    browser: Browser, kept: Kept
) -> None:
    with quiet_page(browser, **PHONE) as page:
        page.goto(kept.url("/press/G030JF055364XVRB"))
        expect(page.locator("h1")).to_have_text("Front door")
        accent = "getComputedStyle(document.documentElement).getPropertyValue('--accent')"
        page.wait_for_selector("html[style]", state="attached")
        assert page.evaluate(accent) == "#1d6fa5"
        for width, height in ((320, 568), (844, 390), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            assert overflow(page) <= 0
            assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
            expect(page.locator("#pad")).to_be_in_viewport(ratio=1)


def test_it_installs_as_an_app_of_its_own(browser: Browser, kept: Kept) -> None:
    status, headers, body = ask(kept, "/press/KITCHEN/app.webmanifest")
    assert (status, headers["Content-Type"]) == (200, "application/manifest+json")
    manifest = json.loads(body)
    assert manifest["name"] == "Kitchen bell"
    assert manifest["id"] == manifest["start_url"] == manifest["scope"] == "/press/KITCHEN"
    for icon in manifest["icons"]:
        _status, _headers, png = ask(kept, icon["src"])
        assert "{}x{}".format(*struct.unpack(">II", png[16:24])) == icon["sizes"]
    with quiet_page(browser, **PHONE) as page:
        page.goto(kept.url("/press/KITCHEN"))
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        devtools = page.context.new_cdp_session(page)
        assert devtools.send("Page.getAppManifest")["errors"] == []
        errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
        # A test's browser keeps nothing, so it installs nothing: its only complaint.
        assert {error["errorId"] for error in errors} <= {"in-incognito"}


def test_without_the_dashboard_the_app_says_so_and_comes_back(browser: Browser, kept: Kept) -> None:
    with quiet_page(browser, **PHONE) as page:
        page.goto(kept.url("/press/KITCHEN"))
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.context.set_offline(True)
        page.reload()
        expect(page.locator("h1")).to_have_text("Not connected")
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        assert page.evaluate(ground) == "rgb(244, 241, 234)"
        page.context.set_offline(False)
        page.get_by_role("link", name="Try again").click()
        expect(page.locator("h1")).to_have_text("Kitchen bell")


def test_a_qr_code_on_the_buttons_page_leads_there(browser: Browser, kept: Kept) -> None:
    status, headers, body = ask(kept, "/press/KITCHEN/qr.svg")
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    wanted = io.BytesIO()
    code = segno.make_qr(kept.url("/press/KITCHEN"), error="m")
    code.save(wanted, kind="svg", border=2, omitsize=True, light="#fff", svgclass=None)
    assert body == wanted.getvalue()
    with quiet_page(browser) as page:
        page.goto(kept.url("/buttons/KITCHEN"))
        picture = page.get_by_alt_text("QR code of the page to press this button")
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("picture => picture.naturalWidth") > 0
        expect(page.get_by_text("No phone reaches the address of this page")).to_be_visible()


@pytest.mark.parametrize("path", ["", "/qr.svg", "/app.webmanifest"])
def test_what_no_button_can_be_called_has_no_page_to_press(kept: Kept, path: str) -> None:
    assert ask(kept, f"/press/a%20b{path}")[0] == 404
    assert ask(kept, f"/press/{'x' * 65}{path}")[0] == 404
    assert ask(kept, f"/press/not-yet-pressed{path}")[0] == 200
