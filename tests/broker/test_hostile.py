"""Both brokers under attack: they stay up, others' messages all arrive, and memory returns.

No time decides a test; `bench/broker_hostile.py` measures how long others wait meanwhile.
"""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from bench import attacks
from bench.broker_process import pids_of
from bench.neighbour import Neighbour
from bench.raw_mqtt import ClosedError, RawClient
from bench.system import resident
from iot_button.packets import PUBACK, acknowledgement
from tests.support import Program, eventually

MOST_GROWTH = 40.0
"""MB that a broker may have more, of all its processes, when the attackers have gone."""

UnderAttack = Callable[[], contextlib.AbstractContextManager[int]]


def memory(broker: Program) -> float:
    """Return MB in use by a broker's processes."""
    return sum(map(resident, pids_of(broker.process.pid)))


def assert_serves(port: int, name: str) -> None:
    """Assert that a newcomer is served."""
    with RawClient(port) as client:
        client.connect(f"newcomer-{name}")
        client.subscribe(f"newcomer/{name}")
        client.publish(f"newcomer/{name}", b"x")
        assert client.take().payload == b"x"


@pytest.fixture
def under_attack(standing: Program, topic: str) -> UnderAttack:
    """Hold a block in which others must not suffer, nor memory grow; it has the broker's port."""

    @contextlib.contextmanager
    def block() -> Iterator[int]:
        port = standing.port("mqtt")
        assert_serves(port, topic)
        before = memory(standing)
        with Neighbour(port, name=f"neighbour-{topic}") as neighbour:
            eventually(lambda: neighbour.count, what="others are at work")
            yield port
            reached = neighbour.count
            eventually(lambda: neighbour.count > reached, what="others go on")
        assert_serves(port, topic)
        eventually(
            lambda: memory(standing) - before < MOST_GROWTH,
            what=f"memory returns to {before:.0f} MB, from {memory(standing):.0f}",
        )
        assert standing.process.poll() is None

    return block


def test_a_flood_of_malformed_packets(under_attack: UnderAttack) -> None:
    with under_attack() as port:
        attacks.malformed(port, count=300)


def test_packets_that_announce_256_megabytes(under_attack: UnderAttack) -> None:
    with under_attack() as port:
        attacks.oversize(port, count=20)


def test_an_announcement_of_256_megabytes_ends_its_connection(standing: Program) -> None:
    with RawClient(standing.port("mqtt")) as client:
        client.connect()
        with pytest.raises((ClosedError, ConnectionError)):  # noqa: PT012 - one of them sees it
            client.send(b"\x30\xff\xff\xff\x7f" + bytes(65_536))
            client.read()


def test_two_hundred_connects_that_come_byte_by_byte_are_all_let_in(
    under_attack: UnderAttack,
) -> None:
    with under_attack() as port, attacks.half_open(port, 200) as clients:
        for position in range(9, len(attacks.half_connect(199))):
            for number, client in enumerate(clients):
                client.send(attacks.half_connect(number)[position : position + 1])
        for client in clients:
            assert client.next() == (0x20, b"\x00\x00")


def test_half_open_connections_hold_up_nobody_and_are_closed_in_the_end(
    under_attack: UnderAttack, standing: Program
) -> None:
    """The embedded broker waits 10 s for a CONNECT; mosquitto 90."""
    with under_attack() as port, attacks.half_open(port, 200) as clients:
        if "mosquitto" in standing.arguments:
            return
        for client in clients:
            with pytest.raises(ClosedError):
                client.read()


def test_many_large_connects_that_never_end(under_attack: UnderAttack) -> None:
    """Before anyone has said who they are, they must not fill the memory."""
    with under_attack() as port:
        attacks.heavy_connects(port, count=100)


def test_thousands_connect_and_go(under_attack: UnderAttack) -> None:
    with under_attack() as port:
        attacks.rapid_connects(port, count=5000)


