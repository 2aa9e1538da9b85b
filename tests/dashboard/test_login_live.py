"""The login in a real browser, and the WebSocket behind it, over a real connection."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from dashboard.gate import Gate
from dashboard.server import listen, serving
from iot_button.accounts_file import AccountFile, Role
from tests.dashboard.guests import PASSWORD, log_in, make_app, settings_of, token_of
from tests.support import DEADLINE, eventually

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
Port = int

IDLE = 60.0  # seconds


@pytest.fixture
def file(tmp_path: Path) -> AccountFile:
    file = AccountFile(tmp_path)
    file.add("vera", role=Role.DASHBOARD, password=PASSWORD)
    return file


@pytest.fixture
def app_and_port(file: AccountFile, tmp_path: Path) -> Iterator[tuple[Any, Port]]:
    settings = settings_of(tmp_path, session_idle=IDLE)
    assert file.path.exists()
    gate, listener = Gate(settings), listen(settings.dashboard)
    port = int(listener.getsockname()[1])
    app = make_app(settings, gate)
    with serving(app, listener), gate:
        yield app, port


Watch = Callable[[dict[str, str]], Any]


@pytest.fixture
def watch(app_and_port: tuple[Any, Port]) -> Iterator[Watch]:
    with contextlib.ExitStack() as stack:

        def watch_with(headers: dict[str, str]) -> Any:
            _app, port = app_and_port
            address = f"ws://127.0.0.1:{port}/ws"
            return stack.enter_context(connect(address, additional_headers=headers))

        yield watch_with


def cookie_of(client: Any) -> dict[str, str]:
    return {"Cookie": f"iot_button_session={client.get_cookie('iot_button_session').value}"}


def close_code(client: Any) -> int | None:
    try:
        while True:
            client.recv(timeout=DEADLINE)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None


def test_a_stranger_cannot_watch(watch: Watch) -> None:
    for headers in ({}, {"Cookie": "iot_button_session=x.y"}, {"Authorization": "Basic eDp5"}):
        with pytest.raises(InvalidStatus) as refusal:
            watch(headers)
        assert refusal.value.response.status_code == 401


def test_a_session_may_watch_but_not_from_another_sites_page(
    watch: Watch, app_and_port: tuple[Any, Port]
) -> None:
    client = app_and_port[0].test_client()
    log_in(client, "vera")
    with pytest.raises(InvalidStatus) as refusal:
        watch(cookie_of(client) | {"Origin": "http://evil.example"})
    assert refusal.value.response.status_code == 403
    assert "snapshot" in str(watch(cookie_of(client)).recv(timeout=DEADLINE))


@pytest.mark.parametrize("how", ["removed", "password", "logout"])
def test_whoever_watches_is_sent_away_when_he_may_no_longer(
    watch: Watch, app_and_port: tuple[Any, Port], file: AccountFile, how: str
) -> None:
    client = app_and_port[0].test_client()
    log_in(client, "vera")
    watching = watch(cookie_of(client))
    watching.recv(timeout=DEADLINE)
    if how == "removed":
        file.remove("vera")
    elif how == "password":
        file.set_password("vera", "another password")
    else:
        client.post("/logout", headers=token_of(client))
    assert close_code(watching) == 1008


@pytest.fixture
def old_browser(browser: Browser) -> Iterator[Page]:
    """A browser without JavaScript, and with a keyboard only."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.set_default_timeout(DEADLINE * 1000)
        yield page


def test_one_logs_in_by_keyboard_and_without_javascript(
    old_browser: Page, app_and_port: tuple[Any, Port]
) -> None:
    home = f"http://127.0.0.1:{app_and_port[1]}/"
    old_browser.goto(home)
    expect(old_browser).to_have_title("Log in · iot-button")
    for text in ("vera", "a wrong password"):
        old_browser.keyboard.type(text)
        old_browser.keyboard.press("Tab")
    old_browser.keyboard.press("Enter")
    expect(old_browser.get_by_role("alert")).to_contain_text("do not go together")
    old_browser.get_by_label("Name").fill("vera")
    old_browser.keyboard.press("Tab")
    old_browser.keyboard.type(PASSWORD)
    old_browser.keyboard.press("Enter")
    expect(old_browser).to_have_url(home)
    old_browser.get_by_role("button", name="Log out vera").press("Enter")
    expect(old_browser).to_have_title("Log in · iot-button")
    old_browser.goto(home)
    expect(old_browser).to_have_title("Log in · iot-button")


def enter(page: Page, port: Port) -> None:
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_label("Name").fill("vera")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#page-link[data-state=good]")


LOOKS = [(size, scheme) for size in ((360, 740), (1280, 800)) for scheme in ("light", "dark")]


def test_axe_finds_nothing_at_the_login_on_phone_and_desktop_in_light_and_dark(
    page: Page, app_and_port: tuple[Any, Port]
) -> None:
    page.goto(f"http://127.0.0.1:{app_and_port[1]}/")
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate(AXE)
    for (width, height), scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = page.evaluate("axe.run(document)")
        assert [(one["id"], one["help"]) for one in found["violations"]] == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_session_of_a_page_that_stays_open_is_kept(
    page: Page, app_and_port: tuple[Any, Port]
) -> None:
    def cookie() -> str | None:
        # It is renewed when it is a fiftieth of `session_idle` old.
        page.clock.run_for(int(IDLE * 1000 / 3))
        found = [c for c in page.context.cookies() if c.get("name") == "iot_button_session"]
        return found[0].get("value") if found else None

    page.clock.install()
    enter(page, app_and_port[1])
    first = cookie()
    assert first is not None
    eventually(lambda: cookie() not in (None, first), what="the page has its cookie renewed")


def test_a_page_that_is_open_goes_to_the_login_when_the_session_ends(
    page: Page, app_and_port: tuple[Any, Port], file: AccountFile
) -> None:
    enter(page, app_and_port[1])
    file.remove("vera")
    expect(page).to_have_title("Log in · iot-button")
    assert "/login?next=%2F" in page.url
