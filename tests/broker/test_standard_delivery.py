"""QoS 0, 1 and 2 between a publisher and a subscriber (MQTT 3.1.1, 4.3, 4.5 and 4.6)."""

import itertools

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Join

EVERY_QOS = list(itertools.product((0, 1, 2), repeat=2))


@pytest.mark.parametrize(("published", "subscribed"), EVERY_QOS)
def test_a_message_has_the_lower_qos_of_publisher_and_subscription(
    join: Join, topic: str, published: int, subscribed: int
) -> None:
    listener = join()
    assert listener.subscribe((topic, subscribed)) == [subscribed]
    join().publish(topic, b"x", qos=published)
    message = listener.take()
    assert message.qos == min(published, subscribed)
    assert (message.topic, message.payload) == (topic, b"x")
    assert not message.duplicate
    assert not message.retained
    assert (message.packet_id == 0) == (message.qos == 0)
    listener.expect_nothing()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_one_publisher_come_in_order(join: Join, topic: str, qos: int) -> None:
    listener, sender = join(), join()
    listener.subscribe((topic, qos))
    ids = range(1, 21)  # as many as mosquitto takes before it closes: its in-flight window
    sender.send(
        b"".join(packets.publish(topic, b"%d" % n, qos=qos, packet_id=n) for n in ids),
    )
    if qos == 2:
        assert [sender.expect(packets.PUBREC).packet_id for _ in ids] == list(ids)
        sender.send(b"".join(packets.acknowledge(packets.PUBREL, n) for n in ids))
    assert [int(listener.take().payload) for _ in ids] == list(ids)


@pytest.mark.parametrize("qos", [1, 2])
def test_a_long_line_of_messages_comes_in_order_through_the_window(
    join: Join, topic: str, qos: int
) -> None:
    listener, sender = join(), join()
    listener.subscribe((topic, qos))
    for number in range(300):
        sender.publish(topic, b"%d" % number, qos=qos)
    assert [int(listener.take().payload) for _ in range(300)] == list(range(300))


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 200_000])
def test_a_payload_of_any_length_comes_whole(join: Join, topic: str, qos: int, size: int) -> None:
    listener = join()
    listener.subscribe((topic, qos))
    payload = bytes(i % 251 for i in range(size))
    join().publish(topic, payload, qos=qos)
    assert listener.take().payload == payload


def test_a_publish_sent_twice_with_one_id_at_qos_2_is_delivered_once(
    join: Join, topic: str
) -> None:
    listener, sender = join(), join()
    listener.subscribe((topic, 2))
    sender.send(packets.publish(topic, b"x", qos=2, packet_id=9))
    assert sender.expect(packets.PUBREC).packet_id == 9
    sender.send(packets.publish(topic, b"x", qos=2, packet_id=9, duplicate=True))
    assert sender.expect(packets.PUBREC).packet_id == 9
    sender.send(packets.acknowledge(packets.PUBREL, 9))
    assert sender.expect(packets.PUBCOMP).packet_id == 9
    assert listener.take().payload == b"x"
    listener.expect_nothing()


def test_after_pubrel_a_packet_id_of_qos_2_is_a_new_message(join: Join, topic: str) -> None:
    listener, sender = join(), join()
    listener.subscribe((topic, 2))
    for payload in (b"first", b"second"):
        sender.send(packets.publish(topic, payload, qos=2, packet_id=9))
        sender.expect(packets.PUBREC)
        sender.send(packets.acknowledge(packets.PUBREL, 9))
        sender.expect(packets.PUBCOMP)
    assert [listener.take().payload, listener.take().payload] == [b"first", b"second"]
    listener.expect_nothing()


def test_a_packet_id_of_qos_1_can_be_used_again_at_once(join: Join, topic: str) -> None:
    listener, sender = join(), join()
    listener.subscribe((topic, 1))
    for payload in (b"first", b"second"):
        sender.send(packets.publish(topic, payload, qos=1, packet_id=1))
    assert [sender.expect(packets.PUBACK).packet_id for _ in range(2)] == [1, 1]
    assert [listener.take().payload, listener.take().payload] == [b"first", b"second"]


def test_pubrel_is_answered_each_time_it_comes(join: Join, topic: str) -> None:
    sender = join()
    sender.publish(topic, b"x", qos=2)
    sender.send(packets.acknowledge(packets.PUBREL, 1) * 2)
    assert [sender.expect(packets.PUBCOMP).packet_id for _ in range(2)] == [1, 1]


def test_pubrel_of_an_unknown_id_is_answered_with_pubcomp(join: Join) -> None:
    sender = join()
    sender.send(packets.acknowledge(packets.PUBREL, 4711))
    assert sender.expect(packets.PUBCOMP).packet_id == 4711


@pytest.mark.parametrize("kind", [packets.PUBACK, packets.PUBCOMP])
def test_an_acknowledgement_of_nothing_is_overlooked(join: Join, kind: int) -> None:
    wire = join()
    wire.send(packets.acknowledge(kind, 4711))
    wire.expect_nothing()


def test_both_directions_have_packet_ids_of_their_own(join: Join, topic: str) -> None:
    wire = join()
    wire.subscribe((topic, 1))
    wire.send(packets.publish(topic, b"to myself", qos=1, packet_id=1))
    arrived = {wire.next().kind, wire.next().kind}
    assert arrived == {packets.PUBACK, packets.PUBLISH}


def test_all_packet_ids_are_good(join: Join, topic: str) -> None:
    sender = join()
    for packet_id in (1, 255, 256, 32_768, 65_535):
        sender.send(packets.publish(topic, b"x", qos=1, packet_id=packet_id))
        assert sender.expect(packets.PUBACK).packet_id == packet_id


def test_a_subscriber_that_acknowledges_in_another_order_gets_all(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1))
    join().publish_all(topic, [b"%d" % number for number in range(10)])
    messages = [listener.message() for _ in range(10)]
    for message in reversed(messages):
        listener.send(packets.acknowledge(packets.PUBACK, message.packet_id))
    assert [int(message.payload) for message in messages] == list(range(10))
    assert len({message.packet_id for message in messages}) == 10
    join().publish(topic, b"last")
    assert listener.take().payload == b"last"


def test_every_subscriber_gets_its_copy(join: Join, topic: str) -> None:
    listeners = [join() for _ in range(20)]
    for number, listener in enumerate(listeners):
        listener.subscribe((topic, number % 3))
    join().publish(topic, b"x", qos=2)
    for number, listener in enumerate(listeners):
        message = listener.take()
        assert (message.payload, message.qos) == (b"x", number % 3)


def test_a_duplicate_flag_is_not_passed_on(join: Join, topic: str) -> None:
    listener, sender = join(), join()
    listener.subscribe((topic, 1))
    sender.send(packets.publish(topic, b"x", qos=1, packet_id=1, duplicate=True))
    assert not listener.take().duplicate
