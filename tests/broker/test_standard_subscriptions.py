"""Filters, and what they match (MQTT 3.1.1, 3.8 to 3.11 and 4.7)."""

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Join

MATCHES = [
    ("a", "a", True),
    ("a", "b", False),
    ("a", "a/", False),
    ("a/", "a/", True),
    ("a/+", "a/", True),
    ("a/+", "a", False),
    ("a/+", "a/b", True),
    ("a/+", "a/b/c", False),
    ("+", "a", True),
    ("+/+", "/a", True),
    ("/+", "/a", True),
    ("+", "/a", False),
    ("a/#", "a", True),
    ("a/#", "a/", True),
    ("a/#", "a/b/c", True),
    ("a/#", "ab", False),
    ("+/b/#", "a/b", True),
    ("+/b/#", "a/b/c/d", True),
    ("+/+/+", "//", True),
    ("a/+/c", "a//c", True),
    ("a/+/c", "a/b/c", True),
    ("a/+/c", "a/b/d", False),
    ("A", "a", False),
    ("a b/ü/日本", "a b/ü/日本", True),
    ("+/ü/+", "a b/ü/日本", True),
    ("a//#", "a/b", False),
    ("a/$b/+", "a/$b/c", True),
]


@pytest.mark.parametrize(("topic_filter", "name", "is_match"), MATCHES)
def test_a_filter_matches(
    join: Join, topic: str, topic_filter: str, name: str, is_match: bool
) -> None:
    listener = join()
    listener.subscribe((f"{topic}/{topic_filter}", 1))
    join().publish(f"{topic}/{name}", b"x")
    if is_match:
        assert listener.take().topic == f"{topic}/{name}"
    listener.expect_nothing()


@pytest.mark.parametrize("topic_filter", ["#", "+/#", "+/broker/#", "+/broker/version"])
def test_a_leading_wildcard_matches_no_topic_of_the_server(join: Join, topic_filter: str) -> None:
    listener = join()
    listener.subscribe((topic_filter, 0))
    sender = join()
    sender.send(packets.publish("$other/broker/version", b"x"))
    sender.stream.close()
    join().publish("end/broker/version", b"end")
    while (message := listener.take()).payload != b"end":
        assert not message.topic.startswith("$")


def test_wildcards_at_every_place_get_each_message_once_or_once_a_subscription(
    join: Join, topic: str, is_mosquitto: bool
) -> None:
    listener = join()
    listener.subscribe((f"{topic}/#", 2), (f"{topic}/+", 1), (f"{topic}/a", 0))
    join().publish(f"{topic}/a", b"x", qos=2)
    join().publish(f"{topic}/end/here", b"end")
    copies = []
    while (message := listener.take()).payload != b"end":
        copies.append(message.qos)
    assert copies
    assert len(copies) <= 3
    if is_mosquitto and max(copies) < 2:
        pytest.xfail("mosquitto 2.0.11 sends one copy, at the QoS of the filter it finds first")
    assert max(copies) == 2  # 3.3.5-1


def test_several_filters_are_granted_in_their_order(join: Join, topic: str) -> None:
    listener = join()
    granted = listener.subscribe((f"{topic}/0", 0), (f"{topic}/2", 2), (f"{topic}/1", 1))
    assert granted == [0, 2, 1]


def test_subscribing_again_replaces_the_qos(join: Join, topic: str) -> None:
    listener = join()
    for qos in (0, 2, 1):
        assert listener.subscribe((topic, qos)) == [qos]
        join().publish(topic, b"x", qos=2)
        assert listener.take().qos == qos
        listener.expect_nothing()


@pytest.mark.parametrize(
    "bad", ["", "a+", "a/b+", "+a/b", "a#", "a/#/b", "#/a", "a/b#", "##", "+#", "a/++/b"]
)
def test_what_is_no_filter_is_refused_or_closes_the_connection(join: Join, bad: str) -> None:
    wire = join()
    wire.send(packets.subscribe(1, (bad, 0)) + packets.GOODBYE)
    assert [(p.kind, p.body) for p in wire.expect_closed()] in (
        [],
        [(packets.SUBACK, b"\x00\x01\x80")],
    )


def test_a_filter_that_is_refused_leaves_the_others_of_its_packet(join: Join, topic: str) -> None:
    wire = join()
    wire.send(packets.subscribe(1, (topic, 1), ("a#", 1), (f"{topic}/b", 0)))
    wire.send(packets.publish(topic, b"x", qos=1, packet_id=1) + packets.GOODBYE)
    before = wire.expect_closed()
    if before:  # closing is right, too
        assert before[0].body == b"\x00\x01\x01\x80\x00"


def test_unsubscribing_stops_messages(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1), (f"{topic}/other", 1))
    listener.unsubscribe(topic)
    join().publish(topic, b"x")
    join().publish(f"{topic}/other", b"still")
    assert listener.take().payload == b"still"


def test_unsubscribing_what_was_never_subscribed_is_acknowledged(join: Join, topic: str) -> None:
    join().unsubscribe(topic, f"{topic}/#", "never/+")


def test_unsubscribing_compares_filters_as_text(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((f"{topic}/+", 1))
    listener.unsubscribe(f"{topic}/#", f"{topic}/a")
    join().publish(f"{topic}/a", b"x")
    assert listener.take().payload == b"x"


def test_a_client_gets_its_own_messages(join: Join, topic: str) -> None:
    wire = join()
    wire.subscribe((topic, 0))
    wire.send(packets.publish(topic, b"mine"))
    assert wire.take().payload == b"mine"


def test_a_hundred_filters_in_one_packet(join: Join, topic: str) -> None:
    listener = join()
    assert listener.subscribe(*[(f"{topic}/{n}", n % 3) for n in range(100)]) == [
        n % 3 for n in range(100)
    ]
    join().publish(f"{topic}/99", b"x")
    assert listener.take().topic == f"{topic}/99"
