"""What a broker must not lose, as cases that a test and a benchmark run alike.

Messages carry numbers. A number whose PUBACK (or PUBCOMP) its publisher has is *acknowledged*; one
of these that its subscriber never gets is *lost*. *Twice*: a number that came more than once, which
QoS 1 allows after a failure (4.3.2), and QoS 2 does not.
"""

import random
import select
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from bench.raw_mqtt import ClosedError, RawClient
from bench.raw_packets import decode_publish
from iot_button.packets import PUBACK, PUBLISH, acknowledgement, publish

TOPIC = "durable"
_END = b"end"


class Broker(Protocol):
    """A broker that can be killed. `port` stays the same when it is started again."""

    @property
    def port(self) -> int:
        """Where it listens."""
        ...

    def kill(self) -> None:
        """Kill it, without a chance to save, and return when its port is free."""
        ...

    def stop(self) -> None:
        """End it in order."""
        ...

    def start(self) -> None:
        """Start it again, and return when it is ready."""
        ...


@dataclass(slots=True)
class Tally:
    """What became of the messages. `arrived`: numbers in the order in which they came."""

    published: int = 0
    acknowledged: set[int] = field(default_factory=set)
    arrived: list[int] = field(default_factory=list)

    @property
    def lost(self) -> list[int]:
        """Acknowledged, and never there."""
        return sorted(self.acknowledged.difference(self.arrived))

    @property
    def twice(self) -> int:
        """How many came more than once."""
        return sum(count > 1 for count in Counter(self.arrived).values())

    @property
    def is_in_order(self) -> bool:
        """Whether, repetitions left out, each came after all before it."""
        first = list(dict.fromkeys(self.arrived))
        return first == sorted(first)

    def add(self, other: "Tally") -> None:
        """Take in another case's: its numbers become others than ours."""
        first = self.published
        self.published += other.published
        self.acknowledged |= {first + number for number in other.acknowledged}
        self.arrived += [first + number for number in other.arrived]


def numbers(first: int, end: int) -> list[bytes]:
    """Return payloads."""
    return [b"%d" % number for number in range(first, end)]


def away(broker: Broker, client_id: str, *, qos: int = 1) -> None:
    """Leave a session behind that has subscribed."""
    with RawClient(broker.port) as client:
        client.connect(client_id, clean=False)
        client.subscribe(TOPIC, qos=qos)
        client.leave()


def fill(broker: Broker, tally: Tally, count: int) -> None:
    """Publish that many, all acknowledged; and let a broker save that does so a moment later."""
    with RawClient(broker.port) as sender:
        sender.connect()
        end = tally.published + count
        sender.publish_all(TOPIC, numbers(tally.published, end))
        tally.acknowledged |= set(range(tally.published, end))
        tally.published = end
        sender.ping()


def take_all(broker: Broker, client_id: str, tally: Tally, *, qos: int = 1) -> None:
    """Come back, and take everything up to a last message of our own."""
    with RawClient(broker.port, timeout=60) as back, RawClient(broker.port, timeout=60) as sender:
        if not back.connect(client_id, clean=False):
            return  # all is lost, the session too
        sender.connect()
        sender.publish(TOPIC, _END, qos=qos)
        while (message := back.take()).payload != _END:
            tally.arrived.append(int(message.payload))
        back.leave()


def away_and_back(broker: Broker, count: int = 1000) -> Tally:
    """Queue for one who is away."""
    tally = Tally()
    away(broker, "away")
    fill(broker, tally, count)
    take_all(broker, "away", tally)
    return tally


def killed_before_puback(broker: Broker, count: int = 50, taken: int = 10) -> Tally:
    """Let a subscriber die that has acknowledged a few of those that it was sent."""
    tally = Tally()
    away(broker, "dying")
    fill(broker, tally, count)
    with RawClient(broker.port) as dying:
        dying.connect("dying", clean=False)
        tally.arrived += [int(dying.take().payload) for _ in range(taken)]
        dying.message()
        dying.ping()  # the broker has heard of those ten
        dying.abort()
    take_all(broker, "dying", tally)
    return tally


