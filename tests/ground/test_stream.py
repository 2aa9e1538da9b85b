"""The runtime's connection: on real brokers, and on one that does what a test says."""

import inspect
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from iot_button import packets
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
    Peer,
)
from tests.ground.mosquitto_child import MosquittoChild
from tests.ground.running import Running
from tests.support import DEADLINE, Listener, Program, eventually, require_program

Publication = tuple[str, bytes]


@pytest.fixture
def fake() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


def address_of(program: Program) -> BrokerAddress:
    return BrokerAddress(host="127.0.0.1", port=program.port("mqtt"))


# paho.


def test_paho_still_keeps_its_socket_under_the_name_that_we_put_ours_in(
    server: MosquittoChild,
) -> None:
    """If this fails after an upgrade: paho has renamed `Client._sock`, which `Stream` replaces."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", server.port)
    assert client._sock is client.socket()  # noqa: SLF001 - likewise
    assert client._sock is not None  # noqa: SLF001 - likewise
    source = inspect.getsource(paho.Client.reconnect)
    assert source.index("_call_socket_open") < source.index("_send_connect")
    client.disconnect()
    client.loop_misc()


# On real brokers.


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000, 1_000_000])
def test_messages_of_any_size_go_out_and_come_back(broker: Program, topic: str, size: int) -> None:
    with Running(address_of(broker), topic) as running:
        running.wait_ready()
        running.publish(topic, b"x" * size)
        (message,) = running.until_messages(1)
        assert (message.topic, message.payload) == (topic, b"x" * size)
        running.until("acknowledged")
        assert running.stream.outstanding == 0


def test_quality_0_goes_out_too(broker: Program, topic: str) -> None:
    with Running(address_of(broker), topic) as running:
        running.wait_ready()
        running.publish(topic, b"zero", qos=0)
        (message,) = running.until_messages(1)
        assert message.payload == b"zero"
        assert running.events == ["acknowledged"]


def test_a_thousand_messages_come_in_order(broker: Program, topic: str) -> None:
    with Running(address_of(broker), topic) as running:
        running.wait_ready()
        for number in range(1_000):
            running.publish(topic, b"%d" % number)
        messages = running.until_messages(1_000)
        assert [int(message.payload) for message in messages] == list(range(1_000))
        eventually(lambda: running.stream.outstanding == 0, what="all are acknowledged")


def test_it_comes_back_when_the_broker_does_and_sends_what_was_published_meanwhile(
    server: MosquittoChild, topic: str
) -> None:
    with Running(server.address, topic) as running:
        running.wait_ready()
        server.wait_saved(topic)  # otherwise it is sent before we are subscribed again
        server.kill()
        eventually(lambda: not running.stream.is_ready, what="it is lost")
        running.publish(topic, b"meanwhile")
        server.start()
        (message,) = running.until_messages(1)
        assert message.payload == b"meanwhile"
        running.until("acknowledged")
        assert running.changes == [True, False, True]


def test_what_was_not_acknowledged_comes_again_and_an_old_delivery_is_not_acknowledged(
    server: MosquittoChild, topic: str
) -> None:
    with Running(server.address, topic) as running, Listener(server.port) as other:
        running.wait_ready()
        running.does_acknowledge = False
        other.publish(topic, b"one")
        running.until_messages(1)
        running.call(lambda: running.stream.reconnect("a test wants it"))
        first, second = running.until_messages(2)
        assert second.duplicate
        assert second.delivery.connection_number != first.delivery.connection_number
        running.call(lambda: running.stream.acknowledge(first.delivery))
        running.call(lambda: running.stream.reconnect("a test wants it"))
        third = running.until_messages(3)[2]
        assert third.payload == b"one"
        running.call(lambda: running.stream.acknowledge(third.delivery))
        running.call(lambda: running.stream.reconnect("a test wants it"))
        running.wait_ready()
        other.publish(topic, b"two")
        assert running.until_messages(4)[3].payload == b"two"


def test_a_broker_that_refuses_the_account_is_named_as_the_problem(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    program = require_program("mosquitto_passwd", "mosquitto")
    subprocess.run(
        [program, "-b", "-c", str(passwords), "me", "right"], check=True, timeout=DEADLINE
    )
    passwords.chmod(0o644)
    server = MosquittoChild(tmp_path, f"password_file {passwords}", anonymous=False)
    server.start()
    try:
        address = BrokerAddress(host="127.0.0.1", port=server.port, username="me", password="wrong")
        with Running(address) as running:
            eventually(lambda: "refuses us" in running.stream.problem, what="it is refused")
            assert not running.stream.is_ready
        right = BrokerAddress(host="127.0.0.1", port=server.port, username="me", password="right")
        with Running(right) as running:
            running.wait_ready()
    finally:
        server.stop()


def test_it_speaks_tls(tmp_path: Path, topic: str) -> None:
    openssl = require_program("openssl", "openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
        timeout=DEADLINE,
    )
    server = MosquittoChild(tmp_path, f"certfile {certificate}", f"keyfile {key}")
    server.start()
    try:
        address = BrokerAddress(
            host="127.0.0.1", port=server.port, tls=True, ca_file=str(certificate)
        )
        with Running(address, topic) as running:
            running.wait_ready()
            for size in (0, 10, 300_000, 1_000_000):
                running.publish(topic, b"x" * size)
            messages = running.until_messages(4)
            assert [len(message.payload) for message in messages] == [0, 10, 300_000, 1_000_000]
    finally:
        server.stop()


# Exactly once, on a broker that is cut at each stage.


def ready(fake: FakeBroker, *, session_present: bool = True) -> Peer:
    return fake.accept_ready(session_present=session_present)


def packet_id(body: bytes) -> bytes:
    """Return the packet id of a QoS 2 PUBLISH on the topic `t`."""
    assert body[:3] == b"\x00\x01t"
    return body[3:5]


def test_a_cut_after_publish_sends_it_again_under_the_same_id(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        with ready(fake) as peer:
            running.wait_ready()
            running.publish_once("t", b"once")
            header, body = peer.expect(PUBLISH)
            assert header == 0x34
        with ready(fake) as peer:
            again, same = peer.expect(PUBLISH)
            assert again == 0x34 | packets.DUPLICATE
            assert same == body
            peer.send(bytes([PUBREC, 2]) + packet_id(body))
            assert peer.expect(PUBREL) == (0x62, packet_id(body))
            peer.send(bytes([PUBCOMP, 2]) + packet_id(body))
            running.until("received", "acknowledged")


def test_a_cut_after_pubrec_only_releases_it(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        with ready(fake) as peer:
            running.wait_ready()
            running.publish_once("t", b"once")
            _, body = peer.expect(PUBLISH)
            peer.send(bytes([PUBREC, 2]) + packet_id(body))
            running.until("received")
        with ready(fake) as peer:
            assert peer.expect(PUBREL) == (0x62, packet_id(body))
            peer.send(bytes([PUBCOMP, 2]) + packet_id(body))
            running.until("received", "acknowledged")


def test_a_cut_after_pubrel_releases_it_again(fake: FakeBroker) -> None:
    with Running(fake.address) as running:
        with ready(fake) as peer:
            running.wait_ready()
            running.publish_once("t", b"once")
            _, body = peer.expect(PUBLISH)
            peer.send(bytes([PUBREC, 2]) + packet_id(body))
            peer.expect(PUBREL)
        with ready(fake) as peer:
            assert peer.expect(PUBREL) == (0x62, packet_id(body))
            peer.send(bytes([PUBCOMP, 2]) + packet_id(body))
            running.until("received", "acknowledged")
            assert running.stream.outstanding == 0


def test_a_repeated_pubrec_is_answered_and_told_once(fake: FakeBroker) -> None:
    with Running(fake.address) as running, ready(fake) as peer:
        running.wait_ready()
        running.publish_once("t", b"once")
        _, body = peer.expect(PUBLISH)
        for _ in range(2):
            peer.send(bytes([PUBREC, 2]) + packet_id(body))
            assert peer.expect(PUBREL)[1] == packet_id(body)
        peer.send((bytes([PUBCOMP, 2]) + packet_id(body)) * 2)
        running.until("received", "acknowledged")


def test_a_message_of_the_process_before_is_sent_again_or_only_released(fake: FakeBroker) -> None:
    running = Running(fake.address)
    running.resume("t", b"sent", packet_id=7, is_released=False)
    running.resume("t", b"released", packet_id=9, is_released=True)
    with running, ready(fake) as peer:
        header, body = peer.expect(PUBLISH)
        assert (header, packet_id(body)) == (0x34 | packets.DUPLICATE, b"\x00\x07")
        assert peer.expect(PUBREL) == (0x62, b"\x00\x09")
        running.call(lambda: running.events.append(str(running.stream.next_packet_id())))
        assert running.events == ["1"]


def test_a_broker_that_has_forgotten_us_gets_it_from_the_start(fake: FakeBroker) -> None:
    running = Running(fake.address)
    running.resume("t", b"released", packet_id=9, is_released=True)
    with running, ready(fake, session_present=False) as peer:
        header, body = peer.expect(PUBLISH)
        assert (header, packet_id(body), body[5:]) == (0x34, b"\x00\x09", b"released")


def test_packet_ids_in_use_are_not_given_again(fake: FakeBroker) -> None:
    running = Running(fake.address)
    for number in (1, 2, 4):
        running.resume("t", b"", packet_id=number, is_released=False)
    assert [running.stream.next_packet_id() for _ in range(3)] == [3, 5, 6]
    with running, ready(fake):
        running.wait_ready()


# On a broker that behaves badly.


def test_a_broker_that_says_nothing_is_left_and_tried_again(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_button.mqtt.stream._CONNACK_TIMEOUT", 0.2)
    with Running(fake.address) as running:
        with fake.accept():
            eventually(lambda: "says nothing" in running.stream.problem, what="it is named")
        with ready(fake):
            running.wait_ready()


@pytest.mark.parametrize("answer", [b"", b"\x90\x03\x00\x01\x80"], ids=["none", "refused"])
def test_a_broker_that_does_not_subscribe_us_is_left_and_tried_again(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr("iot_button.mqtt.stream._CONNACK_TIMEOUT", 0.3)
    monkeypatch.setattr("iot_button.mqtt.stream._CHECK_EVERY", 0.05)
    with Running(fake.address, "t") as running, fake.accept() as peer:
        peer.expect(CONNECT)
        peer.send(bytes([CONNACK, 2, 0, 0]) + answer)
        with ready(fake) as again:
            again.pump()
            running.wait_ready()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x40\x00",
        b"\x32\x00",
        b"\x30\x04\x00\x02\xff\xfe",
        b"\x30\xff\xff\xff\xff\x7f",
        b"\x20\x00",  # a CONNACK without its flags
        b"\x90\x00",  # a SUBACK without a packet id
        b"\x90\x02\x00\x01",
        b"\xb0\x01\x00",
        b"\x00\x00",
        b"\xf0\x00",
        b"\x20\x02\x00\x05",
    ],
)
def test_malformed_packets_do_not_end_it(fake: FakeBroker, rubbish: bytes) -> None:
    with Running(fake.address, "t") as running:
        with ready(fake) as peer:
            peer.pump()
            running.wait_ready()
            peer.send(rubbish)
            running.publish("t", b"after")
        with ready(fake) as peer:
            peer.pump()
            running.wait_ready()
            peer.send(packets.publish(b"t", b"hello", qos=1, packet_id=5))
            assert running.until_messages(1)[0].payload == b"hello"


def test_acknowledgements_of_what_was_never_sent_do_nothing(fake: FakeBroker) -> None:
    with Running(fake.address) as running, ready(fake) as peer:
        running.wait_ready()
        peer.send(b"\x40\x02\x00\x09" + b"\x70\x02\x00\x09")
        running.publish("t", b"one")
        _, body = peer.expect(PUBLISH)
        peer.send(bytes([PUBCOMP, 2]) + packet_id(body))
        peer.send(bytes([PUBACK, 2]) + packet_id(body))
        running.until("acknowledged")


def test_an_error_of_who_takes_a_message_leaves_it_unacknowledged_and_goes_on(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running(fake.address, "t") as running, ready(fake) as peer:
        peer.pump()
        running.wait_ready()
        good = running.stream.acknowledge

        def acknowledge(delivery: Any) -> None:
            if delivery.packet_id == 1:
                raise RuntimeError("an error of a test")
            good(delivery)

        monkeypatch.setattr(running.stream, "acknowledge", acknowledge)
        for number in (1, 2):
            peer.send(packets.publish(b"t", b"", qos=1, packet_id=number))
        assert peer.expect(PUBACK)[1] == b"\x00\x02"
