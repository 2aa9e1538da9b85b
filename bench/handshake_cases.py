"""QoS 2 (4.3.3) with a broker that is killed within the handshake: at each step of it, once."""

from collections.abc import Callable

from bench.durability_cases import TOPIC, Broker, Tally, away, take_all
from bench.raw_mqtt import RawClient
from bench.raw_packets import decode_publish
from iot_button.packets import PUBCOMP, PUBLISH, PUBREC, PUBREL, acknowledgement, publish

_PACKET_ID = 7


def _publisher(broker: Broker) -> RawClient:
    client = RawClient(broker.port)
    client.connect("publisher", clean=False)
    return client


def _send(client: RawClient, *, duplicate: bool = False) -> None:
    name = TOPIC.encode()
    client.send(publish(name, b"0", qos=2, packet_id=_PACKET_ID, duplicate=duplicate))
    client.expect(PUBREC)


def _restart(broker: Broker, client: RawClient) -> None:
    """Kill the broker when it has read all that was sent, and start it again."""
    client.ping()
    broker.kill()
    client.close()
    broker.start()


def after_pubrec(broker: Broker) -> None:
    """Go on with the PUBREL: the PUBREC has come."""
    client = _publisher(broker)
    _send(client)
    _restart(broker, client)
    with _publisher(broker) as client:
        client.release(_PACKET_ID)


def pubrec_unheard(broker: Broker) -> None:
    """Publish again: the PUBREC has not been heard."""
    client = _publisher(broker)
    _send(client)
    _restart(broker, client)
    with _publisher(broker) as client:
        _send(client, duplicate=True)
        client.release(_PACKET_ID)


def pubcomp_unheard(broker: Broker) -> None:
    """Release again: the PUBCOMP has not been heard."""
    client = _publisher(broker)
    _send(client)
    client.release(_PACKET_ID)
    _restart(broker, client)
    with _publisher(broker) as client:
        client.release(_PACKET_ID)


PUBLISHER_STEPS: dict[str, Callable[[Broker], None]] = {
    "its PUBREC has come": after_pubrec,
    "its PUBREC was not heard": pubrec_unheard,
    "its PUBCOMP was not heard": pubcomp_unheard,
}


def publisher_interrupted(broker: Broker, step: Callable[[Broker], None]) -> Tally:
    """Interrupt the publisher's handshake."""
    away(broker, "taker", qos=2)
    step(broker)
    tally = Tally(published=1, acknowledged={0})
    take_all(broker, "taker", tally, qos=2)
    return tally


class Taker:
    """A subscriber at QoS 2 that remembers, over connections, what it has (4.3.3, method B)."""

    def __init__(self) -> None:
        self.arrived: list[bytes] = []
        self.held: set[int] = set()

    def hear(self, client: RawClient) -> bytes:
        """Take one packet in; return the answer that it calls for."""
        first, body = client.next()
        if first & 0xF0 == PUBLISH:
            message = decode_publish(first, body)
            if message.packet_id not in self.held:
                self.held.add(message.packet_id)
                self.arrived.append(message.payload)
            return acknowledgement(PUBREC, message.packet_id)
        if first != PUBREL:
            raise AssertionError(f"a packet that is none of the handshake: {first:#x}")
        packet_id = body[0] << 8 | body[1]
        self.held.discard(packet_id)
        return acknowledgement(PUBCOMP, packet_id)


SUBSCRIBER_STEPS = {
    "it has the message": 1,
    "it has said so": 2,
    "it has said that it is done": 3,
}
"""How far the subscriber comes before the kill: packets that it sends, and one that it hears."""


def subscriber_interrupted(broker: Broker, step: int) -> Tally:
    """Interrupt the subscriber's handshake before the packet of that number that it sends."""
    away(broker, "taker", qos=2)
    with RawClient(broker.port) as sender:
        sender.connect()
        sender.publish(TOPIC, b"0", qos=2)
    taker = Taker()
    client = RawClient(broker.port)
    client.connect("taker", clean=False)
    answer = taker.hear(client)
    if step >= 2:
        client.send(answer)
        answer = taker.hear(client)
    if step >= 3:
        client.send(answer)
    _restart(broker, client)
    with RawClient(broker.port) as client, RawClient(broker.port) as sender:
        client.connect("taker", clean=False)
        sender.connect()
        sender.publish(TOPIC, b"1", qos=2)
        while b"1" not in taker.arrived or taker.held:
            client.send(taker.hear(client))
        client.leave()
    arrived = [int(payload) for payload in taker.arrived]
    return Tally(published=2, acknowledged={0, 1}, arrived=arrived)
