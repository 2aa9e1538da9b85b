"""Bodies: whole or refused, whichever way their length is told."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from functions.runtime.http.server import HttpSide
from tests.functions.fake_control import FakeControl, Reply, ask, http_side, spec
from tests.support import DEADLINE

INVOKE = "/2015-03-31/functions/f/invocations"
CONCURRENCY = "/2017-10-31/functions/f/concurrency"
KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"f": lambda event, _: len(str(event))}, spec("f", ("POST", "/f", "2.0")))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


def send_in_chunks(side: HttpSide, method: str, path: str, body: bytes, **headers: str) -> Reply:
    """Send a body whose length is not told before."""
    connection = http.client.HTTPConnection(side.url.removeprefix("http://"), timeout=DEADLINE)
    pieces = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, pieces, named, encode_chunked=True)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def exchange(side: HttpSide, request: bytes, *, then_end: bool = False) -> bytes:
    """Send bytes, and return all that comes until the server closes."""
    host, port = side.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as client:
        client.sendall(request)
        if then_end:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def with_head(*headers: bytes, body: bytes = b"") -> bytes:
    lines = [b"POST /topics/t HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", body])


@pytest.mark.parametrize("size", [128 * KIB + 1, 200_000, 10 * MIB])
def test_a_payload_above_the_limit_in_chunks_is_refused_and_not_cut(
    side: HttpSide, control: FakeControl, size: int
) -> None:
    reply = send_in_chunks(side, "POST", "/topics/t", b"x" * size)
    assert reply.status == 413
    assert reply.headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
    assert control.published == []


def test_a_payload_of_exactly_the_limit_in_chunks_is_published(
    side: HttpSide, control: FakeControl
) -> None:
    payload = bytes(range(256)) * 512
    assert send_in_chunks(side, "POST", "/topics/t", payload).status == 200
    assert control.published == [("t", payload, 0, False)]


@pytest.mark.parametrize("rest", [b" garbage", b" " * 3 * MIB])
@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 * MIB), ("Event", MIB)])
def test_an_event_above_the_limit_in_chunks_is_refused_and_not_cut(
    side: HttpSide, control: FakeControl, kind: str, limit: int, rest: bytes
) -> None:
    body = b"{}".ljust(limit) + rest
    reply = send_in_chunks(side, "POST", INVOKE, body, X_Amz_Invocation_Type=kind)
    assert reply.status == 413
    assert reply.headers["x-amzn-errortype"] == "RequestTooLargeException"
    assert (control.metrics()[0].invocations, control.queued) == (0, [])


def test_an_event_of_exactly_the_limit_in_chunks_runs(side: HttpSide) -> None:
    reply = send_in_chunks(side, "POST", INVOKE, b"[]".ljust(6 * MIB))
    assert (reply.status, reply.json) == (200, 2)


@pytest.mark.parametrize("size", [6 * MIB + 1, 9 * MIB])
def test_an_http_event_above_the_limit_in_chunks_is_refused(
    side: HttpSide, control: FakeControl, size: int
) -> None:
    assert send_in_chunks(side, "POST", "/f", b"x" * size, Content_Type="text/plain").status == 413
    assert control.metrics()[0].invocations == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", CONCURRENCY, b'{"ReservedConcurrentExecutions": 0}'),
        ("POST", "/-/functions/f/throttle", b'{"concurrency": 0}'),
    ],
)
def test_an_order_above_the_limit_in_chunks_is_refused_and_not_cut(
    side: HttpSide, control: FakeControl, method: str, path: str, body: bytes
) -> None:
    assert send_in_chunks(side, method, path, body.ljust(64 * KIB) + b"x").status == 413
    assert control.functions()[0].state == "active"
    assert send_in_chunks(side, method, path, body.ljust(64 * KIB)).status == 200
    assert control.functions()[0].state == "killed"


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ([b"Content-Length: 99999999999999999999"], 413, "too large"),
        ([b"Content-Length: " + b"9" * 5000], 413, "too large"),
        ([b"Content-Length: 999999999999999999"], 413, "larger than 131072 bytes"),
        ([b"Content-Length: -5"], 400, "Content-Length is negative"),
        ([b"Content-Length: 1", b"Content-Length: 2"], 400, "Content-Length differ"),
        ([b"Content-Length: 1, 2"], 400, "Content-Length differ"),
        ([b"Content-Length: 0x1"], 400, "Content-Length is no number"),
        ([b"Content-Length: \xb2"], 400, "Content-Length is no number"),
        ([b"Content-Length: 1", b"Transfer-Encoding: chunked"], 400, "beside Transfer-Encoding"),
    ],
)
def test_a_length_that_cannot_be_is_refused_at_once_with_the_reason(
    side: HttpSide, control: FakeControl, headers: list[bytes], status: int, message: str
) -> None:
    received = exchange(side, with_head(*headers))
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert message in json.loads(received.rpartition(b"\r\n\r\n")[2])["message"]
    assert control.published == []


@pytest.mark.parametrize("headers", [[b"Content-Length: 1"] * 2, [b"Content-Length: 001"]])
def test_a_length_may_be_told_in_other_ways(
    side: HttpSide, control: FakeControl, headers: list[bytes]
) -> None:
    assert exchange(side, with_head(*headers, body=b"x")).startswith(b"HTTP/1.1 200 ")
    assert control.published[0][1] == b"x"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /topics/t HTTP/1.1",
        b"POST /topics/t HTTP/1.1\r\n",
        b"POST /topics/t HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /topics/t HTTP/1.1\r\nHost: localhost\r\nContent-Le",
        with_head(b"Content-Length: 2", body=b"x"),
        with_head(b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n"),
        with_head(b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n0"),
    ],
)
def test_a_request_whose_end_never_came_publishes_nothing(
    side: HttpSide, control: FakeControl, request_bytes: bytes
) -> None:
    assert b" 200 " not in exchange(side, request_bytes, then_end=True)
    assert ask(side, "GET", "/-/health").status == 200
    assert control.published == []
