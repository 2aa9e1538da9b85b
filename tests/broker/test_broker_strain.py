"""Both brokers under what wears them down: a kill, stuck clients, long queues."""

import signal
import statistics
import time

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial
from tests.broker.killing import kill, memory
from tests.broker.wire import Wire
from tests.conftest import Start
from tests.support import Program

MEGABYTE = 1_000_000


def is_mosquitto(broker: Program) -> bool:
    return "mosquitto" in broker.arguments


def join(dial: Dial, broker: Program, client_id: str = "", **options: object) -> Wire:
    """Return a client that is connected."""
    wire = dial(broker)
    wire.connect(client_id, **options)  # type: ignore[arg-type]  # as they are there
    return wire


def away(dial: Dial, broker: Program, *wanted: tuple[str, int]) -> None:
    """Leave a session "away" with subscriptions."""
    wire = join(dial, broker, "away", clean=False)
    wire.subscribe(*wanted)
    wire.disconnect()


def test_what_was_acknowledged_outlives_a_kill(broker: Program, dial: Dial, start: Start) -> None:
    """Without a journal, a kill after the acknowledgements lost all."""
    away(dial, broker, ("a", 1), ("b", 2))
    sender = join(dial, broker)
    sender.publish_all("a", [b"%d" % number for number in range(200)])
    sender.publish("b", b"at QoS 2", qos=2)
    sender.publish("kept", b"retained", retain=True)
    if is_mosquitto(broker):  # it acknowledges first, and saves after that
        sender.expect_nothing()
    kill(broker)
    again = start(*broker.arguments)
    back = join(dial, again, "away", clean=False)
    assert [int(back.take().payload) for _ in range(200)] == list(range(200))
    assert back.take().payload == b"at QoS 2"
    back.subscribe(("kept", 1))
    assert back.take().retained
    back.expect_nothing()


def test_what_was_delivered_and_acknowledged_does_not_come_again_after_a_restart(
    broker: Program, dial: Dial, start: Start
) -> None:
    """Delivered messages came again at each start."""
    away(dial, broker, ("a", 2))
    sender = join(dial, broker)
    sender.publish_all("a", [b"%d" % number for number in range(50)])
    sender.publish("a", b"end", qos=2)
    back = join(dial, broker, "away", clean=False)
    assert len(list(iter(lambda: back.take().payload, b"end"))) == 50
    back.disconnect()
    for _ in range(2):
        broker.send(signal.SIGTERM)
        assert broker.end() == 0
        broker = start(*broker.arguments)
        back = join(dial, broker, "away", clean=False)
        back.expect_nothing()
        back.disconnect()


def test_it_ends_in_time_though_a_client_has_stopped_reading(broker: Program, dial: Dial) -> None:
    """With Python 3.12 it never ended."""
    stuck = dial(broker, receive_buffer=4096)
    stuck.connect()
    stuck.subscribe(("flood", 1))
    sender = join(dial, broker)
    for _ in range(50):
        sender.publish("flood", bytes(100_000))
    broker.send(signal.SIGTERM)
    assert broker.end(deadline=5.0) == 0


@pytest.mark.parametrize("qos", [0, 1])
def test_a_client_that_stopped_reading_takes_little_memory_and_holds_up_no_one(
    broker: Program, dial: Dial, qos: int
) -> None:
    """Memory grew without an end, and others waited 200 ms and more for each message."""
    stuck = dial(broker, receive_buffer=4096)
    stuck.connect(keep_alive=0)
    stuck.subscribe(("flood", qos))
    sender, listener = join(dial, broker), join(dial, broker)
    listener.subscribe(("a", 0))
    count = 100 if is_mosquitto(broker) else 300
    before, waits = memory(broker), []
    for _ in range(count):
        sender.publish("flood", bytes(200_000), qos=qos)
        begin = time.monotonic()
        sender.publish("a", b"x", qos=0)
        listener.take()
        waits.append(time.monotonic() - begin)
    grown = (memory(broker) - before) // MEGABYTE
    if is_mosquitto(broker) and grown > 10:
        pytest.xfail(f"mosquitto 2.0.11 keeps all for it: {grown} MB of {count // 5}")
    assert grown < 40
    assert statistics.median(waits) < 0.05


def test_more_messages_may_wait_than_there_are_packet_ids(broker: Program, dial: Dial) -> None:
    """Beyond 65,535 that waited for one session, the others were lost.

    mosquitto saves all that waits at each change, which takes longer with each message: with it
    the number is one that fits the time of a test, and shows the order alone.
    """
    count, burst = (300, 100) if is_mosquitto(broker) else (66_000, 1000)
    away(dial, broker, ("a", 1))
    sender = join(dial, broker)
    for first in range(0, count, burst):
        sender.publish_all("a", [b"%d" % number for number in range(first, first + burst)])
    back = join(dial, broker, "away", clean=False)
    for number in range(count):
        message = back.message()
        assert int(message.payload) == number
        back.send(packets.acknowledge(packets.PUBACK, message.packet_id))
    back.expect_nothing()


