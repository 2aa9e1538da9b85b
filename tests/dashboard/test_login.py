"""Who may use the dashboard: logins, sessions, tokens, roles."""

import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access import NEEDED, Level, route_name
from dashboard.accounts import AccountBook, TooManyAttemptsError, WrongPasswordError
from dashboard.gate import Gate
from dashboard.login import own_path
from dashboard.sessions import Sessions
from iot_button.accounts_file import AccountFile, Role
from iot_button.errors import SettingError
from iot_button.files import StorageError
from iot_button.patience import Patience
from tests.dashboard.guests import (
    PASSWORD,
    log_in,
    make_accounts,
    make_app,
    settings_of,
    token_of,
)
from tests.support import DEADLINE, eventually

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with accounts, to be copied: hashing takes time on purpose."""
    folder = tmp_path_factory.mktemp("hashed")
    make_accounts(folder)
    return folder


@pytest.fixture
def state_dir(hashed: Path, tmp_path: Path) -> Path:
    shutil.copytree(hashed, tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def app(state_dir: Path) -> Flask:
    return make_app(settings_of(state_dir))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


Come = Callable[[str], FlaskClient]


@pytest.fixture
def come(app: Flask) -> Come:
    """Return a browser in which somebody has logged in."""

    def come_as(name: str) -> FlaskClient:
        browser = app.test_client()
        assert log_in(browser, name).status_code == 303
        return browser

    return come_as


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ({"login": "required"}, "login = 'required'"),
        ({"login": "auto", "host": "0.0.0.0"}, "host = '0.0.0.0'"),
        ({"login": "auto", "proxies": 1}, "dashboard.proxies"),
        ({"login": "auto", "names": ("pi.example",)}, "dashboard.names"),
    ],
)
def test_where_others_can_come_it_does_not_start_without_an_account(
    tmp_path: Path, ours: dict[str, Any], said: str
) -> None:
    AccountFile(tmp_path).add("door", role=Role.BUTTON, serial_number="DOOR", password=PASSWORD)
    with pytest.raises(SettingError, match="no account that can log in") as refusal:
        make_app(settings_of(tmp_path, **ours))
    assert said in str(refusal.value)
    assert "iot-button account add NAME --admin" in refusal.value.mend


def test_on_loopback_it_stays_open_and_makes_no_key(tmp_path: Path) -> None:
    client = make_app(settings_of(tmp_path, login="auto")).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/login").headers["Location"] == "/"
    assert client.get("/api/session").json == {
        "name": None,
        "role": "admin",
        "loginRequired": False,
    }
    assert list(tmp_path.iterdir()) == []


def test_a_page_leads_to_the_login_and_the_login_back_to_it(client: FlaskClient) -> None:
    answer = client.get("/?a=1", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login")
    answer = log_in(client, "vera", next="/buttons?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/buttons?x=1")
    assert client.get("/api/session").json == {
        "name": "vera",
        "role": "viewer",
        "loginRequired": True,
    }


@pytest.mark.parametrize(
    ("path", "accept"), [("/", "*/*"), ("/metrics", "text/html"), ("/api/clicks", "text/html")]
)
def test_a_program_is_not_led_to_the_login(client: FlaskClient, path: str, accept: str) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == 401
    assert "HTTP Basic" in answer.json["error"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "route", "role", "option"),
    [
        ("vera", "POST /api/press", "an operator", "--operator"),
        ("oscar", "DELETE /api/buttons/A", "an admin", "--admin"),
    ],
)
def test_a_refusal_says_who_may_and_what_makes_one_so(
    client: FlaskClient, name: str, route: str, role: str, option: str
) -> None:
    method, path = route.split()
    error = client.open(path, method=method, auth=(name, PASSWORD)).json["error"]  # type: ignore[index]
    assert f"{name} may not do this: it takes {role}" in error
    assert f"iot-button account add {name} {option}" in error


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "",
        "x",
        None,
    ],
)
def test_the_login_leads_to_no_other_site(path: str | None) -> None:
    assert own_path(path) == "/"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "a wrong password"),
        ("nobody", PASSWORD),
        ("door", PASSWORD),
        ("worker", PASSWORD),
        ("", ""),
        ("ada\x00", PASSWORD),
        ("<b>ada", "\ud7ff"),
    ],
)
def test_buttons_functions_and_strangers_are_not_let_in(
    client: FlaskClient, name: str, password: str
) -> None:
    answer = log_in(client, name, password)
    assert answer.status_code == 401
    assert "do not go together" in answer.text
    assert "<b>" not in answer.text
    assert client.get("/api/session").json["name"] is None  # type: ignore[index]


def test_the_installations_own_account_cannot_log_in(client: FlaskClient, state_dir: Path) -> None:
    house = (state_dir / "broker" / "house.secret").read_text().strip()
    assert log_in(client, "_house", house).status_code == 401


MAY = {
    "vera": {"GET /": 200, "POST /api/press": 403, "GET /nothing": 404},
    "oscar": {"GET /": 200, "POST /api/press": 503, "GET /nothing": 404},
    "ada": {"GET /": 200, "POST /api/press": 503, "GET /nothing": 404},
}


@pytest.mark.parametrize("name", MAY)
def test_each_role_may_what_its_level_says(come: Come, name: str) -> None:
    browser = come(name)
    for route, status in MAY[name].items():
        method, path = route.split()
        headers = token_of(browser) | JSON
        answer = browser.open(path, method=method, headers=headers, data='{"clickType":"SINGLE"}')
        assert answer.status_code == status, route


@pytest.mark.parametrize(("name", "may"), [("vera", False), ("oscar", True), ("ada", True)])
def test_the_button_on_the_page_is_for_those_who_may_press(
    come: Come, name: str, may: bool
) -> None:
    page = come(name).get("/").text
    assert ("Only an operator can press." in page) is not may
    assert (re.search(r'id="pad"[^>]* disabled', page) is None) is may


def test_every_route_is_in_the_table(app: Flask) -> None:
    routes = {
        route_name(method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes <= set(NEEDED), "say in dashboard/access.py who may"
    anyone = {route for route in routes if NEEDED[route] is Level.ANYONE}
    assert anyone <= {
        "GET /static/*",
        "GET /login",
        "POST /login",
        "POST /logout",
        "GET /api/session",
        "GET /healthz",
        "GET /readyz",
        "GET /press/worker.js",
        "GET /press/offline.html",
    }


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("oscar", 403), ("ada", 200)])
def test_a_route_that_nobody_listed_needs_an_admin(state_dir: Path, name: str, status: int) -> None:
    app = make_app(settings_of(state_dir))
    app.add_url_rule("/api/forgotten", view_func=lambda: {"secret": 1})
    assert app.test_client().get("/api/forgotten").status_code == 401
    assert app.test_client().get("/api/forgotten", auth=(name, PASSWORD)).status_code == status


def test_no_route_answers_a_stranger_but_those_for_anyone(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:filename>", "icon.svg").replace("<serial_number>", "A")
        path = path.replace("<path:serial_number>", "A")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            is_open = NEEDED.get(route_name(method, rule.rule), Level.ADMIN) is Level.ANYONE
            if not is_open:
                assert client.open(path, method=method).status_code == 401, (method, path)


def test_a_change_from_a_session_needs_its_token(come: Come) -> None:
    browser, other = come("oscar"), come("ada")
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, token_of(other)):
        answer = browser.post("/api/press", headers=headers | JSON, data='{"clickType":"SINGLE"}')
        assert answer.status_code == 403
        assert "token" in answer.json["error"]  # type: ignore[index]
    assert browser.post("/logout").status_code == 403
    assert browser.get("/api/session").json["name"] == "oscar"  # type: ignore[index]


def test_the_login_form_needs_its_token_too(client: FlaskClient) -> None:
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 403
    assert "try again" in answer.text
    assert client.get("/api/session").json["name"] is None  # type: ignore[index]


def test_a_change_from_another_sites_page_is_refused_with_the_token_too(come: Come) -> None:
    browser = come("oscar")
    for more in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        headers = token_of(browser) | JSON | more
        answer = browser.post("/api/press", headers=headers, data='{"clickType":"SINGLE"}')
        assert answer.status_code == 403
        assert "another site" in answer.json["error"]  # type: ignore[index]


def test_the_cookie_is_for_us_alone(client: FlaskClient) -> None:
    cookies = log_in(client, "ada").headers.getlist("Set-Cookie")
    session = next(one for one in cookies if one.startswith("iot_button_session="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session.split("; "))
    assert "Domain" not in session
    assert "Secure" not in session
    assert "argon2" not in session


def test_under_tls_the_cookie_is_secure_and_bound_to_the_host(state_dir: Path) -> None:
    client = make_app(settings_of(state_dir, proxies=1)).test_client()
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.9"}
    answer = client.get("/login", headers=forwarded)
    session = next(c for c in answer.headers.getlist("Set-Cookie") if "session=" in c)
    assert session.startswith("__Host-iot_button_session=")
    assert "Secure" in session.split("; ")
    assert "wss://localhost" in answer.headers["Content-Security-Policy"]


def test_logging_in_makes_a_new_session(client: FlaskClient) -> None:
    client.get("/login")
    planted = client.get_cookie("iot_button_session")
    log_in(client, "ada")
    now = client.get_cookie("iot_button_session")
    assert planted is not None
    assert now is not None
    client.set_cookie("iot_button_session", planted.value)
    assert client.get("/api/session").json["name"] is None  # type: ignore[index]


def test_logging_out_ends_every_copy_of_the_cookie_also_across_a_restart(
    app: Flask, come: Come, state_dir: Path
) -> None:
    browser = come("ada")
    cookie = browser.get_cookie("iot_button_session")
    assert cookie is not None
    assert browser.post("/logout", headers=token_of(browser)).headers["Location"] == "/login"
    assert browser.get_cookie("iot_button_session") is None
    for again in (app, make_app(settings_of(state_dir))):
        thief = again.test_client()
        thief.set_cookie("iot_button_session", cookie.value)
        assert thief.get("/api/clicks").status_code == 401


def test_a_stranger_who_logs_out_ends_nothing_and_writes_nothing(
    client: FlaskClient, state_dir: Path
) -> None:
    client.get("/login")
    assert client.get_cookie("iot_button_session") is not None
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get_cookie("iot_button_session") is None
    assert not (state_dir / "dashboard" / "ended-sessions.json").exists()


def test_no_number_of_logouts_brings_an_earlier_session_back(tmp_path: Path) -> None:
    clock = Clock()
    before = Sessions(tmp_path, idle=100, age=250, clock=clock)
    first = before.start(name="ada", account="x")
    many = dict.fromkeys([first.id, *map(str, range(10_000))], clock.now + 250)
    (tmp_path / "ended-sessions.json").write_bytes(msgspec.json.encode(many))
    sessions = Sessions(tmp_path, idle=100, age=250, clock=clock)
    sessions.end(sessions.start(name="vera", account="y"))
    assert sessions.read(sessions.write(first)) is None


def forged(app: Flask, value: str) -> int:
    client = app.test_client()
    client.set_cookie("iot_button_session", value)
    return client.get("/").status_code


def test_a_cookie_that_we_did_not_sign_is_worth_nothing(app: Flask, come: Come) -> None:
    cookie = come("vera").get_cookie("iot_button_session")
    assert cookie is not None
    assert forged(app, cookie.value) == 200
    body, _, signature = cookie.value.rpartition(".")
    for value in (
        f"x{body[1:]}.{signature}",
        f"{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        body,
        f"{body}.",
        "x" * 4000,
        "\u00e9.\u00e9",
    ):
        assert forged(app, value) == 401, value


@pytest.mark.parametrize("change", ["remove", "password", "role", "file"])
def test_a_session_ends_with_its_account(come: Come, state_dir: Path, change: str) -> None:
    browser, file = come("ada"), AccountFile(state_dir)
    assert browser.get("/").status_code == 200
    if change == "password":
        file.set_password("ada", "another password")
    elif change == "file":
        file.path.unlink()
    else:
        file.remove("ada")
    if change == "role":
        file.add("ada", role=Role.DASHBOARD, password=PASSWORD)
    assert browser.get("/").status_code == 401


def test_a_damaged_account_file_opens_no_door_and_closes_none(come: Come, state_dir: Path) -> None:
    browser, file = come("ada"), AccountFile(state_dir)
    file.path.write_text("{")
    assert browser.get("/").status_code == 200
    with pytest.raises(StorageError):
        make_app(settings_of(state_dir))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_idle_and_in_the_end_in_any_case(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(tmp_path, idle=100, age=250, clock=clock)
    ticket = sessions.start(name="ada", account="x")
    clock.now += 101
    assert sessions.read(sessions.write(ticket)) is None
    clock.now -= 1
    assert sessions.read(sessions.write(ticket)) == ticket
    for _ in range(2):
        ticket = sessions.seen_again(ticket) or pytest.fail("it was used")
        clock.now += 75
    assert sessions.read(sessions.write(ticket)) == ticket
    clock.now += 1
    assert sessions.read(sessions.write(ticket)) is None
    assert not sessions.is_alive(ticket, is_used=True)


def test_a_session_that_is_used_gets_a_newer_cookie_and_others_do_not(state_dir: Path) -> None:
    client = make_app(settings_of(state_dir, session_idle=20.0)).test_client()
    log_in(client, "ada")
    cookies = eventually(
        lambda: client.get("/api/session").headers.getlist("Set-Cookie"), what="it is renewed"
    )
    assert cookies[0].startswith("iot_button_session=")
    assert client.get("/api/session").json["name"] == "ada"  # type: ignore[index]
    stranger = client.application.test_client().get("/api/session")
    assert "Set-Cookie" not in stranger.headers


def test_the_key_is_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    first = Sessions(tmp_path / "d", idle=10, age=10)
    ticket = first.start(name="ada")
    assert (tmp_path / "d" / "session.key").stat().st_mode & 0o777 == 0o600
    assert Sessions(tmp_path / "d", idle=10, age=10).read(first.write(ticket)) == ticket
    assert Sessions(tmp_path / "other", idle=10, age=10).read(first.write(ticket)) is None


def test_a_program_comes_with_basic_and_needs_no_token(client: FlaskClient) -> None:
    press = {"data": '{"clickType":"SINGLE"}', "headers": JSON}
    assert client.post("/api/press", auth=("oscar", PASSWORD), **press).status_code == 503
    assert client.post("/api/press", auth=("vera", PASSWORD), **press).status_code == 403
    answer = client.get("/api/nothing", auth=("ada", "wrong password"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert "Set-Cookie" not in answer.headers


def test_a_browser_is_not_asked_for_basic(client: FlaskClient) -> None:
    answer = client.get("/api/clicks", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers


@pytest.fixture
def book(state_dir: Path) -> tuple[AccountBook, Clock]:
    clock = Clock()
    return AccountBook(state_dir, patience=Patience(clock)), clock


def never_right(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have no password be right, and return the hashes that were worked at."""
    checked: list[str] = []

    def verify(_self: PasswordHasher, hashed: str, _password: bytes) -> bool:
        checked.append(hashed)
        raise VerifyMismatchError

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return checked


