"""The same protocol in WebSocket messages (MQTT 3.1.1, 6)."""

from collections.abc import Callable

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial
from tests.broker.wire import Wire
from tests.broker.wire_packets import Will
from tests.support import Program

Web = Callable[..., Wire]


@pytest.fixture
def web(standing: Program, dial: Dial) -> Web:
    """Connect over WebSocket with a CONNECT of these options."""

    def connect(client_id: str = "", **options: object) -> Wire:
        wire = dial(standing, way="websocket")
        wire.connect(client_id, **options)  # type: ignore[arg-type]  # as they are there
        return wire

    return connect


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 10, 70_000, 200_000])
def test_messages_go_between_websocket_and_tcp(
    standing: Program, dial: Dial, web: Web, topic: str, qos: int, size: int
) -> None:
    tcp = dial(standing)
    tcp.connect()
    listener = web()
    for one in (tcp, listener):
        one.subscribe((topic, qos))
    payload = bytes(n % 251 for n in range(size))
    web().publish(topic, payload, qos=qos)
    assert [one.take().payload for one in (tcp, listener)] == [payload, payload]


def test_a_packet_may_come_in_any_pieces(standing: Program, dial: Dial, topic: str) -> None:
    wire = dial(standing, way="websocket")
    for byte in packets.connect() + packets.publish(topic, b"x", qos=1, packet_id=1):
        wire.send(bytes([byte]))
    assert [wire.next().kind, wire.next().kind] == [packets.CONNACK, packets.PUBACK]


def test_several_packets_may_come_in_one_message(standing: Program, dial: Dial, topic: str) -> None:
    wire = dial(standing, way="websocket")
    wire.send(packets.connect() + packets.subscribe(1, (topic, 0)) + packets.PING)
    kinds = [wire.next().kind for _ in range(3)]
    assert kinds == [packets.CONNACK, packets.SUBACK, packets.PINGRESP]


def test_a_session_goes_on_over_the_other_way(
    standing: Program, dial: Dial, web: Web, topic: str
) -> None:
    first = web(topic, clean=False)
    first.subscribe((topic, 1))
    first.stream.abort()
    sender = web()
    sender.publish(topic, b"x")
    second = dial(standing)
    assert second.connect(topic, clean=False)
    assert second.take().payload == b"x"
    third = web(topic, clean=False)
    second.expect_closed()
    sender.publish(topic, b"y")
    assert third.take().payload == b"y"


def test_a_will_is_published_for_a_page_that_goes(web: Web, topic: str) -> None:
    listener = web()
    listener.subscribe((topic, 1))
    web(will=Will(topic=topic, payload=b"gone")).stream.abort()
    assert listener.take().payload == b"gone"


def test_a_malformed_packet_closes_the_websocket(web: Web, topic: str) -> None:
    wire = web()
    wire.send(packets.publish("a/#", b"x"))
    wire.expect_closed()
    web().publish(topic, b"others go on")


def test_a_silent_page_is_closed_after_one_and_a_half_keep_alives(web: Web) -> None:
    web(keep_alive=1).expect_closed()


def test_disconnect_closes_the_websocket_without_the_will(web: Web, topic: str) -> None:
    listener = web()
    listener.subscribe((topic, 1))
    web(will=Will(topic=topic)).disconnect()
    listener.expect_nothing()
