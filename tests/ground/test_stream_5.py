"""The runtime's connection with brokers of MQTT 5, and with those that turn out not to be."""

from collections.abc import Iterator

import msgspec
import pytest

from iot_button.properties import encoded, user_property
from iot_button.settings import BrokerAddress
from tests.ground.fake_broker import (
    CONNACK,
    CONNECT,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    FakeBroker,
)
from tests.ground.mosquitto_child import MosquittoChild
from tests.ground.running import Running
from tests.support import Program, eventually

PROPERTIES = encoded([("traceparent", "00-1-2-01"), ("other", "Ünicode")])
NOT_AUTHORIZED, QUOTA_EXCEEDED = 0x87, 0x97


def of_5(address: BrokerAddress) -> BrokerAddress:
    return msgspec.structs.replace(address, may_speak_5=True)


@pytest.fixture
def fake() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        broker.address = of_5(broker.address)
        yield broker


def published(body: bytes) -> tuple[bytes, bytes]:
    """Return packet id and payload of a message on the topic `t` that has no properties."""
    assert body[:3] == b"\x00\x01t"
    assert body[5] == 0
    return body[3:5], body[6:]


# With mosquitto, and with our own.


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_user_properties_go_out_and_come_back(server: MosquittoChild, topic: str, qos: int) -> None:
    with Running(of_5(server.address), topic) as running:
        running.wait_ready()
        assert running.stream.speaks_5
        if qos == 2:
            running.publish_once(topic, b"x", properties=PROPERTIES)
        else:
            running.publish(topic, b"x", qos=qos, properties=PROPERTIES)
        (message,) = running.until_messages(1)
    assert message.payload == b"x"
    assert user_property(message.properties, "traceparent") == "00-1-2-01"
    assert user_property(message.properties, "other") == "Ünicode"


def test_a_thousand_messages_come_in_order_though_the_broker_takes_twenty_at_a_time(
    server: MosquittoChild, topic: str
) -> None:
    with Running(of_5(server.address), topic) as running:
        running.wait_ready()
        for number in range(1000):
            if number % 2:
                running.publish(topic, b"%d" % number)
            else:
                running.publish_once(topic, b"%d" % number)
        messages = running.until_messages(1000)
        eventually(lambda: running.stream.outstanding == 0, what="all is acknowledged")
    odd = [message.payload for message in messages if int(message.payload) % 2]
    even = [message.payload for message in messages if not int(message.payload) % 2]
    assert odd == [b"%d" % number for number in range(1, 1000, 2)]
    assert even == [b"%d" % number for number in range(0, 1000, 2)]


def test_a_session_is_kept_while_we_are_away(server: MosquittoChild, topic: str) -> None:
    with Running(of_5(server.address), topic) as running:
        running.wait_ready()
    with Running(server.address, client_id="other") as other:
        other.wait_ready()
        other.publish(topic, b"meanwhile")
        other.until("acknowledged")
    with Running(of_5(server.address), topic) as running:
        (message,) = running.until_messages(1)
    assert message.payload == b"meanwhile"


def test_mosquitto_is_spoken_to_in_5_and_our_own_broker_in_its_version(
    broker: Program, topic: str
) -> None:
    address = BrokerAddress(host="127.0.0.1", port=broker.port("mqtt"), may_speak_5=True)
    with Running(address, topic) as running:
        running.wait_ready()
        assert running.stream.speaks_5 is ("mosquitto" in broker.arguments)
        running.publish(topic, b"x", properties=PROPERTIES)
        (message,) = running.until_messages(1)
        assert message.payload == b"x"
        assert bool(message.properties) is running.stream.speaks_5


# With one that does what a test says.


