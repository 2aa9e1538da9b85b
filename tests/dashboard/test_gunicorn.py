"""The dashboard under gunicorn: as quick to stop, and hard to kill."""

import contextlib
import json
import os
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from dashboard.gunicorn_server import GRACE
from tests.dashboard.helpers import Mosquitto, Start, processed
from tests.support import DEADLINE, Listener, Program, eventually, free_port


@pytest.fixture
def served(start: Start, broker: Mosquitto) -> Program:
    address = f"mqtt://127.0.0.1:{broker.port}"
    program = start("dashboard", "--server", "gunicorn", "--port", "0", "--broker", address)
    program.address("dashboard")
    return program


def close_code(client: Connection) -> int | None:
    try:
        while True:
            client.recv(timeout=DEADLINE)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None


def workers(program: Program) -> list[int]:
    children = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def status(address: str) -> int:
    with urllib.request.urlopen(address, timeout=DEADLINE) as answer:  # noqa: S310 - ours
        return int(answer.status)


def test_it_serves_pages_and_clicks_and_stops_soon_with_browsers_that_watch(
    served: Program, publisher: Listener
) -> None:
    address = served.address("dashboard")
    assert status(address) == 200
    assert status(f"{address}/readyz") == 200
    with contextlib.ExitStack() as stack:
        feed = address.replace("http", "ws") + "/ws"
        clients = [stack.enter_context(connect(feed)) for _ in range(20)]
        publisher.publish("iotprocessed", processed(serialNumber="here"))
        for client in clients:
            while "here" not in (message := str(client.recv(timeout=DEADLINE))):
                assert json.loads(message)["type"] in ("snapshot", "status")
        began = time.monotonic()
        served.send(signal.SIGTERM)
        assert {close_code(client) for client in clients} == {1001}
        assert time.monotonic() - began < 2.0
        assert served.end() == 0
    # 0.7 s on a machine that has time; the master looks ten times a second.
    assert time.monotonic() - began < GRACE
    assert [line for line in served.said if not line.startswith("ready")] == []


def test_a_worker_that_dies_is_started_again(served: Program, publisher: Listener) -> None:
    address = served.address("dashboard")
    (worker,) = workers(served)
    publisher.publish("iotprocessed", processed(eventId="before"))
    eventually(lambda: "before" in clicks(address), what="the click is kept")
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: workers(served) not in ([], [worker]), what="there is another worker")
    eventually(lambda: sum("ready" in line for line in served.said) == 2, what="it is ready")
    assert "before" in clicks(address)
    served.send(signal.SIGINT)
    assert served.end() == 130


def clicks(address: str) -> str:
    with urllib.request.urlopen(f"{address}/api/clicks", timeout=DEADLINE) as answer:  # noqa: S310
        return str(answer.read())


POST = b"POST /api/press HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_bad_requests_get_plain_refusals_and_leave_no_trace(served: Program) -> None:
    for request in (
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        POST + b"Content-Length: nine\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello",
        POST + b"Content-Length: 40\r\n\r\n{",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", served.port("dashboard"))) as raw:
            raw.settimeout(DEADLINE)
            raw.sendall(request)
            raw.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda raw=raw: raw.recv(4096), b""))  # type: ignore[misc]
        assert answer.split(b" ", 2)[1][:1] == b"4", (request, answer)
    served.send(signal.SIGTERM)
    assert served.end() == 0
    assert [line for line in served.said if not line.startswith("ready")] == []


def test_what_keeps_the_worker_from_starting_is_said_once(start: Start) -> None:
    port = free_port()
    broker = f"mqtt://127.0.0.1:{port}"
    program = start("dashboard", "--server", "gunicorn", "--port", "0", "--broker", broker)
    assert program.end() == 1
    assert program.said[0].startswith(f"iot-button: no MQTT broker answers at {broker}")
    assert len(program.said) == 2


def test_it_ends_with_its_supervisor(start: Start, broker: Mosquitto) -> None:
    address = f"mqtt://127.0.0.1:{broker.port}"
    arguments = ("--server", "gunicorn", "--port", "0", "--until-stdin-closes")
    program = start("dashboard", *arguments, "--broker", address)
    assert program.end() == 0  # its standard input is at its end already