def queued_and_restarted(broker: Broker, count: int = 300, *, kill: bool) -> Tally:
    """Queue for one who is away; the broker ends, killed or in order, and comes back."""
    tally = Tally()
    away(broker, "restarted")
    fill(broker, tally, count)
    if kill:
        broker.kill()
    else:
        broker.stop()
    broker.start()
    take_all(broker, "restarted", tally)
    return tally


class Traffic:
    """A steady publisher and a persistent subscriber, who both live through a broker's deaths.

    Args:
        rate: messages a second; None: as many as a window of 100 lets through.
        is_here: whether the subscriber is connected; otherwise it comes at the end.
    """

    def __init__(self, broker: Broker, *, rate: float | None = 200.0, is_here: bool = True) -> None:
        self.tally = Tally()
        self._broker = broker
        self._rate = rate
        self._is_here = is_here
        away(broker, "steady")

    def run_until_killed(self, after: float) -> None:
        """Publish and take, until the broker is killed `after` seconds, and start it again."""
        with RawClient(self._broker.port) as sender, RawClient(self._broker.port) as taker:
            sender.connect()
            clients = [sender]
            if self._is_here:
                taker.connect("steady", clean=False)
                clients.append(taker)
            killer = threading.Timer(after, self._broker.kill)
            killer.start()
            self._run(sender, clients)
            killer.join()
        self._broker.start()

    def end(self) -> Tally:
        """Take what is left, and return what became of all."""
        take_all(self._broker, "steady", self.tally)
        return self.tally

    def _run(self, sender: RawClient, clients: list[RawClient]) -> None:
        """Go on until both have heard that the broker is gone: what came before that counts."""
        self._under_way: dict[int, int] = {}
        begin, sent = time.monotonic(), 0
        open_ones = list(clients)
        while open_ones:
            wait = 1.0
            if sender in open_ones:
                wait = self._wait(time.monotonic() - begin, sent)
                if wait <= 0:
                    sent += 1
                    self._publish(sender)
                    wait = 0.0
            for client in select.select(open_ones, [], [], wait)[0]:
                try:
                    self._read(client)
                except ClosedError:
                    open_ones.remove(client)

    def _wait(self, elapsed: float, sent: int) -> float:
        """Return seconds until the next message is due."""
        if self._rate is None:
            return 0.0 if len(self._under_way) < 100 else 1.0
        return min(1.0, sent / self._rate - elapsed)

    def _publish(self, sender: RawClient) -> None:
        number, packet_id = self.tally.published, sender.new_id()
        self.tally.published += 1
        self._under_way[packet_id] = number
        try:
            sender.send(publish(TOPIC.encode(), b"%d" % number, qos=1, packet_id=packet_id))
        except ConnectionError:
            return  # heard by `_read`, when all that came before has been read

    def _read(self, client: RawClient) -> None:
        answers = b""
        for first, body in client.read():
            if first & 0xF0 == PUBLISH:
                message = decode_publish(first, body)
                self.tally.arrived.append(int(message.payload))
                answers += acknowledgement(PUBACK, message.packet_id)
            elif first == PUBACK:
                number = self._under_way.pop(body[0] << 8 | body[1])
                self.tally.acknowledged.add(number)
        try:
            client.send(answers)
        except ConnectionError as error:
            raise ClosedError(str(error)) from error


def killed_under_load(
    broker: Broker,
    *,
    kills: int,
    seed: int,
    rate: float | None = 200.0,
    is_here: bool = True,
) -> Tally:
    """Kill a broker at random moments under load."""
    moments = random.Random(seed)
    traffic = Traffic(broker, rate=rate, is_here=is_here)
    for _ in range(kills):
        traffic.run_until_killed(moments.uniform(0.2, 1.2))
    return traffic.end()
