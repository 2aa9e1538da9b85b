"""Topic names that are refused, and those that look odd and are right (MQTT 3.1.1, 1.5.3, 4.7)."""

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Join

REFUSED = {
    "empty": b"",
    "a plus": b"a/+/b",
    "a plus alone": b"+",
    "a hash": b"a/#",
    "a hash alone": b"#",
    "a plus within a level": b"a+b",
    "a NUL": b"a\0b",
    "not UTF-8": b"a\xff",
    "a surrogate": b"a\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "longer than need be": b"a\xc0\xafb",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "cut within a character": b"a\xc3",
}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED)
def test_a_publish_to_what_is_no_topic_closes_the_connection_and_reaches_no_one(
    join: Join, topic: str, name: bytes, qos: int
) -> None:
    listener = join()
    listener.subscribe(("#", 0))
    wire = join()
    wire.send(packets.publish(name, b"x", qos=qos, packet_id=1) + packets.PING)
    assert wire.expect_closed() == []
    join().publish(topic, b"end")
    assert listener.take().payload == b"end"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("name", ["$SYS/broker/version", "$SYS/x", "$SYS"])
def test_a_client_cannot_publish_what_the_server_says_of_itself(
    join: Join, name: str, qos: int
) -> None:
    listener = join()
    listener.subscribe((name, 0))
    wire = join()
    forged = packets.publish(name, b"forged", qos=qos, packet_id=1, retain=True)
    wire.send(forged + packets.GOODBYE)
    wire.expect_closed()  # refused, or dropped
    listener.send(packets.PING)
    while (found := listener.next()).kind != packets.PINGRESP:
        assert found.message.payload != b"forged"
    late = join()
    late.subscribe((name, 0))
    late.send(packets.PING)
    while (found := late.next()).kind != packets.PINGRESP:
        assert found.message.payload != b"forged"


def test_a_connection_that_published_to_the_server_is_closed_or_goes_on_as_before(
    join: Join, topic: str
) -> None:
    listener, wire = join(), join()
    listener.subscribe((topic, 1))
    wire.send(packets.publish("$SYS/x", b"x", qos=1, packet_id=1))
    wire.send(packets.publish(topic, b"after", qos=1, packet_id=2) + packets.GOODBYE)
    acknowledged = [packet.packet_id for packet in wire.expect_closed()]
    if 2 in acknowledged:
        assert listener.take().payload == b"after"


RIGHT = {
    "a space": "a b",
    "slashes alone": "///",
    "a leading slash": "/a",
    "a trailing slash": "a/",
    "a dollar within": "a$b/$c",
    "beyond the basic plane": "😀/𝄞",
    "composed and not": "é/e\u0301",
    "a byte order mark": "\ufeffa",
    "right to left": "עברית",
    "long": "x" * 10_000,
    "many levels": "/".join("abcdefghij" * 10),
}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("name", RIGHT.values(), ids=RIGHT)
def test_a_topic_may_have(join: Join, topic: str, name: str, qos: int) -> None:
    listener = join()
    name = f"{topic}/{name}"
    listener.subscribe((name, qos))
    join().publish(name, b"x", qos=qos)
    message = listener.take()
    assert (message.topic, message.payload) == (name, b"x")


def test_the_longest_topic_is_delivered_or_closes_the_connection(join: Join, topic: str) -> None:
    name = (topic + "/" + "x" * 65_535)[:65_535]
    listener = join()
    listener.subscribe((f"{topic}/+", 1))
    join().publish(name, b"x")
    assert listener.take().topic == name


def test_too_many_levels_close_the_connection_and_not_the_broker(join: Join, topic: str) -> None:
    listener, wire = join(), join()
    listener.subscribe((topic, 1))
    wire.send(packets.publish("/" * 65_535, b"x") + packets.GOODBYE)
    wire.expect_closed()
    wire = join()
    wire.send(packets.subscribe(1, ("/" * 65_535, 0)) + packets.GOODBYE)
    wire.expect_closed()
    join().publish(topic, b"x")
    assert listener.take().payload == b"x"
