"""What amqtt 0.12.1 gets wrong by itself, or brokers are known to: here it must be right.

Each docstring names what was seen of amqtt without the gate.
"""

from collections.abc import Callable

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial, Join
from tests.broker.wire import Wire
from tests.support import Program


def numbers(count: int) -> list[bytes]:
    """Return payloads that tell their order."""
    return [b"%d" % number for number in range(count)]


@pytest.mark.parametrize("size", [1, 2, 20, 100, 200])
def test_all_of_a_burst_is_delivered_whose_publisher_leaves_at_once(
    join: Join, topic: str, size: int
) -> None:
    """Bursts of 20 lost half on Python 3.12, those of 100 and 200 everywhere."""
    listener = join()
    listener.subscribe((topic, 1))
    for _ in range(3):
        sender = join()
        sender.publish_all(topic, numbers(size))
        sender.send(packets.GOODBYE)
        sender.stream.close()
        assert [listener.take().payload for _ in range(size)] == numbers(size)


@pytest.mark.parametrize("end", ["DISCONNECT", "a reset"])
def test_what_was_acknowledged_is_delivered_though_its_publisher_leaves_within_a_burst(
    join: Join, topic: str, end: str
) -> None:
    """What was not processed yet when its publisher went was dropped, acknowledged or not."""
    listener = join(topic, clean=False)
    listener.subscribe((topic, 1))
    sender = join()
    burst = b"".join(
        packets.publish(topic, payload, qos=1, packet_id=number)
        for number, payload in enumerate(numbers(200), start=1)
    )
    if end == "DISCONNECT":
        sender.send(burst + packets.GOODBYE)
        acknowledged = len(sender.expect_closed())
    else:
        sender.send(burst)
        for _ in range(20):
            sender.expect(packets.PUBACK)
        sender.stream.abort()
        acknowledged = 20
    join().publish(topic, b"end")
    delivered = list(iter(lambda: listener.take().payload, b"end"))
    assert delivered == numbers(len(delivered))
    assert len(delivered) >= acknowledged


def test_all_that_a_consumer_did_not_acknowledge_comes_again_when_it_died(
    join: Join, topic: str, is_mosquitto: bool
) -> None:
    """Nothing was redelivered: of 1,000 whose consumer died after 10, 990 were lost."""
    count = 300 if is_mosquitto else 1000  # mosquitto saves all that waits, each time
    away = join(topic, clean=False)
    away.subscribe((topic, 1))
    away.disconnect()
    sender = join()
    for part in range(0, count, 100):
        sender.publish_all(topic, numbers(count)[part : part + 100])
    dying = join(topic, clean=False)
    assert [dying.take().payload for _ in range(10)] == numbers(10)
    dying.settle()  # a reset takes with it what the broker has not read
    dying.stream.abort()
    back = join(topic, clean=False)
    assert [back.take().payload for _ in range(count - 10)] == numbers(count)[10:]
    back.expect_nothing()


def test_who_comes_back_beside_its_own_half_open_connection_gets_its_messages(
    join: Join, topic: str
) -> None:
    """It got pings and no messages until it had connected once more."""
    half_open = join(topic, clean=False, keep_alive=1)
    half_open.subscribe((topic, 1))
    sender = join()
    sender.publish(topic, b"while nobody reads")
    back = join(topic, clean=False)
    message = back.take()
    assert (message.payload, message.duplicate) == (b"while nobody reads", True)
    sender.publish(topic, b"and after")
    assert back.take().payload == b"and after"
    half_open.expect_closed()


def test_a_half_open_connection_is_closed_after_one_and_a_half_keep_alives(
    join: Join, topic: str
) -> None:
    """Half-open connections were never closed."""
    half_open = join(topic, clean=False, keep_alive=1)
    half_open.subscribe((topic, 1))
    half_open.expect_closed()
    join().publish(topic, b"x")
    assert join(topic, clean=False, keep_alive=1).take().payload == b"x"


REFUSED: dict[str, Callable[[str], bytes]] = {
    "of another version": lambda name: packets.connect(name, level=3),
    "with a reserved flag": lambda name: packets.connect(name, more_flags=1),
    "with bytes after its end": lambda name: packets.packet(
        0x10, packets.connect(name, clean=True)[2:] + b"more"
    ),
}


