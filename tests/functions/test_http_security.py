"""Web pages that the user happens to visit can reach loopback; they must not reach the runtime."""

from collections.abc import Iterator

import pytest

from functions.runtime.http.server import HttpSide
from tests.functions.fake_control import FakeControl, ask, http_side, spec

EVIL = "https://evil.example"
API = [
    ("POST", "/topics/iotprocessed"),
    ("POST", "/2015-03-31/functions/f/invocations"),
    ("GET", "/2015-03-31/functions"),
    ("PUT", "/2017-10-31/functions/f/concurrency"),
    ("GET", "/metrics"),
    ("GET", "/-/functions"),
    ("GET", "/-/functions/f/logs"),
    ("POST", "/-/functions/f/pause"),
]


@pytest.fixture
def control() -> FakeControl:
    answer = {"statusCode": 200, "body": "ok"}
    return FakeControl({"f": lambda *_: answer}, spec("f", ("ANY", "/f", "1.0")))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


@pytest.mark.parametrize(("method", "path"), [*API, ("GET", "/f"), ("GET", "/nowhere")])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost:x"])
def test_another_host_name_is_refused_everywhere(
    side: HttpSide, method: str, path: str, host: str
) -> None:
    reply = ask(side, method, path, Host=host)
    assert reply.status == 403
    assert "Host" in reply.json["message"]
    assert f"use {side.url}, or localhost" in reply.json["message"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:1"])
def test_loopback_may_be_named_in_every_way(side: HttpSide, host: str) -> None:
    assert ask(side, "GET", "/-/health", Host=host).status == 200


@pytest.mark.parametrize(("method", "path"), API)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_reaches_none_of_our_apis(
    side: HttpSide, control: FakeControl, method: str, path: str, headers: dict[str, str]
) -> None:
    reply = ask(side, method, path, b"{}", **headers)
    assert reply.status == 403
    assert "a page of another origin" in reply.json["message"]
    assert (control.published, control.queued) == ([], [])
    assert control.functions()[0].state == "active"


def test_our_own_origin_and_a_typed_address_are_let_in(side: HttpSide) -> None:
    assert ask(side, "POST", "/topics/t", b"x", Origin=side.url).status == 200
    assert ask(side, "GET", "/metrics", Sec_Fetch_Site="none").status == 200
    assert ask(side, "GET", "/metrics", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_page_of_another_origin_cannot_change_anything_by_an_http_event(
    side: HttpSide, control: FakeControl, method: str
) -> None:
    assert ask(side, method, "/f", Origin=EVIL).status == 403
    assert ask(side, method, "/f", Sec_Fetch_Site="cross-site").status == 403
    assert control.metrics()[0].invocations == 0


def test_a_page_of_another_origin_may_get_an_http_event(side: HttpSide) -> None:
    assert ask(side, "GET", "/f", Origin=EVIL).status == 200


@pytest.mark.parametrize(("method", "path"), [*API, ("GET", "/f"), ("OPTIONS", "/f")])
def test_no_answer_of_ours_lets_another_origin_read_it(
    side: HttpSide, method: str, path: str
) -> None:
    for origin in (EVIL, side.url):
        reply = ask(side, method, path, b"{}", Origin=origin)
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_failure_of_our_own_shows_no_trace(
    control: FakeControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down() -> None:
        raise RuntimeError("the inside of the machine")

    with http_side(control) as side:
        assert ask(side, "GET", "/-/health").status == 200
        monkeypatch.setattr(control, "metrics", break_down)
        reply = ask(side, "GET", "/metrics")
    assert (reply.status, reply.json) == (500, {"message": "Internal server error"})
    assert "the inside of the machine" in caplog.text
