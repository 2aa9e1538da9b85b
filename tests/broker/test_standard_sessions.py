"""What is kept of a client that is away (MQTT 3.1.1, 3.1.2.4, 3.2.2.2 and 4.4)."""

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial, Join
from tests.support import Program


def test_session_present_says_whether_there_is_one(
    standing: Program, dial: Dial, topic: str
) -> None:
    said = []
    for clean in (False, False, True, False, False, True, True):
        wire = dial(standing)
        said.append(wire.connect(topic, clean=clean))
        wire.disconnect()
    #              made  kept  ended  made  kept  ended  none
    assert said == [False, True, False, False, True, False, False]


def test_a_kept_session_keeps_its_subscriptions_and_messages(join: Join, topic: str) -> None:
    away = join(topic, clean=False)
    away.subscribe((topic, 1))
    away.disconnect()
    join().publish_all(topic, [b"1", b"2", b"3"])
    back = join(topic, clean=False)
    assert [back.take().payload for _ in range(3)] == [b"1", b"2", b"3"]
    join().publish(topic, b"4")
    assert back.take().payload == b"4"


def test_a_clean_session_keeps_nothing(join: Join, topic: str) -> None:
    away = join(topic, clean=True)
    away.subscribe((topic, 1))
    away.disconnect()
    join().publish(topic, b"lost")
    back = join(topic, clean=False)
    back.expect_nothing()
    join().publish(topic, b"lost, too")
    back.expect_nothing()


def test_a_clean_session_ends_one_that_was_kept(join: Join, topic: str) -> None:
    away = join(topic, clean=False)
    away.subscribe((topic, 1))
    away.disconnect()
    join().publish(topic, b"forgotten")
    join(topic, clean=True).expect_nothing()


def test_a_session_that_is_clean_at_takeover_has_nothing_of_the_old_one(
    join: Join, topic: str
) -> None:
    old = join(topic, clean=False)
    old.subscribe((topic, 1))
    new = join(topic, clean=True)
    old.expect_closed()
    join().publish(topic, b"x")
    new.expect_nothing()


@pytest.mark.parametrize("clean_first", [True, False])
def test_a_kept_session_right_after_another_is_kept(
    join: Join, topic: str, clean_first: bool
) -> None:
    join(topic, clean=clean_first).disconnect()
    away = join(topic, clean=False)
    away.subscribe((topic, 1))
    away.stream.abort()
    join().publish(topic, b"kept")
    assert join(topic, clean=False).take().payload == b"kept"


def test_what_is_not_acknowledged_comes_again_as_a_duplicate_with_its_packet_id(
    join: Join, topic: str
) -> None:
    first = join(topic, clean=False)
    first.subscribe((topic, 1))
    join().publish_all(topic, [b"1", b"2"])
    before = [first.message(), first.message()]
    assert not any(message.duplicate for message in before)
    first.send(packets.acknowledge(packets.PUBACK, before[0].packet_id))
    first.expect_nothing()
    first.stream.abort()
    again = join(topic, clean=False).take()
    assert (again.payload, again.packet_id) == (b"2", before[1].packet_id)
    assert again.duplicate


def test_what_is_acknowledged_does_not_come_again(join: Join, topic: str) -> None:
    first = join(topic, clean=False)
    first.subscribe((topic, 1))
    join().publish_all(topic, [b"1", b"2"])
    assert [first.take().payload, first.take().payload] == [b"1", b"2"]
    first.expect_nothing()
    first.stream.abort()
    join(topic, clean=False).expect_nothing()


def test_qos_2_not_received_is_published_again_with_its_packet_id(join: Join, topic: str) -> None:
    first = join(topic, clean=False)
    first.subscribe((topic, 2))
    join().publish(topic, b"x", qos=2)
    before = first.message()
    first.stream.abort()
    second = join(topic, clean=False)
    again = second.take()
    assert (again.payload, again.packet_id, again.duplicate) == (b"x", before.packet_id, True)
    second.expect_nothing()


def test_qos_2_received_and_not_completed_goes_on_with_pubrel(join: Join, topic: str) -> None:
    first = join(topic, clean=False)
    first.subscribe((topic, 2))
    join().publish(topic, b"x", qos=2)
    packet_id = first.message().packet_id
    first.send(packets.acknowledge(packets.PUBREC, packet_id))
    first.expect(packets.PUBREL)
    first.stream.abort()
    second = join(topic, clean=False)
    assert second.expect(packets.PUBREL).packet_id == packet_id
    second.send(packets.acknowledge(packets.PUBCOMP, packet_id))
    second.expect_nothing()


def test_qos_2_from_a_client_that_comes_back_before_pubrel_is_taken_once(
    join: Join, topic: str
) -> None:
    listener = join()
    listener.subscribe((topic, 2))
    first = join(topic, clean=False)
    first.send(packets.publish(topic, b"once", qos=2, packet_id=7))
    first.expect(packets.PUBREC)
    first.stream.abort()
    second = join(topic, clean=False)
    second.send(packets.publish(topic, b"once", qos=2, packet_id=7, duplicate=True))
    assert second.expect(packets.PUBREC).packet_id == 7
    second.send(packets.acknowledge(packets.PUBREL, 7))
    assert second.expect(packets.PUBCOMP).packet_id == 7
    assert listener.take().payload == b"once"
    listener.expect_nothing()


def test_messages_at_qos_0_need_not_wait_and_hold_up_no_other(join: Join, topic: str) -> None:
    away = join(topic, clean=False)
    away.subscribe((topic, 2))
    away.disconnect()
    sender = join()
    sender.publish(topic, b"0", qos=0)
    sender.publish(topic, b"1", qos=1)
    sender.publish(topic, b"2", qos=2)
    back = join(topic, clean=False)
    assert [m.payload for m in (back.take(), back.take()) if m.qos] == [b"1", b"2"]


def test_unsubscribing_stops_new_messages_for_a_session_that_is_away(
    join: Join, topic: str
) -> None:
    away = join(topic, clean=False)
    away.subscribe((topic, 1))
    away.unsubscribe(topic)
    away.disconnect()
    join().publish(topic, b"x")
    join(topic, clean=False).expect_nothing()
