"""Bytes that break the protocol end their own connection, and nothing else (MQTT 3.1.1, 4.8)."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial
from tests.broker.wire import Wire
from tests.broker.wire_packets import Will, field, packet
from tests.broker.wire_streams import TcpStream
from tests.support import Program

AFTER_CONNECT: dict[str, bytes] = {
    # 2.2.1: kinds
    "kind 0": b"\x00\x00",
    "kind 15": b"\xf0\x00",
    "kind 15 with a body": b"\xf0\x02\x00\x01",
    "CONNACK from a client": b"\x20\x02\x00\x00",
    "SUBACK from a client": b"\x90\x03\x00\x01\x00",
    "UNSUBACK from a client": b"\xb0\x02\x00\x01",
    "PINGRESP from a client": b"\xd0\x00",
    "a second CONNECT": packets.connect("again"),
    # 2.2.2: reserved flags
    "PUBACK with a flag": b"\x41\x02\x00\x01",
    "PUBREC with a flag": b"\x52\x02\x00\x01",
    "PUBREL without its flag": b"\x60\x02\x00\x01",
    "PUBREL with one flag more": b"\x63\x02\x00\x01",
    "PUBCOMP with a flag": b"\x78\x02\x00\x01",
    "SUBSCRIBE without its flag": b"\x80\x06\x00\x01\x00\x01a\x00",
    "SUBSCRIBE with one flag more": b"\x83\x06\x00\x01\x00\x01a\x00",
    "UNSUBSCRIBE without its flag": b"\xa0\x05\x00\x01\x00\x01a",
    "UNSUBSCRIBE with one flag more": b"\xa6\x05\x00\x01\x00\x01a",
    "PINGREQ with a flag": b"\xc1\x00",
    "DISCONNECT with a flag": b"\xe2\x00",
    # 2.2.3: the length
    "a length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "a length of five bytes that is 0": b"\x30\x80\x80\x80\x80\x00",
    "a length without an end": b"\xc0" + b"\xff" * 64,
    # 3.3: PUBLISH
    "PUBLISH at QoS 3": b"\x36\x05\x00\x01a\x00\x01",
    "PUBLISH at QoS 0 with the duplicate flag": b"\x38\x03\x00\x01a",
    "PUBLISH at QoS 1 with packet id 0": packets.publish("a", qos=1, packet_id=0),
    "PUBLISH at QoS 2 with packet id 0": packets.publish("a", qos=2, packet_id=0),
    "PUBLISH without a body": b"\x30\x00",
    "PUBLISH with half a length of its topic": b"\x30\x01\x00",
    "PUBLISH with a topic longer than itself": b"\x30\x04\x00\x05ab",
    "PUBLISH with a topic of 65,535 that are not there": b"\x30\x03\xff\xffa",
    "PUBLISH at QoS 1 without a packet id": b"\x32\x03\x00\x01a",
    "PUBLISH at QoS 2 with half a packet id": b"\x34\x04\x00\x01a\x00",
    "PUBLISH without a topic": packets.publish("", b"x"),
    "PUBLISH to a wildcard": packets.publish("a/#", b"x"),
    "PUBLISH to a topic with NUL": packets.publish("a\0", b"x"),
    "PUBLISH to a topic that is not UTF-8": packets.publish(b"\x80", b"x"),
    # 3.4 to 3.7: acknowledgements
    "PUBACK without a body": b"\x40\x00",
    "PUBACK with half a packet id": b"\x40\x01\x00",
    "PUBREC without a body": b"\x50\x00",
    "PUBREL without a body": b"\x62\x00",
    "PUBREL with half a packet id": b"\x62\x01\x00",
    "PUBCOMP without a body": b"\x70\x00",
    "PUBACK with a byte too many": b"\x40\x03\x00\x01\x00",
    "PUBREL with a byte too many": b"\x62\x03\x00\x01\x00",
    # 3.8: SUBSCRIBE
    "SUBSCRIBE without a body": b"\x82\x00",
    "SUBSCRIBE without a filter": b"\x82\x02\x00\x01",
    "SUBSCRIBE with packet id 0": packets.subscribe(0, ("a", 0)),
    "SUBSCRIBE with QoS 3": packets.subscribe(1, ("a", 3)),
    "SUBSCRIBE with a reserved bit beside QoS": packets.subscribe(1, ("a", 4)),
    "SUBSCRIBE with the highest bit beside QoS": packets.subscribe(1, ("a", 128)),
    "SUBSCRIBE without a QoS": b"\x82\x05\x00\x01\x00\x01a",
    "SUBSCRIBE with a filter longer than itself": b"\x82\x06\x00\x01\x00\x09a\x00",
    "SUBSCRIBE with half a length of a filter": b"\x82\x03\x00\x01\x00",
    "SUBSCRIBE with a filter that is not UTF-8": packets.subscribe(1, (b"a\xfe", 0)),
    "SUBSCRIBE with a filter with NUL": packets.subscribe(1, (b"a\0b", 0)),
    "SUBSCRIBE with a filter with a surrogate": packets.subscribe(1, (b"\xed\xa0\x80", 0)),
    "SUBSCRIBE with a broken second filter": packets.subscribe(1, ("a", 0), ("b", 9)),
    # 3.10: UNSUBSCRIBE
    "UNSUBSCRIBE without a body": b"\xa2\x00",
    "UNSUBSCRIBE without a filter": b"\xa2\x02\x00\x01",
    "UNSUBSCRIBE with packet id 0": packets.unsubscribe(0, "a"),
    "UNSUBSCRIBE with a filter longer than itself": b"\xa2\x05\x00\x01\x00\x09a",
    "UNSUBSCRIBE with a filter that is not UTF-8": packets.unsubscribe(1, b"a\xfe"),
    # 3.12 and 3.14
    "PINGREQ with a body": b"\xc0\x01\x00",
    "DISCONNECT with a body": b"\xe0\x01\x00",
}
BODY = field("MQTT") + b"\x04\x02\x00\x3c"
AT_CONNECT: dict[str, bytes] = {
    "no body": b"\x10\x00",
    "a flag beside the kind": packet(0x11, BODY + field("a")),
    "no client id": packet(0x10, BODY),
    "half a length of the client id": packet(0x10, BODY + b"\x00"),
    "a client id longer than the packet": packet(0x10, BODY + b"\x00\x05a"),
    "no level": packet(0x10, field("MQTT")),
    "no flags": packet(0x10, field("MQTT") + b"\x04"),
    "no keep-alive": packet(0x10, field("MQTT") + b"\x04\x02"),
    "a protocol name longer than the packet": packet(0x10, b"\xff\xffMQTT\x04\x02\x00\x3c\x00\x00"),
    "the reserved flag": packets.connect("a", more_flags=1),
    "a will at QoS 3": packets.connect("a", will=Will(topic="w", qos=3)),
    "a will's QoS without a will": packets.connect("a", more_flags=8),
    "a will's retain flag without a will": packets.connect("a", more_flags=32),
    "the flag of a will and no will": packets.connect("a", more_flags=4),
    "a will without a topic": packets.connect("a", will=Will(topic="")),
    "a will to a wildcard": packets.connect("a", will=Will(topic="w/#")),
    "a will to a topic with NUL": packets.connect("a", will=Will(topic="w\0")),
    "a will to a topic that is not UTF-8": packet(
        0x10, field("MQTT") + b"\x04\x06\x00\x3c" + field("a") + field(b"\xff") + field("x")
    ),
    "the flag of a user name and none": packets.connect("a", more_flags=128),
    "a password without a user name": packets.connect("a", password="p"),
    "the flag of a password and none": packets.connect("a", username="u", more_flags=64),
    "a user name that is not UTF-8": packet(
        0x10, field("MQTT") + b"\x04\x82\x00\x3c" + field("a") + field(b"\xff")
    ),
    "bytes after the end": packet(0x10, BODY + field("a") + b"more"),
    "a client id that is not UTF-8": packets.connect(b"a\xff"),
    "a client id with NUL": packets.connect("a\0b"),
    "a client id with a surrogate": packets.connect(b"\xed\xbf\xbf"),
    "a length of five bytes": b"\x10\xff\xff\xff\xff\x01",
    "HTTP": b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1883\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    "TLS": bytes.fromhex("16030100d0010000cc0303") + bytes(200),
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
}


MOSQUITTO_BEARS = {
    "SUBACK from a client",
    "UNSUBACK from a client",
    "PINGRESP from a client",
    "PUBACK with a flag",
    "PUBREC with a flag",
    "PUBCOMP with a flag",
    "PINGREQ with a flag",
    "PUBLISH at QoS 0 with the duplicate flag",
    "PUBACK with a byte too many",
    "PUBREL with a byte too many",
    "PINGREQ with a body",
}
"""What mosquitto 2.0.11 takes without closing, though the standard wants it; others go on."""


@pytest.fixture(scope="module")
def other(standing: Program) -> Iterator[Wire]:
    """Another client, connected all the time."""
    with Wire(TcpStream(standing.port("mqtt"))) as wire:
        wire.connect("other")
        wire.subscribe(("other", 1))
        yield wire


def goes_on(other: Wire) -> None:
    """Assert that another client can still publish and receive."""
    other.send(packets.publish("other", b"still here", qos=1, packet_id=1))
    found = {packet.kind: packet for packet in (other.next(), other.next())}
    assert set(found) == {packets.PUBACK, packets.PUBLISH}
    message = found[packets.PUBLISH].message
    assert message.payload == b"still here"
    other.send(packets.acknowledge(packets.PUBACK, message.packet_id))


@pytest.mark.parametrize("name", AFTER_CONNECT)
def test_after_connect_the_connection_is_closed_and_others_go_on(
    standing: Program, dial: Dial, other: Wire, is_mosquitto: bool, name: str
) -> None:
    wire = dial(standing)
    wire.connect()
    wire.send(AFTER_CONNECT[name])
    if not (is_mosquitto and name in MOSQUITTO_BEARS):
        wire.expect_closed()
    goes_on(other)


@pytest.mark.parametrize("name", AT_CONNECT)
def test_at_connect_the_connection_is_closed_and_others_go_on(
    standing: Program, dial: Dial, other: Wire, name: str
) -> None:
    wire = dial(standing)
    wire.send(AT_CONNECT[name])
    before = wire.expect_closed()
    assert all(found.kind == packets.CONNACK and found.body[1] != 0 for found in before)
    goes_on(other)


def test_a_packet_beyond_the_limit_ends_that_connection_alone(
    standing: Program, dial: Dial, other: Wire
) -> None:
    wire = dial(standing)
    wire.connect()
    wire.send(b"\x30\xff\xff\xff\x7f\x00\x01a")  # announces 256 MB
    with contextlib.suppress(ConnectionError):  # closed while it comes
        wire.send(bytes(2_000_000))
    wire.expect_closed()
    goes_on(other)


def test_connections_that_end_within_a_packet_leave_nothing_behind(
    standing: Program, dial: Dial, other: Wire
) -> None:
    whole = packets.connect("cut") + packets.publish("other", b"never", qos=2, packet_id=1)
    for length in range(len(whole)):
        wire = dial(standing)
        wire.send(whole[:length])
        wire.stream.abort()
    goes_on(other)
    other.expect_nothing()