def test_live_messages_come_behind_those_that_waited(broker: Program, dial: Dial) -> None:
    count = 100 if is_mosquitto(broker) else 2_000
    away(dial, broker, ("a", 1))
    sender = join(dial, broker)
    payloads = [b"%d" % number for number in range(2 * count)]
    for first in range(0, count, 100):
        sender.publish_all("a", payloads[first : first + 100])
    back = join(dial, broker, "away", clean=False)
    received = []
    for first in range(count, 2 * count, 100):
        sender.publish_all("a", payloads[first : first + 100])
        received += [back.take().payload for _ in range(50)]
    received += [back.take().payload for _ in range(2 * count - len(received))]
    assert received == payloads


def test_what_ended_before_a_kill_is_not_back_after_it(
    broker: Program, dial: Dial, start: Start
) -> None:
    away(dial, broker, ("a", 1), ("b", 1))
    wire = join(dial, broker, "away", clean=False)
    wire.unsubscribe("a")
    wire.disconnect()
    ended = join(dial, broker, "ended", clean=False)
    ended.subscribe(("a", 1))
    ended.disconnect()
    join(dial, broker, "ended", clean=True).disconnect()
    sender = join(dial, broker)
    sender.publish("cleared", b"x", retain=True)
    sender.publish("cleared", b"", retain=True)
    sender.publish("b", b"kept")
    sender.settle()
    kill(broker)
    again = start(*broker.arguments)
    sender = join(dial, again)
    sender.publish("a", b"not wanted")
    back = dial(again)
    assert back.connect("away", clean=False)
    assert back.take().payload == b"kept"
    back.subscribe(("cleared", 1))
    back.expect_nothing()
    assert not dial(again).connect("ended", clean=False)


def test_a_message_at_qos_2_that_is_sent_again_after_a_kill_is_taken_once(
    broker: Program, dial: Dial, start: Start
) -> None:
    away(dial, broker, ("a", 2))
    sender = join(dial, broker, "sender", clean=False)
    sender.send(packets.publish("a", b"once", qos=2, packet_id=7))
    sender.expect(packets.PUBREC)
    sender.settle()
    kill(broker)
    again = start(*broker.arguments)
    sender = dial(again)
    assert sender.connect("sender", clean=False)
    sender.send(packets.publish("a", b"once", qos=2, packet_id=7, duplicate=True))
    assert sender.expect(packets.PUBREC).packet_id == 7
    sender.send(packets.acknowledge(packets.PUBREL, 7))
    assert sender.expect(packets.PUBCOMP).packet_id == 7
    back = join(dial, again, "away", clean=False)
    assert back.take().payload == b"once"
    back.expect_nothing()


def test_a_handshake_at_qos_2_goes_on_where_it_was_after_a_kill(
    broker: Program, dial: Dial, start: Start
) -> None:
    away(dial, broker, ("a", 2))
    join(dial, broker).publish("a", b"once", qos=2)
    receiver = join(dial, broker, "away", clean=False)
    packet_id = receiver.message().packet_id
    receiver.send(packets.acknowledge(packets.PUBREC, packet_id))
    assert receiver.expect(packets.PUBREL).packet_id == packet_id
    receiver.settle()
    kill(broker)
    again = start(*broker.arguments)
    receiver = join(dial, again, "away", clean=False)
    found = receiver.next()
    if is_mosquitto(broker) and found.kind == packets.PUBLISH:
        pytest.xfail("mosquitto 2.0.11 does not save that a message was received: it comes twice")
    assert (found.kind, found.packet_id) == (packets.PUBREL, packet_id)
    receiver.send(packets.acknowledge(packets.PUBCOMP, packet_id))
    receiver.expect_nothing()


def test_who_acknowledges_nothing_is_sent_4_mib_and_goes_on_when_it_does(
    amqtt: Program, dial: Dial
) -> None:
    """A hundred messages of 1 MB each, for each that reads and is silent, were held in memory."""
    reader, sender = join(dial, amqtt), join(dial, amqtt)
    reader.subscribe(("a", 1))
    for _ in range(8):
        sender.publish("a", bytes(MEGABYTE))
    first = [reader.message() for _ in range(5)]
    reader.expect_nothing()
    for message in first:
        reader.send(packets.acknowledge(packets.PUBACK, message.packet_id))
    assert [len(reader.take().payload) for _ in range(3)] == [MEGABYTE] * 3