@pytest.mark.parametrize("qos", [0, 1])
def test_50_megabytes_for_one_who_stopped_reading(
    under_attack: UnderAttack, standing: Program, qos: int
) -> None:
    """At QoS 1 mosquitto writes all that waits at each change: 50 MB take it 70 s, so here 10."""
    is_slow = qos == 1 and "mosquitto" in standing.arguments
    with under_attack() as port:
        attacks.stuck(port, qos=qos, megabytes=10 if is_slow else 50)


def test_a_persistent_session_that_stopped_reading_gets_all_of_it_later(
    under_attack: UnderAttack, standing: Program, topic: str
) -> None:
    """20 MB wait on disk, not in memory. mosquitto writes all of it at each change: 2 MB there."""
    count = 20 if "mosquitto" in standing.arguments else 200
    with under_attack() as port:
        with RawClient(port, receive_buffer=4096) as stuck, RawClient(port) as sender:
            stuck.connect(topic, clean=False)
            stuck.subscribe(topic)
            sender.connect()
            payloads = [b"%d " % number + bytes(100_000) for number in range(count)]
            sender.publish_all(topic, payloads, window=10)
            stuck.abort()
        with RawClient(port) as back:
            assert back.connect(topic, clean=False)
            arrived = [int(back.take().payload.partition(b" ")[0]) for _ in range(count)]
            assert arrived == list(range(count))
            assert back.kept() == []
            back.leave()
        with RawClient(port) as last:
            last.connect(topic, clean=True)


def test_a_client_that_asks_and_never_reads_the_answers(under_attack: UnderAttack) -> None:
    with under_attack() as port:
        attacks.deaf(port, b"\xc0\x00", megabytes=2)  # PINGREQ
        attacks.deaf(port, megabytes=2)  # PUBREC


def test_five_thousand_filters_come_and_go(under_attack: UnderAttack) -> None:
    with under_attack() as port:
        attacks.wildcards(port, count=5000, rounds=1)


def test_filters_of_two_hundred_levels_match_what_they_should(
    under_attack: UnderAttack, topic: str
) -> None:
    """Or they are refused: either is told in the SUBACK."""
    deep = "/".join([topic, *["x"] * 199])
    filters = ("/".join([topic, *["+"] * 199]), f"{topic}/#")
    with under_attack() as port, RawClient(port) as client:
        client.connect()
        granted = client.subscribe(*filters, qos=0)
        client.publish(deep, b"deep", qos=1)
        client.publish(f"{topic}/end", b"end", qos=1)
        payloads = [message.payload for message in client.kept()]
        assert payloads[-1] == b"end"
        assert (b"deep" in payloads) == (0x80 not in granted[1:])


def test_wildcards_where_much_is_retained_hold_up_nobody(under_attack: UnderAttack) -> None:
    with under_attack() as port:
        attacks.retained_wildcards(port, topics=500, count=300)
        with RawClient(port) as cleaner:
            cleaner.connect()
            for number in range(500):
                cleaner.publish(f"kept/{number}", b"", retain=True)


def test_a_client_that_takes_its_own_session_over_and_over(
    under_attack: UnderAttack, topic: str
) -> None:
    """A device in a loop of reconnects, or two with the same client id: the last one stays."""
    with under_attack() as port, contextlib.ExitStack() as stack:
        for _ in range(300):
            client = stack.enter_context(RawClient(port))
            client.connect(topic, clean=False)
        client.subscribe(topic)
        client.publish(topic, b"x")
        assert client.take().payload == b"x"


def test_a_client_that_acknowledges_what_it_was_never_sent(
    under_attack: UnderAttack, topic: str
) -> None:
    with under_attack() as port, RawClient(port) as client, RawClient(port) as sender:
        client.connect(topic, clean=False)
        client.subscribe(topic)
        for number in range(1, 2000):
            client.send(acknowledgement(PUBACK, number))
        client.ping()
        sender.connect()
        sender.publish_all(topic, [b"%d" % number for number in range(200)])
        assert [int(client.take().payload) for _ in range(200)] == list(range(200))
