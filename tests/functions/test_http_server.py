"""The server: its socket, its connections, and its end."""

import contextlib
import http.client
import json
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from functions.runtime.http import connection as connection_module
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.server import HttpSide, listen
from iot_button.errors import IotButtonError, PortTakenError, StopTimeoutError
from iot_button.settings import FunctionsSettings
from tests.functions.fake_control import FakeControl, ask, http_side, spec
from tests.support import DEADLINE, eventually, is_listening


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"f": lambda event, _: event}, spec("f", ("POST", "/f", "2.0")))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


@contextlib.contextmanager
def raw(side: HttpSide) -> Iterator[socket.socket]:
    """A plain connection."""
    with socket.create_connection(("127.0.0.1", port_of(side)), timeout=DEADLINE) as made:
        yield made


def port_of(side: HttpSide) -> int:
    return int(side.url.rpartition(":")[2])


def until_closed(made: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := made.recv(65536):
            received += piece
    return received


def test_a_port_that_is_taken_is_an_error_that_names_the_setting(side: HttpSide) -> None:
    with pytest.raises(PortTakenError) as caught:
        listen(FunctionsSettings(port=port_of(side)))
    assert (caught.value.port, caught.value.setting) == (port_of(side), "functions.port")
    assert "--functions-port 0" in caught.value.mend


def test_an_address_that_is_not_ours_is_an_error_with_the_address() -> None:
    with pytest.raises(IotButtonError, match=r"192\.0\.2\.1"):
        listen(FunctionsSettings(host="192.0.2.1", port=0))


def test_ipv6_loopback_is_served_too(control: FakeControl) -> None:
    try:
        listener = listen(FunctionsSettings(host="::1", port=0))
    except IotButtonError:
        pytest.skip("this machine has no IPv6")
    side = HttpSide(listener, control, Deployment(host="::1"))
    side.start()
    try:
        assert side.url.startswith("http://[::1]:")
        assert ask(side, "GET", "/-/health").status == 200
    finally:
        side.stop(DEADLINE)


def test_the_first_request_waits_in_the_socket_until_the_server_is_started(
    control: FakeControl,
) -> None:
    side = HttpSide(listen(FunctionsSettings(port=0)), control, Deployment())
    with selectors.DefaultSelector() as selector, raw(side) as client:
        selector.register(side, selectors.EVENT_READ)
        client.sendall(b"GET /-/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert selector.select(DEADLINE)
        start = time.monotonic()
        side.start()
        assert time.monotonic() - start < 0.5
        assert until_closed(client).startswith(b"HTTP/1.1 200 ")
    side.stop(DEADLINE)
    assert side.fileno() == -1


def test_nothing_heavy_is_imported_before_the_first_connection() -> None:
    code = (
        "import sys, functions.runtime.http.server, functions.commands;"
        "print([m for m in ('flask', 'werkzeug', 'prometheus_client', 'http.client', 'ssl') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_connection_is_kept_for_the_next_request(side: HttpSide, control: FakeControl) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(side), timeout=DEADLINE)
    connection.request("POST", "/topics/t?qos=1", b"1")
    connection.getresponse().read()
    first = connection.sock
    for path, body in (("/topics/t", b"2" * 200_000), ("/nowhere", b"left unread"), ("/f", b"3")):
        connection.request("POST", path, body)
        connection.getresponse().read()
        assert connection.sock is first
    assert [payload for _, payload, _, _ in control.published] == [b"1"]
    connection.close()


def test_requests_sent_in_one_go_are_answered_in_order(side: HttpSide) -> None:
    one = b"POST /f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n%d"
    last = b"GET /-/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with raw(side) as client:
        client.sendall(one % 1 + one % 2 + last)
        received = until_closed(client)
    assert received.count(b"HTTP/1.1 200 ") == 3
    assert received.index(b'"body": "1"') < received.index(b'"body": "2"')


def test_a_body_in_chunks_is_put_together(side: HttpSide, control: FakeControl) -> None:
    head = (
        b"POST /topics/t HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with raw(side) as client:
        client.sendall(head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")
        assert until_closed(client).startswith(b"HTTP/1.1 200 ")
    assert control.published[0][1] == b"abcde"


def test_a_client_that_waits_for_100_continue_gets_it(side: HttpSide) -> None:
    head = b"POST /topics/t HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    with raw(side) as client:
        client.sendall(head + b"Content-Length: 1\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
        client.sendall(b"x")
        assert until_closed(client).startswith(b"HTTP/1.1 200 ")


CHUNKED = b"POST /f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b'"quoted" "words" "here"\r\n\r\n',
        b"GET http://localhost/-/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /-/health\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # how TLS begins
        b"GET /-/health HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /f HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1, 2\r\n\r\nxx",
        b"POST /f HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\nHost: localhost\r\n\r\nxx",
        b"POST /f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n") + b"0\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_with_an_error_and_the_connection_closed(
    side: HttpSide, control: FakeControl, caplog: pytest.LogCaptureFixture, request_bytes: bytes
) -> None:
    with raw(side) as client:
        client.sendall(request_bytes)
        received = until_closed(client)
    assert b" 200 " not in received
    assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert json.loads(received.rpartition(b"\r\n\r\n")[2])["message"]
    assert b"Traceback" not in received
    assert control.metrics()[0].invocations == 0
    assert caplog.records == []
    assert ask(side, "GET", "/-/health").status == 200


def test_a_client_that_goes_away_in_the_middle_harms_nobody(
    side: HttpSide, control: FakeControl, caplog: pytest.LogCaptureFixture
) -> None:
    with raw(side) as client:
        client.sendall(b"POST /topics/t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
    with raw(side) as client:
        client.sendall(b"POST /top")
    assert ask(side, "GET", "/-/health").status == 200
    assert control.published == []
    assert caplog.records == []


def test_a_client_that_sends_too_slowly_is_let_go(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "HEAD_TIMEOUT", 0.3)
    pause = threading.Event()
    with raw(side) as client:
        with contextlib.suppress(ConnectionError):
            for _ in range(200):  # a byte now and then, which no timeout of one read notices
                client.sendall(b"G")
                if pause.wait(0.05) or is_readable(client):
                    break
        assert until_closed(client) == b""


def is_readable(client: socket.socket) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        return bool(selector.select(0))


def test_an_idle_connection_is_closed_after_its_time(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "IDLE_TIMEOUT", 0.2)
    with raw(side) as client:
        assert client.recv(1) == b""


def test_many_idle_connections_leave_room_for_a_request(side: HttpSide) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(raw(side))
        assert ask(side, "GET", "/-/health").status == 200


def test_stop_ends_a_long_poll_and_idle_connections_at_once(control: FakeControl) -> None:
    answers: list[int] = []
    with http_side(control) as side:
        poll = threading.Thread(
            target=lambda: answers.append(ask(side, "GET", "/-/functions/f/logs?wait=30").status)
        )
        poll.start()
        eventually(lambda: control.waiting_readers, what="the poll waits")
        with raw(side):
            assert ask(side, "GET", "/-/health").status == 200
            start = time.monotonic()
            side.stop(DEADLINE)
        assert time.monotonic() - start < 5
        poll.join(DEADLINE)
    assert answers == [200]
    assert not is_listening(port_of(side))


def test_stop_lets_a_request_end() -> None:
    started, release = threading.Event(), threading.Event()

    def slow(*_: object) -> str:
        started.set()
        release.wait(DEADLINE)
        return "done"

    answers: list[bytes] = []
    with http_side(FakeControl({"s": slow}, spec("s", ("GET", "/s", "2.0")))) as side:
        asking = threading.Thread(target=lambda: answers.append(ask(side, "GET", "/s").body))
        asking.start()
        assert started.wait(DEADLINE)
        stopping = threading.Thread(target=side.stop, args=(DEADLINE,))
        stopping.start()
        eventually(lambda: not is_listening(port_of(side)), what="the port closed")
        release.set()
        for thread in (asking, stopping):
            thread.join(DEADLINE)
    assert answers == [b"done"]


def test_stop_says_so_when_a_request_does_not_end() -> None:
    started, release = threading.Event(), threading.Event()

    def stuck(*_: object) -> None:
        started.set()
        release.wait(DEADLINE)

    listener = listen(FunctionsSettings(port=0))
    control = FakeControl({"s": stuck}, spec("s", ("GET", "/s", "2.0")))
    side = HttpSide(listener, control, Deployment())
    side.start()
    with raw(side) as client:
        client.sendall(b"GET /s HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert started.wait(DEADLINE)
        with pytest.raises(StopTimeoutError, match="an HTTP request"):
            side.stop(0.1)
        assert until_closed(client) == b""
    release.set()


def test_stop_without_start_closes_the_port(control: FakeControl) -> None:
    side = HttpSide(listen(FunctionsSettings(port=0)), control, Deployment())
    side.stop(DEADLINE)
    assert not is_listening(port_of(side))


def test_routes_that_cannot_be_served_close_the_port_and_say_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    twice = spec("f", ("GET", "/f", "1.0"), ("GET", "/f", "2.0"))
    with http_side(FakeControl({"f": lambda *_: 1}, twice)) as side:
        eventually(lambda: not is_listening(port_of(side)), what="the port closed")
    assert "for the same requests" in caplog.text
