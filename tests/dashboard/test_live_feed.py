import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection

from dashboard.live import SNAPSHOT_ROWS, Hub
from iot_button.events import ProcessedClick
from tests.dashboard.helpers import Serve, new_hub, show
from tests.support import DEADLINE, eventually

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def watch(port: int, query: str = "") -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}/ws{query}", max_size=None)


def receive(client: Connection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(client.recv(timeout=DEADLINE))
    return message


def receive_all(client: Connection) -> None:
    while True:
        client.recv(timeout=DEADLINE)


def click_ids(client: Connection) -> Iterator[int]:
    """Yield the ids of all rows that a browser gets, from the snapshot and from events."""
    while True:
        message = receive(client)
        if message["type"] == "snapshot":
            yield from (click["id"] for click in message["clicks"])
        elif message["type"] == "click":
            yield message["click"]["id"]


def add(hub: Hub, count: int = 1, *, size: int = 0) -> None:
    click = ProcessedClick(serial_number="B", click_type="SINGLE", title="t" * size)
    for _ in range(count):
        show(hub, click)


def test_whoever_connects_gets_a_snapshot_and_then_every_event(serve: Serve) -> None:
    hub, port = serve(new_hub(max_rows=10_000))
    is_enough = threading.Event()

    def publish() -> None:
        while not is_enough.wait(0.0005):
            add(hub)

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        for _ in range(20):
            with watch(port) as client:
                ids = click_ids(client)
                seen = [next(ids) for _ in range(SNAPSHOT_ROWS // 10)]
                assert seen == list(range(seen[0], seen[0] + len(seen)))
    finally:
        is_enough.set()
        publishing.join()


def test_a_browser_that_comes_back_gets_what_it_missed_and_nothing_twice(serve: Serve) -> None:
    hub, port = serve()
    add(hub, 5)
    with watch(port) as client:
        epoch = receive(client)["epoch"]
    add(hub, 3)
    with watch(port, f"?epoch={epoch}&after=5") as client:
        snapshot = receive(client)
    assert snapshot["resumed"]
    assert [click["id"] for click in snapshot["clicks"]] == [6, 7, 8]


@pytest.mark.parametrize("query", ["?epoch=other&after=2", "?after=2", "?epoch={}&after=x", ""])
def test_a_browser_of_another_process_or_with_nonsense_starts_anew(
    serve: Serve, query: str
) -> None:
    hub, port = serve()
    add(hub, 3)
    with watch(port, query.format(hub.epoch)) as client:
        snapshot = receive(client)
    assert not snapshot["resumed"]
    assert len(snapshot["clicks"]) == 3


def test_a_snapshot_has_the_latest_rows_only(serve: Serve) -> None:
    hub, port = serve()
    add(hub, SNAPSHOT_ROWS + 50)
    with watch(port) as client:
        ids = [click["id"] for click in receive(client)["clicks"]]
    assert ids == list(range(51, SNAPSHOT_ROWS + 51))


def test_all_browsers_get_the_same_uncompressed_frame(serve: Serve) -> None:
    _hub, port = serve()
    received = []
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as raw:
            raw.sendall(HANDSHAKE.encode())
            head = read_until(raw, b"\r\n\r\n")
            assert b"101" in head
            assert b"deflate" not in head
            received.append(read_until(raw, b'"clicksPerMinute":0}}'))
    assert received[0] == received[1]
    assert received[0][0] == 0x81


def read_until(raw: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        chunk = raw.recv(1)
        assert chunk, data
        data += chunk
    return data


def test_a_browser_that_stops_reading_is_dropped_and_delays_no_other(serve: Serve) -> None:
    hub, port = serve(new_hub(max_queued=200))
    with socket.socket() as laggard, watch(port) as reader:
        laggard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        laggard.connect(("127.0.0.1", port))
        laggard.sendall(HANDSHAKE.encode())
        eventually(lambda: hub.clients == 2, what="both are in")
        ids = click_ids(reader)
        sent, worst = 0, 0.0
        while hub.dropped == 0 and sent < 50_000:
            began = time.monotonic()
            add(hub, size=200)
            sent += 1
            assert next(ids) == sent
            worst = max(worst, time.monotonic() - began)
        assert hub.dropped == 1
        assert worst < 1.0
        add(hub)
        assert next(ids) == sent + 1
        eventually(lambda: hub.clients == 1, what="the laggard is forgotten")


def test_one_browser_too_many_is_told_so(serve: Serve) -> None:
    _hub, port = serve(new_hub(max_clients=1))
    with watch(port) as first:
        receive(first)  # it is in, before the second asks
        with watch(port) as second, pytest.raises(ConnectionClosed) as refusal:
            second.recv(timeout=DEADLINE)
        assert refusal.value.rcvd is not None
        assert refusal.value.rcvd.code == 1013
        assert "1 browsers watch already" in refusal.value.rcvd.reason


def test_a_long_message_from_a_browser_ends_its_connection(serve: Serve) -> None:
    _hub, port = serve()
    with watch(port) as client:
        receive(client)
        client.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as closed:
            receive_all(client)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_what_browsers_say_is_ignored_and_pings_are_answered_between_events(serve: Serve) -> None:
    hub, port = serve()
    with watch(port) as client:
        ids = click_ids(client)
        for number in range(1, 300):
            client.send("hello")
            pong = client.ping()
            add(hub)
            assert next(ids) == number
            assert pong.wait(DEADLINE)


def test_a_browser_that_leaves_is_forgotten(serve: Serve) -> None:
    hub, port = serve()
    with watch(port) as client:
        receive(client)
        eventually(lambda: hub.clients == 1, what="it is in")
    eventually(lambda: hub.clients == 0, what="it is forgotten")


def test_the_broker_lost_and_found_is_told_at_once(serve: Serve) -> None:
    hub, port = serve()
    with watch(port) as client:
        receive(client)
        for connected in (True, False):
            hub.broker_changed(connected)
            message = receive(client)
            while message["status"]["brokerConnected"] != connected:
                message = receive(client)


def test_numbers_are_sent_when_they_change_and_only_then(serve: Serve) -> None:
    hub, port = serve()
    with watch(port) as client:
        receive(client)
        add(hub, 2)
        messages = [receive(client)]
        while messages[-1].get("status", {}).get("clicksPerMinute") != 2:
            messages.append(receive(client))
        with pytest.raises(TimeoutError):
            client.recv(timeout=1.5)
    assert messages[-1]["status"]["buttons"] == 7
