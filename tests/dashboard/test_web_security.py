import http.client
import logging
import re
import socket
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dashboard.security import content_security_policy
from iot_button.hosts import is_own_host
from tests.dashboard.helpers import Serve
from tests.support import DEADLINE, eventually

JSON = {"Content-Type": "application/json"}


def ask(port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status, dict(response.headers)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "127.0.0.1:1", "127.8.9.1", "[::1]:80", "LOCALHOST", "home"],
)
def test_loopback_and_the_configured_host_are_our_own(host: str) -> None:
    assert is_own_host(host, configured="home")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "localhost,evil.example",
        "localhost:80:80",
        "localhost; script-src *",
        "[::1",
        "[::1%lo]",
        "192.0.2.1",
        "0.0.0.0",
        "",
        "localhost:",
        "\u217cocalhost",
    ],
)
def test_every_other_host_is_not(host: str) -> None:
    assert not is_own_host(host, configured="127.0.0.1")


def test_the_policy_names_our_websocket_where_its_grammar_can() -> None:
    assert "connect-src 'self' ws://localhost:1; " in content_security_policy("localhost:1")
    assert "connect-src 'self'; " in content_security_policy("[::1]:1")


def ask_in_browser(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request("GET", path, headers={"Accept": BROWSERS_ACCEPT} | headers)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()
    finally:
        connection.close()


BROWSERS_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("path", ["/nothing", "/functions/a/b", "/press/%3Cb%3E", "/static/x.js"])
def test_a_person_is_told_of_an_error_on_a_page(serve: Serve, path: str) -> None:
    status, kind, page = ask_in_browser(serve()[1], path)
    assert (status, kind) == (404, "text/html; charset=utf-8")
    assert 'href="/"' in page
    assert "<b>" not in page


def test_a_person_is_told_on_a_page_why_this_address_is_refused(serve: Serve) -> None:
    status, _kind, page = ask_in_browser(serve()[1], "/", Host="evil.example")
    assert status == 403
    assert "dashboard.names" in page


@pytest.mark.parametrize(
    ("path", "accept"), [("/api/nothing", BROWSERS_ACCEPT), ("/nothing", "*/*")]
)
def test_a_program_is_told_of_an_error_in_json(serve: Serve, path: str, accept: str) -> None:
    status, kind, body = ask_in_browser(serve()[1], path, Accept=accept)
    assert (status, kind) == (404, "application/json")
    assert body.startswith('{"error":')


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/main.js", "/nothing"])
def test_a_foreign_host_gets_nothing(serve: Serve, path: str) -> None:
    _hub, port = serve()
    assert ask(port, "GET", path, {"Host": "evil.example"})[0] == 403


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://localhost:{port}", "http://localhost:1", ""],
)
def test_a_press_from_another_sites_page_is_refused(serve: Serve, origin: str) -> None:
    _hub, port = serve()
    headers = {"Host": f"localhost:{port}", "Origin": origin.format(port=port)} | JSON
    assert ask(port, "POST", "/api/press", headers)[0] == 403


def test_a_press_from_our_own_page_passes_the_check(serve: Serve) -> None:
    _hub, port = serve()
    headers = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"} | JSON
    assert ask(port, "POST", "/api/press", headers)[0] == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_websocket_from_another_sites_page_is_refused(serve: Serve, origin: str) -> None:
    hub, port = serve()
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{port}/ws", additional_headers={"Origin": origin})
    assert refusal.value.response.status_code == 403
    assert hub.clients == 0


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/healthz", "/nothing"])
def test_every_answer_carries_the_protecting_headers(serve: Serve, path: str) -> None:
    _hub, port = serve()
    _status, headers = ask(port, "GET", path, {})
    assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Server"] == "iot-button"
    assert headers["Cache-Control"] in ("no-store", "no-cache")


TEMPLATES = sorted(Path("dashboard/templates").absolute().glob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_page_has_script_or_style_inline_and_none_shows_text_as_markup(template: Path) -> None:
    text = template.read_text()
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe\b", text) == []


SCRIPTS = sorted(Path("dashboard/static").absolute().glob("*.js"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_of_ours_makes_markup_of_text(script: Path) -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
    assert re.findall(ways, script.read_text()) == []


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /api/press HTTP/1.1\r\nHost: localhost\r\nContent-Length: nine\r\n\r\n",
        b"POST /api/press HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        HANDSHAKE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
        HANDSHAKE.replace(b"Version: 13", b"Version: 12"),
        HANDSHAKE.replace(b"GET /ws", b"POST /ws"),
        HANDSHAKE.replace(b"GET /ws", b"GET /nothing"),
        HANDSHAKE.replace(b"Connection: Upgrade\r\n", b""),
    ],
    ids=str,
)
def test_a_bad_request_gets_a_plain_refusal_and_leaves_no_trace(
    serve: Serve,
    request_bytes: bytes,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _hub, port = serve()
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as raw:
        raw.sendall(request_bytes)
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := raw.recv(4096):
            answer += chunk
    assert answer.split(b" ", 2)[1][:1] == b"4" or b"Error code: 4" in answer
    assert b"Traceback" not in answer
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "frames",
    [
        b"\x81\x05hello",  # not masked
        b"\xff\xff\xff\xff\xff\xff",
        b"\x88\x81\x00\x00\x00\x00x",  # a close frame of one byte
        b"\x81\x82\x00\x00\x00\x00\xff\xfe",  # no UTF-8
        b"\x89\xfe\x00\xff\x00\x00\x00\x00",  # a ping that is too long
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\x80\x00\x00\x00\x00",  # a continuation of nothing
    ],
    ids=str,
)
def test_broken_frames_end_one_connection_and_leave_no_trace(
    serve: Serve,
    frames: bytes,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hub, port = serve()
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as raw:
        raw.sendall(HANDSHAKE)
        assert b"101" in raw.recv(4096)
        raw.sendall(frames)
        while raw.recv(4096):
            pass
    eventually(lambda: hub.clients == 0, what="the browser is forgotten")
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