@pytest.mark.parametrize("connect", REFUSED.values(), ids=REFUSED)
def test_a_refused_connect_with_anothers_client_id_does_not_touch_its_session(
    standing: Program, dial: Dial, join: Join, topic: str, connect: Callable[[str], bytes]
) -> None:
    """Before it was refused, it silenced the live subscriber or deleted its queue."""
    listener = join(topic, clean=False)
    listener.subscribe((topic, 1))
    stranger = dial(standing)
    stranger.send(connect(topic))
    stranger.expect_closed()
    join().publish(topic, b"still heard")
    assert listener.take().payload == b"still heard"
    listener.disconnect()
    join().publish(topic, b"still kept")
    stranger = dial(standing)
    stranger.send(connect(topic))
    stranger.expect_closed()
    assert join(topic, clean=False).take().payload == b"still kept"


@pytest.mark.parametrize("name", ["$x/y", "$", "", "a/+", "#", "a\0b"])
def test_a_publish_to_an_odd_topic_is_refused_or_what_follows_is_delivered(
    join: Join, topic: str, name: str
) -> None:
    """It left a connection that acknowledged and never delivered."""
    listener, sender = join(), join()
    listener.subscribe((topic, 1))
    sender.send(
        packets.publish(name, b"x", qos=1, packet_id=1)
        + packets.publish(topic, b"after", qos=1, packet_id=2)
        + packets.GOODBYE
    )
    if 2 in [packet.packet_id for packet in sender.expect_closed()]:
        assert listener.take().payload == b"after"
    listener.expect_nothing()


def test_a_newcomer_gets_no_retained_message_that_others_have_subscribed_to(
    join: Join, topic: str
) -> None:
    """On connect, anyone got the retained messages that matched anyone's subscriptions."""
    others = join()
    others.subscribe((f"{topic}/#", 1), ("#", 0))
    join().publish(f"{topic}/secret", b"kept", retain=True)
    newcomer = join(f"{topic}-new", clean=False)
    newcomer.expect_nothing()
    newcomer.subscribe((f"{topic}-other", 1))
    newcomer.expect_nothing()
    newcomer.disconnect()
    join(f"{topic}-new", clean=False).expect_nothing()
    join().publish(f"{topic}/secret", b"", retain=True)


def test_subscriptions_that_come_and_go_lose_no_message_of_others(
    join: Join, topic: str, is_mosquitto: bool
) -> None:
    """It raised "dictionary changed size": 161 of 3,000 acknowledged messages were lost."""
    listener, sender, churning = join(), join(), join()
    listener.subscribe((f"{topic}/+", 1))
    received, turns = [], 20 if is_mosquitto else 100  # it saves everything at each change
    for turn in range(turns):
        filters = [f"{topic}/{turn}/{n}" for n in range(10)] + [f"{topic}/#", "+/+"]
        churning.send(packets.subscribe(turn + 1, *[(name, 0) for name in filters]))
        sender.send(
            b"".join(
                packets.publish(f"{topic}/a", b"%d" % (turn * 20 + n), qos=1, packet_id=n + 1)
                for n in range(20)
            )
        )
        churning.send(packets.unsubscribe(turn + 1, *filters))
        if turn % 10 == 9:
            churning.stream.abort()
            churning = join()
        for _ in range(20):
            sender.expect(packets.PUBACK)
        received += [int(listener.take().payload) for _ in range(20)]
    assert received == list(range(turns * 20))


def test_a_session_to_keep_right_after_a_clean_one_is_kept(join: Join, topic: str) -> None:
    """Within a second after a clean session with its client id it stayed clean."""
    for _ in range(5):
        join(topic, clean=True).disconnect()
        kept = join(topic, clean=False)
        kept.subscribe((topic, 1))
        kept.stream.abort()
        join().publish(topic, b"kept")
        back = join(topic, clean=False)
        assert back.take().payload == b"kept"
        back.disconnect()


def test_messages_that_waited_are_not_marked_as_retained(join: Join, topic: str) -> None:
    """What was queued for a client that was away arrived with RETAIN 1."""
    away = join(topic, clean=False)
    away.subscribe((topic, 2))
    away.disconnect()
    sender = join()
    sender.publish(topic, b"1", qos=1)
    sender.publish(topic, b"2", qos=2)
    sender.publish(topic, b"3", qos=1, retain=True)  # to one who had subscribed (3.3.1-9)
    back = join(topic, clean=False)
    messages = [back.take() for _ in range(3)]
    assert [(message.payload, message.retained) for message in messages] == [
        (b"1", False),
        (b"2", False),
        (b"3", False),
    ]
    sender.publish(topic, b"", retain=True)


def test_connections_come_and_go_by_the_thousand(standing: Program, dial: Dial) -> None:
    """Held up without the gate, too: 15,000 connects."""
    for number in range(1000):
        with dial(standing) as wire:
            wire.connect(f"c{number % 7}", clean=bool(number % 2))
    last: Wire = dial(standing)
    last.connect()
    last.expect_nothing()
