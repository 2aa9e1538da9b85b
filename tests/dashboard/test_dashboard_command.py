import contextlib
import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.dashboard.helpers import Mosquitto, Start, processed, start_dashboard
from tests.support import DEADLINE, Listener, Program, eventually, free_port, is_listening


def test_a_taken_port_is_said_with_what_mends_it(start: Start, broker: Mosquitto) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start_dashboard(start, broker, port=port)
        assert program.end() == 1
    assert program.said == [
        f"iot-button: port {port} on 127.0.0.1 is taken by another program (dashboard.port)",
        "  choose another: iot-button up --dashboard-port 0, or iot-button dashboard --port 0",
    ]


def test_without_a_broker_it_ends_with_the_address_and_the_mend(start: Start) -> None:
    port = free_port()
    program = start("dashboard", "--port", "0", "--broker", f"mqtt://127.0.0.1:{port}")
    assert program.end() == 1
    assert f"no MQTT broker answers at mqtt://127.0.0.1:{port}" in program.said[0]
    assert not any(line.startswith("ready") for line in program.said)


def test_it_can_be_stopped_while_it_waits_for_a_broker(start: Start) -> None:
    port = free_port()
    web_port = free_port()
    program = start("dashboard", "--port", str(web_port), "--broker", f"mqtt://127.0.0.1:{port}")
    eventually(lambda: is_listening(web_port), what="it has begun")
    began = time.monotonic()
    program.send(signal.SIGTERM)
    assert program.end() == 0
    assert time.monotonic() - began < 3.0


def test_it_stops_soon_with_browsers_that_watch_and_one_that_is_stuck(dashboard: Program) -> None:
    port = dashboard.port("dashboard")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(f"ws://127.0.0.1:{port}/ws")) for _ in range(20)]
        stuck = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        stuck.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b"101" in stuck.recv(4096)
        for client in clients:
            client.recv(timeout=DEADLINE)
        began = time.monotonic()
        dashboard.send(signal.SIGTERM)
        assert dashboard.end() == 0
        took = time.monotonic() - began
        codes = set()
        for client in clients:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=DEADLINE)
            codes.add(closed.value.rcvd and closed.value.rcvd.code)
    assert codes == {1001}
    assert took < 2.0
    assert [line for line in dashboard.said if not line.startswith("ready")] == []


def test_it_stops_soon_with_the_broker_away(dashboard: Program, broker: Mosquitto) -> None:
    broker.kill()
    dashboard.wait_for("lost the broker")
    began = time.monotonic()
    dashboard.send(signal.SIGTERM)
    assert dashboard.end() == 0
    assert time.monotonic() - began < 3.0


def test_what_is_no_processed_click_is_logged_once_and_passed_over(
    dashboard: Program, publisher: Listener
) -> None:
    with connect(f"ws://127.0.0.1:{dashboard.port('dashboard')}/ws") as client:
        client.recv(timeout=DEADLINE)
        for payload in (b"", b"\xff\xfe", b"[]", b"{}", b"[" * 5000, b'{"serialNumber":7}'):
            publisher.publish("iotprocessed", payload)
        publisher.publish("iotprocessed", processed(serialNumber="after"))
        message = json.loads(client.recv(timeout=DEADLINE))
        while message["type"] != "click":
            message = json.loads(client.recv(timeout=DEADLINE))
    assert message["click"]["serialNumber"] == "after"
    assert sum("no processed click" in line for line in dashboard.said) == 1


def test_a_click_delivered_twice_is_one_row(dashboard: Program, publisher: Listener) -> None:
    with connect(f"ws://127.0.0.1:{dashboard.port('dashboard')}/ws") as client:
        client.recv(timeout=DEADLINE)
        for event_id in ("one", "one", "two"):
            publisher.publish("iotprocessed", processed(eventId=event_id))
        came = []
        while "two" not in came:
            message = json.loads(client.recv(timeout=DEADLINE))
            if message["type"] == "click":
                came.append(message["click"]["eventId"])
    assert came == ["one", "two"]


def test_room_is_made_for_many_browsers_and_no_more_than_there_may_be() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\n"
        "from dashboard.server import raise_descriptor_limit as raised\n"
        "print(raised(250), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "print(raised(100), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "print(raised(900), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.split() == b"250 250 250 250 300 300".split()
