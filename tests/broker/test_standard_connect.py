"""How a connection begins and ends (MQTT 3.1.1, 3.1, 3.2, 3.12 and 3.14)."""

import time

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial, Join
from tests.support import Program


def refused_with(dial: Dial, broker: Program, connect: bytes) -> int | None:
    """Return the return code of a CONNECT that fails; None: it is closed without a CONNACK."""
    wire = dial(broker)
    wire.send(connect)
    before = wire.expect_closed()
    assert all(packet.kind == packets.CONNACK and packet.body[0] == 0 for packet in before)
    return before[0].body[1] if before else None


@pytest.mark.parametrize(
    "first",
    [
        packets.PING,
        packets.GOODBYE,
        packets.publish("a", b"x"),
        packets.publish("a", b"x", qos=1, packet_id=1),
        packets.subscribe(1, ("a", 0)),
        packets.acknowledge(packets.PUBREL, 1),
    ],
    ids=["PINGREQ", "DISCONNECT", "PUBLISH", "PUBLISH at QoS 1", "SUBSCRIBE", "PUBREL"],
)
def test_the_first_packet_must_be_connect(standing: Program, dial: Dial, first: bytes) -> None:
    wire = dial(standing)
    wire.send(first)
    assert wire.expect_closed() == []


def test_a_message_before_connect_reaches_no_one(
    standing: Program, dial: Dial, join: Join, topic: str
) -> None:
    listener = join()
    listener.subscribe((topic, 0))
    stranger = dial(standing)
    stranger.send(packets.publish(topic, b"x") + packets.connect("late"))
    stranger.expect_closed()
    listener.expect_nothing()


def test_a_second_connect_closes_the_connection(join: Join, topic: str) -> None:
    wire = join(topic)
    wire.send(packets.connect(topic))
    assert wire.expect_closed() == []


@pytest.mark.parametrize("level", [0, 3, 6, 127, 255])
def test_an_unknown_protocol_level_is_answered_with_1_and_closed(
    standing: Program, dial: Dial, level: int
) -> None:
    assert refused_with(dial, standing, packets.connect("a", level=level)) == 1


@pytest.mark.parametrize("name", ["", "mqtt", "MQTT ", "HTTP"])
def test_an_unknown_protocol_name_is_closed(standing: Program, dial: Dial, name: str) -> None:
    assert refused_with(dial, standing, packets.connect("a", name=name)) in (None, 1)


def test_the_protocol_name_of_3_1_at_the_level_of_3_1_1_is_refused(
    standing: Program, dial: Dial
) -> None:
    assert refused_with(dial, standing, packets.connect("a", name="MQIsdp")) in (None, 1)


def test_the_reserved_flag_of_connect_must_be_0(standing: Program, dial: Dial) -> None:
    assert refused_with(dial, standing, packets.connect("a", more_flags=1)) is None


def test_no_client_id_and_a_session_to_keep_is_answered_with_2_and_closed(
    standing: Program, dial: Dial
) -> None:
    assert refused_with(dial, standing, packets.connect("", clean=False)) == 2


def test_clients_without_an_id_are_each_their_own(join: Join, topic: str) -> None:
    one, other = join(""), join("")
    one.subscribe((topic, 0))
    other.subscribe((topic, 0))
    join("").publish(topic, b"to both")
    assert one.take().payload == b"to both"
    assert other.take().payload == b"to both"


@pytest.mark.parametrize(
    "client_id", ["x" * 23, "x" * 1000, "with space", "ü/+#", "日本語"], ids=len
)
def test_any_text_is_a_client_id(join: Join, client_id: str) -> None:
    join(client_id).expect_nothing()


def test_packets_right_behind_connect_are_taken(standing: Program, dial: Dial, topic: str) -> None:
    wire = dial(standing)
    wire.send(packets.connect() + packets.subscribe(1, (topic, 1)) + packets.PING)
    kinds = [wire.next().kind for _ in range(3)]
    assert kinds == [packets.CONNACK, packets.SUBACK, packets.PINGRESP]


def test_a_connect_byte_by_byte_is_a_connect(standing: Program, dial: Dial) -> None:
    wire = dial(standing)
    for byte in packets.connect("slow"):
        wire.send(bytes([byte]))
    assert wire.expect(packets.CONNACK).body == b"\0\0"


def test_a_ping_is_answered(join: Join) -> None:
    wire = join()
    for _ in range(3):
        wire.send(packets.PING)
    assert [wire.next().kind for _ in range(3)] == [packets.PINGRESP] * 3


def test_disconnect_closes_and_nothing_after_it_counts(join: Join, topic: str) -> None:
    listener, leaving = join(), join()
    listener.subscribe((topic, 0))
    leaving.send(packets.GOODBYE + packets.publish(topic, b"from beyond"))
    assert leaving.expect_closed() == []
    listener.expect_nothing()


def test_a_second_connection_with_an_id_ends_the_first(join: Join, topic: str) -> None:
    first = join(topic)
    second = join(topic)
    assert first.expect_closed() == []
    second.expect_nothing()


LATEST = 10.0
"""Seconds: mosquitto looks for silent clients once in 5 s only."""


@pytest.mark.parametrize("clean", [True, False])
def test_a_client_that_is_silent_for_one_and_a_half_keep_alives_is_closed(
    join: Join, topic: str, clean: bool, is_mosquitto: bool
) -> None:
    begin = time.monotonic()
    join(topic, keep_alive=1, clean=clean).expect_closed()
    assert 0.9 < time.monotonic() - begin < (LATEST if is_mosquitto else 3)


def test_any_packet_keeps_a_connection_alive(join: Join, topic: str) -> None:
    wire = join(topic, keep_alive=1)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        with pytest.raises(TimeoutError):  # the time to wait between two packets
            wire.stream.receive(0.4)
        wire.publish(topic, b"alive", qos=1)


def test_keep_alive_0_is_none(join: Join) -> None:
    wire = join(keep_alive=0)
    with pytest.raises(TimeoutError):
        wire.stream.receive(2.5)
    wire.expect_nothing()


def test_receiving_alone_keeps_no_connection_alive(join: Join, topic: str) -> None:
    silent, talker = join(topic, keep_alive=1), join()
    silent.subscribe((topic, 0))
    begin = time.monotonic()
    while time.monotonic() < begin + LATEST:
        talker.publish(topic, b"x", qos=0)
        try:
            if not silent.stream.receive(0.2):
                return
        except TimeoutError:
            continue
    pytest.fail("a client that only receives is kept for more than ten keep-alives")