def test_a_flood_of_wrong_passwords_is_not_even_checked(
    book: tuple[AccountBook, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, clock = book
    checked = never_right(monkeypatch)
    outcomes = []
    for number in range(100):
        try:
            accounts.check(f"name-{number}", "wrong", address="192.0.2.66")
        except (WrongPasswordError, TooManyAttemptsError) as error:
            outcomes.append(type(error))
    assert outcomes[:10] == [WrongPasswordError] * 10
    assert outcomes[10:] == [TooManyAttemptsError] * 90
    assert len(checked) == 10
    monkeypatch.undo()
    # Others are not kept waiting, and it itself not for ever.
    assert accounts.check("ada", PASSWORD, address="192.0.2.7").name == "ada"
    clock.now += 60
    assert accounts.check("ada", PASSWORD, address="192.0.2.66").name == "ada"


def test_two_passwords_are_checked_at_a_time_and_few_wait(
    book: tuple[AccountBook, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, _clock = book
    at_work: list[int] = []
    may_end = threading.Event()

    def slow(_hashed: str, _password: bytes) -> bool:
        at_work.append(1)
        assert may_end.wait(DEADLINE)
        return False

    def attempt(number: int) -> type[Exception]:
        try:
            accounts.check(f"name-{number}", "wrong", address=f"192.0.2.{number}")
        except (WrongPasswordError, TooManyAttemptsError) as error:
            return type(error)
        return AssertionError

    monkeypatch.setattr("dashboard.accounts.is_right", slow)
    with ThreadPoolExecutor(40) as pool:
        attempts = [pool.submit(attempt, number) for number in range(40)]
        eventually(lambda: sum(one.done() for one in attempts) == 20, what="20 are sent away")
        assert {one.result() for one in attempts if one.done()} == {TooManyAttemptsError}
        assert len(at_work) <= 2
        may_end.set()
        outcomes = [one.result(DEADLINE) for one in attempts]
    assert outcomes.count(WrongPasswordError) == len(at_work) == 20


def test_an_unknown_name_costs_the_same_as_a_known_one(
    book: tuple[AccountBook, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, _clock = book
    checked = never_right(monkeypatch)
    for name in ("ada", "nobody", "door"):
        with pytest.raises(WrongPasswordError):
            accounts.check(name, "wrong password", address="192.0.2.1")
    assert len(checked) == 3
    assert len({hashed.rsplit("$", 2)[0] for hashed in checked}) == 1  # the same cost in each


def test_the_login_says_when_to_come_again(client: FlaskClient) -> None:
    statuses = [log_in(client, "ada", "a wrong password").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = log_in(client, "ada")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")


def test_behind_a_proxy_the_visitors_own_address_is_counted(state_dir: Path) -> None:
    app = make_app(settings_of(state_dir, proxies=1))
    far = {"X-Forwarded-For": "203.0.113.5, 192.0.2.50"}
    for _ in range(6):
        status = app.test_client().get("/api/x", headers=far, auth=("ada", "wrong")).status_code
    assert status == 429
    other = {"X-Forwarded-For": "203.0.113.5, 192.0.2.51"}
    answer = app.test_client().get("/", headers=other, auth=("ada", PASSWORD))
    assert answer.status_code == 200


def test_without_a_proxy_nobody_says_his_own_address(state_dir: Path) -> None:
    app = make_app(settings_of(state_dir))
    for number in range(6):
        far = {"X-Forwarded-For": f"192.0.2.{number}"}
        status = app.test_client().get("/api/x", headers=far, auth=("ada", "wrong")).status_code
    assert status == 429


@pytest.mark.parametrize(
    ("ours", "host", "status"),
    [
        ({"names": ("Pi.example",)}, "pi.example:8443", 200),
        ({"names": ("pi.example",)}, "evil.example", 403),
        ({"host": "0.0.0.0"}, "192.0.2.7:8080", 200),
        ({"host": "::"}, "[2001:db8::7]:8080", 200),
        ({"host": "0.0.0.0"}, "evil.example", 403),
        ({"host": "192.0.2.7"}, "192.0.2.8", 403),
        ({}, "192.0.2.8", 403),
    ],
)
def test_it_answers_to_its_names_and_addresses_only(
    state_dir: Path, ours: dict[str, Any], host: str, status: int
) -> None:
    client = make_app(settings_of(state_dir, **ours)).test_client()
    answer = client.get("/", headers={"Host": host}, auth=("vera", PASSWORD))
    assert answer.status_code == status


@pytest.mark.parametrize(("host", "is_warned"), [("0.0.0.0:8080", True), ("192.0.2.7", False)])
def test_a_qr_code_that_no_phone_can_follow_is_said_to_be_one(
    state_dir: Path, host: str, is_warned: bool
) -> None:
    client = make_app(settings_of(state_dir, host="0.0.0.0")).test_client()
    page = client.get("/buttons/DOOR", headers={"Host": host}, auth=("vera", PASSWORD))
    assert ("No phone reaches" in page.text) is is_warned


def test_a_gate_that_nobody_entered_asks_all_the_same(state_dir: Path) -> None:
    gate = Gate(settings_of(state_dir))
    client = make_app(settings_of(state_dir), gate).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 401