def test_a_broker_that_hangs_up_each_time_is_tried_in_the_other_version(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        for version in (5, 5, 4, 4, 5):
            with fake.accept() as peer:
                assert peer.expect(CONNECT)[1][6] == version
        with fake.accept_5():
            running.wait_ready()
        with fake.accept_5() as peer:  # it was answered: a lost connection is no other version
            eventually(lambda: running.changes == [True, False, True], what="back again")


def test_a_broker_that_takes_5_for_its_own_version_is_spoken_to_in_that(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        for version in (5, 5):
            with fake.accept() as peer:
                assert peer.expect(CONNECT)[1][6] == version
                peer.send(bytes([CONNACK, 2, 0, 0]))  # without properties: this is 3.1.1's
                eventually(lambda: "protocol" in running.stream.problem, what="the problem")
        with fake.accept_ready():
            running.wait_ready()
            assert not running.stream.speaks_5


def test_no_more_are_on_their_way_than_the_broker_takes(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        with fake.accept_5(b"\x21\x00\x02") as peer:  # Receive Maximum 2
            running.wait_ready()
            for payload in (b"0", b"1", b"2", b"3"):
                running.publish("t", payload)
            first, _ = published(peer.expect(PUBLISH)[1])
            assert published(peer.expect(PUBLISH)[1])[1] == b"1"
            running.publish("t", b"not counted", qos=0)
            assert peer.expect(PUBLISH)[1].endswith(b"not counted")
            peer.send(bytes([PUBACK, 2]) + first)
            assert published(peer.expect(PUBLISH)[1])[1] == b"2"
        with fake.accept_5(b"\x21\x00\x02", session_present=True) as peer:
            sent = []
            for _ in range(3):  # all that is not acknowledged, in order, and no more than 2 of it
                packet_id, payload = published(peer.expect(PUBLISH)[1])
                sent.append(payload)
                peer.send(bytes([PUBACK, 2]) + packet_id)
            assert sent == [b"1", b"2", b"3"]
            running.until(*["acknowledged"] * 5)


def test_an_acknowledgement_does_not_overtake_what_was_published_before_it(
    fake: FakeBroker,
) -> None:
    with Running(fake.address) as running, fake.accept_5(b"\x21\x00\x01") as peer:
        running.does_acknowledge = False
        running.wait_ready()
        peer.send(b"\x32\x06\x00\x01c\x00\x01\x00" + b"\x32\x06\x00\x01c\x00\x02\x00")
        came = running.until_messages(2)
        for message, payload in zip(came, (b"A", b"B"), strict=True):
            running.publish("t", payload)
            running.call(lambda message=message: running.stream.acknowledge(message.delivery))  # type: ignore[misc]
        packet_id, payload = published(peer.expect(PUBLISH)[1])
        assert (payload, peer.expect(PUBACK)[1]) == (b"A", b"\x00\x01")
        peer.send(bytes([PUBACK, 2]) + packet_id)
        assert published(peer.expect(PUBLISH)[1])[1] == b"B"
        assert peer.expect(PUBACK)[1] == b"\x00\x02"


def test_a_message_that_the_broker_will_never_take_is_told_and_done(
    fake: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with Running(fake.address) as running, fake.accept_5() as peer:
        running.wait_ready()
        running.publish("t", b"forbidden")
        packet_id, _ = published(peer.expect(PUBLISH)[1])
        peer.send(bytes([PUBACK, 4]) + packet_id + bytes([NOT_AUTHORIZED, 0]))
        running.until("acknowledged")
        running.publish_once("t", b"forbidden")
        packet_id, _ = published(peer.expect(PUBLISH)[1])
        peer.send(bytes([PUBREC, 3]) + packet_id + bytes([NOT_AUTHORIZED]))
        running.until("acknowledged", "received", "acknowledged")
        assert running.stream.outstanding == 0
    assert "does not take a message on 't' (not authorized); it is lost" in caplog.text


def test_a_message_that_the_broker_may_take_later_is_sent_again(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_button.mqtt.stream._CHECK_EVERY", 0.05)
    with Running(fake.address, keep_alive=0) as running, fake.accept_5() as peer:
        running.wait_ready()
        running.publish_once("t", b"later")
        packet_id, _ = published(peer.expect(PUBLISH)[1])
        peer.send(bytes([PUBREC, 3]) + packet_id + bytes([QUOTA_EXCEEDED]))
        again, payload = published(peer.expect(PUBLISH)[1])
        assert (again, payload) == (packet_id, b"later")
        peer.send(bytes([PUBREC, 2]) + again)
        assert peer.expect(PUBREL)[1] == again
        peer.send(bytes([PUBCOMP, 2]) + again)
        running.until("received", "acknowledged")


def test_a_message_that_is_longer_than_the_broker_takes_is_not_sent(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_button.mqtt.stream._CHECK_EVERY", 0.05)
    size_64 = b"\x27\x00\x00\x00\x40"
    with Running(fake.address, keep_alive=0) as running, fake.accept_5(size_64) as peer:
        running.wait_ready()
        running.publish("t", bytes(64))
        running.until("acknowledged")
        running.publish("t", b"short")
        assert published(peer.expect(PUBLISH)[1])[1] == b"short"


def test_the_broker_may_insist_on_a_shorter_keep_alive(fake: FakeBroker) -> None:
    server_keep_alive_1 = b"\x13\x00\x01"
    with (
        Running(fake.address, keep_alive=60) as running,
        fake.accept_5(server_keep_alive_1) as peer,
    ):
        running.wait_ready()
        peer.expect_ping()
        peer.expect_ping()


def test_what_the_broker_says_last_is_the_problem(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        with fake.accept_5() as peer:
            running.wait_ready()
            peer.send(b"\xe0\x02\x8e\x00")
            eventually(lambda: running.changes == [True, False], what="the end")
            assert running.stream.problem == "it says: Session taken over"
        with fake.accept_5():
            running.wait_ready()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x32\x05\x00\x01t\x00\x09",  # no properties at all
        b"\x32\x07\x00\x01t\x00\x09\x05a",  # longer than the packet
        b"\x32\x0a\x00\x01t\x00\x09\x80\x80\x80\x80\x00",  # their length is none
    ],
)
def test_properties_that_do_not_fit_end_the_connection_and_nothing_more(
    fake: FakeBroker, rubbish: bytes
) -> None:
    with Running(fake.address) as running:
        with fake.accept_5() as peer:
            running.wait_ready()
            peer.send(rubbish)
            eventually(lambda: running.changes == [True, False], what="the end")
        with fake.accept_5() as peer:
            peer.send(b"\x32\x0a\x00\x01t\x00\x09\x03\x7f\x00\x26x")  # of no known kind
            (message,) = running.until_messages(1)
    assert message.payload == b"x"


def test_a_broker_that_no_longer_speaks_5_gets_what_waits_without_properties(
    fake: FakeBroker,
) -> None:
    with Running(fake.address) as running:
        with fake.accept_5() as peer:
            running.wait_ready()
            running.publish("t", b"x", properties=PROPERTIES)
            assert peer.expect(PUBLISH)[1].endswith(b"x")
        with fake.accept() as peer:
            peer.expect(CONNECT)
            peer.send(bytes([CONNACK, 2, 0, 1]))
        with fake.accept_ready(session_present=True) as peer:
            _, body = peer.expect(PUBLISH)
            assert body[5:] == b"x"
            peer.send(bytes([PUBACK, 2]) + body[3:5])
            running.until("acknowledged")
            assert not running.stream.speaks_5
