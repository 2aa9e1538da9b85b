"""Many connections at a time: those that ask for nothing keep nobody out."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from functions.runtime.http import connection as connection_module
from functions.runtime.http import server as server_module
from functions.runtime.http.server import HttpSide
from tests.functions.fake_control import FakeControl, ask, http_side, spec
from tests.support import DEADLINE

HALF_HEAD = b"POST /topics/t HTTP/1.1\r\nHost: localhost\r\n"
HALF_BODY = HALF_HEAD + b"Content-Length: 100\r\n\r\nhalf of it"
HALF_CHUNK = HALF_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"f": lambda *_: "done"}, spec("f", ("GET", "/f", "2.0")))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


def connect(side: HttpSide) -> socket.socket:
    host, port = side.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE)


@pytest.mark.parametrize("half", [b"", HALF_HEAD, HALF_BODY, HALF_CHUNK])
def test_300_half_open_connections_do_not_keep_a_request_out(
    side: HttpSide, control: FakeControl, half: bytes
) -> None:
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(side)) for _ in range(300)]
        for client in crowd:
            with contextlib.suppress(ConnectionError):
                client.sendall(half)
        start = time.monotonic()
        assert ask(side, "POST", "/topics/t", b"whole").status == 200
        assert time.monotonic() - start < 8  # before the first of them is closed for its slowness
    assert [payload for _, payload, _, _ in control.published] == [b"whole"]


def test_the_one_that_has_waited_longest_goes_and_those_that_are_answered_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(server_module, "GRACE", 0.0)
    started, release = threading.Event(), threading.Event()

    def slow(*_: object) -> str:
        started.set()
        release.wait(DEADLINE)
        return "done"

    control = FakeControl({"s": slow}, spec("s", ("GET", "/s", "2.0")))
    with http_side(control) as side, contextlib.ExitStack() as stack:
        asking, oldest, newer = (stack.enter_context(connect(side)) for _ in range(3))
        asking.sendall(b"GET /s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert started.wait(DEADLINE)
        assert ask(side, "GET", "/-/health").status == 200
        assert oldest.recv(1) == b""
        newer.sendall(b"GET /-/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert newer.recv(12) == b"HTTP/1.1 200"
        release.set()
        assert asking.recv(12) == b"HTTP/1.1 200"


def test_a_kept_connection_waits_anew_after_each_answer(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "GRACE", 0.0)
    kept = http.client.HTTPConnection(side.url.removeprefix("http://"), timeout=DEADLINE)
    kept.connect()
    first = kept.sock
    with contextlib.ExitStack() as stack:
        for _ in range(255):
            stack.enter_context(connect(side))
        for _ in range(10):
            kept.request("GET", "/f")
            assert kept.getresponse().read() == b"done"
            stack.enter_context(connect(side))
        assert kept.sock is first
    kept.close()


def test_bodies_that_do_not_come_take_no_place_of_those_that_are_answered(side: HttpSide) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(server_module.MAX_REQUESTS + 1):
            stack.enter_context(connect(side)).sendall(HALF_BODY)
        start = time.monotonic()
        assert ask(side, "GET", "/f").body == b"done"
        assert time.monotonic() - start < 8


def test_a_burst_of_requests_is_answered_to_the_last(side: HttpSide, control: FakeControl) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(ask(side, "POST", "/topics/t", b"x").status)
        )
        for _ in range(300)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert statuses == [200] * 300
    assert len(control.published) == 300


def test_a_head_has_less_time_than_a_body(
    side: HttpSide, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "HEAD_TIMEOUT", 0.3)
    with connect(side) as with_head, connect(side) as with_body:
        with_body.sendall(HALF_BODY)
        with_head.sendall(HALF_HEAD)
        assert with_head.recv(1) == b""
        with_body.sendall(b"x" * 90)
        assert with_body.recv(12) == b"HTTP/1.1 200"
    assert control.published[0][1] == b"half of it" + b"x" * 90


def test_a_body_that_stops_coming_is_answered_when_its_time_is_over(
    side: HttpSide, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 0.3)
    with connect(side) as client:
        client.sendall(HALF_BODY)
        assert client.recv(12) == b"HTTP/1.1 408"
    assert control.published == []
