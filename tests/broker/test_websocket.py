"""MQTT over WebSocket at the embedded broker: who may connect, and what cannot hurt others."""

import contextlib
import socket

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.broker import wire_packets as packets
from tests.broker.killing import memory
from tests.conftest import Start
from tests.support import DEADLINE, Listener, Program

CONNECT = bytes.fromhex("100d00044d5154540402003c000161")
CONNACK = bytes.fromhex("20020000")


def _open(broker: Program, *, origin: str | None) -> ClientConnection:
    return connect(
        broker.address("websocket"),
        origin=None if origin is None else Origin(origin),
        subprotocols=[Subprotocol("mqtt")],
        open_timeout=DEADLINE,
        close_timeout=1,
    )


@pytest.mark.parametrize(
    "origin", [None, "http://127.0.0.1:8000", "http://localhost", "http://[::1]"]
)
def test_programs_and_pages_of_this_machine_may_connect(amqtt: Program, origin: str | None) -> None:
    with _open(amqtt, origin=origin) as websocket:
        assert websocket.subprotocol == "mqtt"
        websocket.send(CONNECT)
        assert websocket.recv(timeout=DEADLINE) == CONNACK


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://["]
)
def test_pages_of_other_sites_are_refused(amqtt: Program, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        _open(amqtt, origin=origin)
    assert refused.value.response.status_code == 403


def test_an_origin_in_the_settings_may_connect(start: Start) -> None:
    broker = start(
        *("broker", "--port", "0", "--websocket-port", "0"),
        IOT_BUTTON_BROKER_WEBSOCKET_ORIGINS="https://panel.example,https://other.example",
    )
    with _open(broker, origin="https://other.example") as websocket:
        websocket.send(CONNECT)
        assert websocket.recv(timeout=DEADLINE) == CONNACK


def test_one_packet_may_come_in_several_messages(amqtt: Program) -> None:
    with _open(amqtt, origin=None) as websocket:
        for byte in CONNECT:
            websocket.send(bytes([byte]))
        assert websocket.recv(timeout=DEADLINE) == CONNACK


def test_a_text_message_closes_the_connection(amqtt: Program) -> None:
    with _open(amqtt, origin=None) as websocket:
        websocket.send("text")
        assert not list(websocket)


def test_a_client_that_leaves_within_a_packet_does_not_hold_up_others(amqtt: Program) -> None:
    with _open(amqtt, origin=None) as websocket:
        websocket.send(CONNECT)
        websocket.recv(timeout=DEADLINE)
        websocket.send(bytes.fromhex("32ffffff7f0001"))  # announces 256 MB
        websocket.socket.shutdown(socket.SHUT_RDWR)
    with Listener(amqtt.port("mqtt"), "a") as listener:
        listener.publish("a", b"still here")
        assert listener.next().payload == b"still here"


def test_who_is_not_let_in_fills_no_memory(amqtt: Program) -> None:
    """Messages of 1 MB before, instead of, and after a CONNECT: 20 from each of 30."""
    before = memory(amqtt)
    for number in range(30):
        first = (b"", CONNECT[:6], CONNECT + CONNECT)[number % 3]
        with _open(amqtt, origin=None) as websocket, contextlib.suppress(ConnectionClosed):
            websocket.send(first)
            for _ in range(20):
                websocket.send(b"\xc0\x00" * 500_000)
    assert memory(amqtt) - before < 50_000_000


def test_who_is_let_in_may_send_large_packets(amqtt: Program) -> None:
    with Listener(amqtt.port("mqtt"), "a") as listener, _open(amqtt, origin=None) as websocket:
        websocket.send(CONNECT)
        websocket.recv(timeout=DEADLINE)
        websocket.send(packets.packet(0x30, b"\x00\x01a" + bytes(1_000_000)))
        assert len(listener.next().payload) == 1_000_000
