import contextlib
import gc
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from iot_button.errors import (
    BrokerUnreachableError,
    IotButtonError,
    SettingError,
    StopTimeoutError,
)
from iot_button.messages import Delivery, Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from tests.ground.mosquitto_child import MosquittoChild
from tests.support import DEADLINE, eventually, free_port, require_program

PACKET_IDS = 65_535


class Inbox:
    """What came, in order; `inbox` itself is the on_message."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def __call__(self, message: Message) -> None:
        self._messages.put(message)

    def next(self) -> Message:
        return self._messages.get(timeout=DEADLINE)

    def payloads(self, count: int) -> list[bytes]:
        return [self.next().payload for _ in range(count)]

    @property
    def is_empty(self) -> bool:
        return self._messages.empty()


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Let threads change places as often as can be: an answer may overtake what waits for it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@contextlib.contextmanager
def held_at_the_end_of(name: str, hold: Callable[[], object]) -> Iterator[None]:
    """Hold this thread where a method of paho's has done its work and its caller waits for it."""

    def on_event(frame: FrameType, event: str, _value: object) -> None:
        code = frame.f_code
        if event == "return" and code.co_name == name and "paho" in code.co_filename:
            hold()

    sys.setprofile(on_event)
    try:
        yield
    finally:
        sys.setprofile(None)


# Ready, and messages as they come


def test_ready_means_subscribed(server: MosquittoChild, topic: str) -> None:
    with Connection(server.address, client_id="publisher") as publisher:
        publisher.wait_ready(DEADLINE)
        for number in range(30):
            inbox = Inbox()
            subscriber = Connection(server.address, client_id=f"s{number}", on_message=inbox)
            subscriber.subscribe(topic)
            with subscriber:
                subscriber.wait_ready(DEADLINE)
                assert subscriber.is_ready
                publisher.publish(topic, str(number).encode())
                assert inbox.next().payload == str(number).encode()


def test_without_a_subscription_ready_means_connected(server: MosquittoChild) -> None:
    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        assert connection.is_ready
    assert not connection.is_ready


def test_an_answer_that_is_quicker_than_subscribe_counts_too(server: MosquittoChild) -> None:
    changes: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def while_the_suback_comes() -> None:
        with contextlib.suppress(queue.Empty):
            changes.get(timeout=0.3)

    with Connection(server.address, client_id="c", on_change=changes.put) as connection:
        connection.wait_ready(DEADLINE)
        changes.get(timeout=DEADLINE)
        with held_at_the_end_of("subscribe", while_the_suback_comes):
            connection.subscribe("a")
        connection.wait_ready(DEADLINE)
        connection.subscribe("b")
        connection.wait_ready(DEADLINE)


@pytest.mark.usefixtures("restless_threads")
def test_subscribing_while_connected_is_ready_again_each_time(
    server: MosquittoChild, topic: str
) -> None:
    inbox = Inbox()
    with Connection(server.address, client_id="c", on_message=inbox) as connection:
        connection.wait_ready(DEADLINE)
        for number in range(100):
            connection.subscribe(f"{topic}/{number}")
            connection.wait_ready(DEADLINE)
            connection.publish(f"{topic}/{number}", b"%d" % number)
        assert inbox.payloads(100) == [b"%d" % number for number in range(100)]


def test_a_message_says_how_it_came(server: MosquittoChild, topic: str) -> None:
    server.publish(f"{topic}/kept", "old", retain=True)
    inbox = Inbox()
    with Connection(server.address, client_id="c", on_message=inbox) as connection:
        connection.subscribe(f"{topic}/+")
        connection.wait_ready(DEADLINE)
        old = inbox.next()
        assert (old.topic, old.payload, old.retained) == (f"{topic}/kept", b"old", True)
        server.publish(f"{topic}/ä", "", qos=0)
        new = inbox.next()
        assert (new.topic, new.payload, new.qos, new.retained) == (f"{topic}/ä", b"", 0, False)
        assert not new.duplicate
        assert type(new.payload) is bytes  # hashable, and nobody changes it later


def test_nagles_algorithm_is_off(server: MosquittoChild) -> None:
    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        options = []
        for name in open_descriptors():
            try:
                ours = socket.socket(fileno=os.dup(int(name)))
            except OSError:
                continue
            with ours:
                if ours.family == socket.AF_INET and ours.getpeername()[1] == server.port:
                    options.append(ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        assert options == [1]


def test_an_error_in_on_message_is_logged_and_the_connection_lives_on(
    server: MosquittoChild, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()

    def fail_once(message: Message) -> None:
        inbox(message)
        if message.payload == b"bad":
            raise ValueError("of this test")

    with Connection(server.address, client_id="c", on_message=fail_once) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
        connection.publish(topic, b"bad")
        connection.publish(topic, b"good")
        assert inbox.payloads(2) == [b"bad", b"good"]
        connection.drain(DEADLINE)
        assert connection.is_ready
    assert "of this test" in caplog.text


def test_a_callback_may_publish(server: MosquittoChild, topic: str) -> None:
    inbox = Inbox()
    chained = threading.Event()

    def answer(message: Message) -> None:
        inbox(message)
        if message.topic == topic:
            connection.publish(f"{topic}/answer", message.payload, on_acknowledged=publish_more)

    def publish_more() -> None:
        connection.publish(f"{topic}/more", b"more", on_acknowledged=chained.set)

    connection = Connection(server.address, client_id="c", on_message=answer)
    connection.subscribe(f"{topic}/#")
    with connection:
        connection.wait_ready(DEADLINE)
        server.publish(topic, "question")
        assert inbox.payloads(3) == [b"question", b"question", b"more"]
        assert chained.wait(DEADLINE)


def test_ready_waits_for_the_answer_to_every_subscription() -> None:
    broker = ScriptedBroker()
    changes: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with (
        Connection(broker.address, client_id="c", on_change=changes.put) as connection,
        broker.accept() as server,
    ):
        read_packet(server)
        server.sendall(CONNACK)
        assert changes.get(timeout=DEADLINE)
        answers = []
        for topic_filter in ("a", "b"):
            connection.subscribe(topic_filter)
            answers.append(b"\x90\x03" + read_packet(server)[1][:2] + b"\x01")
        server.sendall(answers[0] + PUBLISH_QOS_1)
        assert read_packet(server)[0] == PUBACK  # so the first answer has been read, too
        assert not connection.is_ready
        server.sendall(answers[1])
        connection.wait_ready(DEADLINE)
    broker.close()


# Publishing


def test_an_acknowledgement_that_is_quicker_than_publish_counts_too(
    server: MosquittoChild, topic: str
) -> None:
    inbox = Inbox()
    acknowledged = []

    def until_the_puback_has_come() -> None:
        server.publish(topic, "behind it")
        inbox.next()

    with Connection(server.address, client_id="c", on_message=inbox) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
        with held_at_the_end_of("publish", until_the_puback_has_come):
            connection.publish("elsewhere", b"", on_acknowledged=lambda: acknowledged.append(1))
        assert acknowledged == [1]
        connection.drain(DEADLINE)


@pytest.mark.usefixtures("restless_threads")
def test_each_publish_is_acknowledged_exactly_once(server: MosquittoChild, topic: str) -> None:
    acknowledged: Counter[int] = Counter()

    def count(number: int) -> Callable[[], None]:
        return lambda: acknowledged.update([number])

    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        for number in range(500):
            connection.publish(topic, b"x", on_acknowledged=count(number))
        eventually(lambda: len(acknowledged) == 500, what="all acknowledged")
        connection.drain(DEADLINE)
        assert connection.outstanding == 0
    assert set(acknowledged.values()) == {1}


@pytest.mark.usefixtures("restless_threads")
def test_many_threads_publish_at_once_and_each_is_acknowledged_exactly_once(
    server: MosquittoChild, topic: str
) -> None:
    threads, each = 8, 300
    lock = threading.Lock()
    acknowledged: Counter[tuple[int, int]] = Counter()
    inbox = Inbox()

    def acknowledge(key: tuple[int, int]) -> None:
        with lock:
            acknowledged[key] += 1

    def publish(thread: int) -> None:
        for number in range(each):
            key = (thread, number)
            connection.publish(topic, b"%d %d" % key, on_acknowledged=partial(acknowledge, key))

    with (
        Connection(server.address, client_id="s", on_message=inbox) as subscriber,
        Connection(server.address, client_id="p") as connection,
    ):
        subscriber.subscribe(topic)
        subscriber.wait_ready(DEADLINE)
        connection.wait_ready(DEADLINE)
        publishers = [threading.Thread(target=publish, args=(n,)) for n in range(threads)]
        for publisher in publishers:
            publisher.start()
        for publisher in publishers:
            publisher.join(DEADLINE)
        connection.drain(DEADLINE)
        eventually(lambda: len(acknowledged) == threads * each, what="all are acknowledged")
        came = inbox.payloads(threads * each)
    assert set(acknowledged.values()) == {1}
    for thread in range(threads):
        mine = [payload for payload in came if payload.split()[0] == b"%d" % thread]
        assert mine == [b"%d %d" % (thread, number) for number in range(each)]


def test_an_error_in_on_acknowledged_is_logged_and_the_next_is_called(
    server: MosquittoChild, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("of this test")

    called = threading.Event()
    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        connection.publish(topic, b"1", on_acknowledged=fail)
        connection.publish(topic, b"2", on_acknowledged=called.set)
        assert called.wait(DEADLINE)
    assert "of this test" in caplog.text


def test_what_is_published_while_the_broker_is_away_comes_in_order_when_it_is_back(
    server: MosquittoChild, topic: str
) -> None:
    inbox = Inbox()
    expected = [b"%d" % number for number in range(200)]
    with (
        Connection(server.address, client_id="p") as publisher,
        Connection(
            server.address, client_id="s", session=Session.KEPT, on_message=inbox
        ) as subscriber,
    ):
        subscriber.subscribe(topic)
        subscriber.wait_ready(DEADLINE)
        publisher.wait_ready(DEADLINE)
        server.stop()
        eventually(lambda: not publisher.is_ready, what="the loss is noticed")
        for payload in expected:
            publisher.publish(topic, payload)
        assert publisher.outstanding == 200
        server.start()
        publisher.drain(DEADLINE)
        assert inbox.payloads(200) == expected


def test_drain_waits_for_the_callbacks_and_for_what_they_publish(
    server: MosquittoChild, topic: str
) -> None:
    done = threading.Event()
    drained_before = []

    def publish_more() -> None:
        # Gives a drain that does not wait for us the time to return.
        drained_before.append(drained.wait(0.1))
        connection.publish(topic, b"2", on_acknowledged=done.set)

    drained = threading.Event()
    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        connection.publish(topic, b"1", on_acknowledged=publish_more)
        connection.drain(DEADLINE)
        drained.set()
        assert done.is_set()
    assert drained_before == [False]


def test_drain_says_how_many_were_not_acknowledged_in_time(
    server: MosquittoChild, topic: str
) -> None:
    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        server.freeze()
        for _ in range(3):
            connection.publish(topic, b"x")
        with pytest.raises(StopTimeoutError, match="3 messages"):
            connection.drain(0.05)
        server.thaw()
        connection.drain(DEADLINE)
        assert connection.outstanding == 0


def test_a_message_beyond_the_last_packet_id_is_refused_and_no_other_is_lost() -> None:
    connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="c")
    for _ in range(PACKET_IDS):
        connection.publish("t", b"")
    with pytest.raises(IotButtonError, match=f"{PACKET_IDS} messages wait"):
        connection.publish("t", b"")
    assert connection.outstanding == PACKET_IDS


# Losing the broker


def test_a_connection_comes_back_with_its_subscriptions_after_the_broker_was_killed(
    server: MosquittoChild, topic: str
) -> None:
    inbox = Inbox()
    changes: list[bool] = []
    connection = Connection(
        server.address, client_id="c", on_message=inbox, on_change=changes.append
    )
    connection.subscribe(topic)
    with connection:
        connection.wait_ready(DEADLINE)
        server.kill()
        eventually(lambda: not connection.is_ready, what="the loss is noticed")
        server.start()
        connection.wait_ready(DEADLINE)
        assert changes == [True, False, True]
        server.publish(topic, "again")
        assert inbox.next().payload == b"again"
    assert changes == [True, False, True], "leaving is no loss"


def test_a_connection_begun_before_its_broker_is_ready_once_it_is_there(
    server: MosquittoChild,
) -> None:
    server.stop()
    with Connection(server.address, client_id="c") as connection:
        with pytest.raises(BrokerUnreachableError):
            connection.wait_ready(0.1)
        server.start()
        connection.wait_ready(DEADLINE)


def test_an_unacknowledged_message_comes_again_marked_as_a_duplicate(
    server: MosquittoChild, topic: str
) -> None:
    inbox = Inbox()
    with Connection(
        server.address,
        client_id="c",
        session=Session.UNTIL_STOP,
        on_message=inbox,
        acknowledge_by_hand=True,
    ) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
        server.publish(topic, "once")
        first = inbox.next()
        assert not first.duplicate

        assert server.take_over("c")
        second = inbox.next()
        assert (second.payload, second.duplicate) == (b"once", True)
        assert second.delivery != first.delivery

        connection.acknowledge(first.delivery)  # the old one: nothing may come of it
        assert server.take_over("c")
        third = inbox.next()
        assert (third.payload, third.duplicate) == (b"once", True)

        connection.acknowledge(third.delivery)
        connection.publish(topic, b"behind the acknowledgement")
        connection.acknowledge(inbox.next().delivery)
        connection.publish(topic, b"behind that one")
        inbox.next()
        assert server.take_over("c")
        assert inbox.next().payload == b"behind that one"
        assert inbox.is_empty


class ScriptedBroker:
    """A listener that speaks MQTT byte by byte as a test says: no real broker stops half-way."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE)
        self.address = BrokerAddress(host="127.0.0.1", port=self._listener.getsockname()[1])

    def accept(self) -> socket.socket:
        connection = self._listener.accept()[0]
        connection.settimeout(DEADLINE)
        return connection

    def close(self) -> None:
        self._listener.close()


def read_packet(connection: socket.socket) -> tuple[int, bytes]:
    kind, length = connection.recv(2, socket.MSG_WAITALL)
    return kind, connection.recv(length, socket.MSG_WAITALL) if length else b""


CONNACK = b"\x20\x02\x00\x00"
PUBLISH_QOS_1 = b"\x32\x06\x00\x01t\x00\x01x"
PINGREQ = 0xC0
PUBACK = 0x40


def test_an_old_delivery_is_not_acknowledged_while_the_next_connection_is_being_made() -> None:
    broker = ScriptedBroker()
    inbox = Inbox()
    with Connection(
        broker.address,
        client_id="c",
        session=Session.KEPT,
        on_message=inbox,
        acknowledge_by_hand=True,
    ) as connection:
        with broker.accept() as first:
            read_packet(first)
            first.sendall(CONNACK + PUBLISH_QOS_1)
            old = inbox.next().delivery
        with broker.accept() as second:
            assert read_packet(second)[0] == 0x10  # CONNECT; its CONNACK is not sent yet
            connection.acknowledge(old)
            second.sendall(CONNACK + PUBLISH_QOS_1)
            new = inbox.next().delivery
            assert new.packet_id == old.packet_id
            connection.publish("behind", b"")
            assert read_packet(second)[0] == 0x32, "an acknowledgement came before the publish"
            connection.acknowledge(new)
            assert read_packet(second) == (PUBACK, b"\x00\x01")
    broker.close()


def test_a_message_of_qos_0_may_be_acknowledged_too(server: MosquittoChild, topic: str) -> None:
    inbox = Inbox()
    changes: list[bool] = []
    with Connection(
        server.address,
        client_id="c",
        on_message=inbox,
        on_change=changes.append,
        acknowledge_by_hand=True,
    ) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
        for _ in range(2):
            server.publish(topic, "x", qos=0)
            connection.acknowledge(inbox.next().delivery)
            connection.publish(f"{topic}/behind", b"")
            connection.drain(DEADLINE)
        assert all(changes), "the broker hung up"


def test_an_acknowledgement_after_the_end_does_nothing(server: MosquittoChild) -> None:
    with Connection(server.address, client_id="c", acknowledge_by_hand=True) as connection:
        connection.wait_ready(DEADLINE)
    connection.acknowledge(Delivery(1, 1))
    assert not connection.is_ready


# Sessions


@pytest.mark.parametrize(
    ("session", "during", "after"),
    [
        (Session.CLEAN, False, False),
        (Session.UNTIL_STOP, True, False),
        (Session.KEPT, True, True),
    ],
)
def test_a_session_lasts_as_long_as_it_says(
    server: MosquittoChild, topic: str, session: Session, *, during: bool, after: bool
) -> None:
    with Connection(server.address, client_id="c", session=session) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
        assert server.take_over("c") is during
        eventually(lambda: not connection.is_ready, what="the loss is noticed")
        connection.wait_ready(DEADLINE)
    assert server.take_over("c") is after


def test_a_kept_session_gets_what_was_sent_while_it_was_away(
    server: MosquittoChild, topic: str
) -> None:
    with Connection(server.address, client_id="c", session=Session.KEPT) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
    server.publish(topic, "while away")
    inbox = Inbox()
    with Connection(server.address, client_id="c", session=Session.KEPT, on_message=inbox):
        assert inbox.next().payload == b"while away"


# What cannot be reached


def test_a_closed_port_is_an_error_with_the_address_and_the_reason() -> None:
    address = BrokerAddress(host="127.0.0.1", port=free_port(), username="u", password="secret")
    with (
        Connection(address, client_id="c") as connection,
        pytest.raises(BrokerUnreachableError, match="Connection refused") as caught,
    ):
        connection.wait_ready(0.5)
    assert caught.value.address == f"mqtt://127.0.0.1:{address.port}"
    assert "secret" not in str(caught.value)


@pytest.fixture
def guarded_server(tmp_path: Path) -> Iterator[MosquittoChild]:
    """A mosquitto with one account, user:right."""
    program = require_program("mosquitto_passwd", "mosquitto")
    passwords = tmp_path / "passwords"
    subprocess.run([program, "-b", "-c", str(passwords), "user", "right"], check=True)
    child = MosquittoChild(tmp_path, f"password_file {passwords}", anonymous=False)
    child.start()
    yield child
    child.stop()


@pytest.mark.parametrize(("username", "password"), [("user", "wrong"), ("x", "y"), (None, None)])
def test_a_refused_account_is_an_error_that_says_so(
    guarded_server: MosquittoChild, username: str | None, password: str | None
) -> None:
    address = BrokerAddress(
        host="127.0.0.1", port=guarded_server.port, username=username, password=password
    )
    with (
        Connection(address, client_id="c") as connection,
        pytest.raises(BrokerUnreachableError, match="refuses us: Not authorized"),
    ):
        connection.wait_ready(0.5)


def test_an_account_lets_us_in_and_its_session_is_deleted_at_the_end(
    guarded_server: MosquittoChild,
) -> None:
    address = BrokerAddress(
        host="127.0.0.1", port=guarded_server.port, username="user", password="right"
    )
    inbox = Inbox()
    with Connection(
        address, client_id="c", session=Session.UNTIL_STOP, on_message=inbox
    ) as connection:
        connection.subscribe("open/x")
        connection.wait_ready(DEADLINE)
        connection.publish("open/x", b"in")
        assert inbox.next().payload == b"in"
    with Connection(
        address, client_id="c", session=Session.UNTIL_STOP, on_message=inbox
    ) as connection:
        connection.wait_ready(DEADLINE)
        connection.publish("open/x", b"without a subscription")
        connection.drain(DEADLINE)
    assert inbox.is_empty


def test_a_refused_subscription_is_an_error_that_names_it() -> None:
    broker = ScriptedBroker()  # mosquitto's access file lets everyone subscribe to everything
    connection = Connection(broker.address, client_id="c")
    connection.subscribe("open/x")
    connection.subscribe("closed/x")
    with connection, broker.accept() as server:
        read_packet(server)
        server.sendall(CONNACK)
        packet_id = read_packet(server)[1][:2]
        server.sendall(b"\x90\x04" + packet_id + b"\x01\x80")
        with pytest.raises(BrokerUnreachableError, match=r"refuses a subscription.*closed/x"):
            connection.wait_ready(0.5)
        assert not connection.is_ready
    broker.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own CA; its key lies beside it."""
    path = tmp_path / "server.crt"
    subprocess.run(
        [
            *(require_program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path.with_suffix(".key")), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture
def tls_server(tmp_path: Path, certificate: Path) -> Iterator[MosquittoChild]:
    extra = (f"certfile {certificate}", f"keyfile {certificate.with_suffix('.key')}")
    child = MosquittoChild(tmp_path, *extra)
    child.start()
    yield child
    child.stop()


def test_over_tls_a_broker_of_our_ca_is_reached(
    tls_server: MosquittoChild, certificate: Path, topic: str
) -> None:
    address = BrokerAddress(
        host="127.0.0.1", port=tls_server.port, tls=True, ca_file=str(certificate)
    )
    inbox = Inbox()
    with Connection(
        address, client_id="c", session=Session.UNTIL_STOP, on_message=inbox
    ) as connection:
        connection.subscribe(topic)
        connection.wait_ready(DEADLINE)
        connection.publish(topic, b"secret")
        assert inbox.next().payload == b"secret"


def test_over_tls_a_broker_of_another_ca_is_an_error_that_says_so(
    tls_server: MosquittoChild,
) -> None:
    address = BrokerAddress(host="127.0.0.1", port=tls_server.port, tls=True)
    with (
        Connection(address, client_id="c") as connection,
        pytest.raises(BrokerUnreachableError, match=r"(?i)certificate"),
    ):
        connection.wait_ready(0.5)


def test_tls_to_a_broker_without_it_is_an_error_with_a_reason(server: MosquittoChild) -> None:
    address = BrokerAddress(host="127.0.0.1", port=server.port, tls=True)
    with Connection(address, client_id="c") as connection:
        with pytest.raises(BrokerUnreachableError) as caught:
            connection.wait_ready(0.5)
        assert caught.value.reason not in ("", "no answer")


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_ca_file_that_cannot_be_read_is_an_error_that_names_it(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    address = BrokerAddress(host="127.0.0.1", port=1, tls=True, ca_file=str(path))
    with pytest.raises(SettingError) as caught:
        Connection(address, client_id="c")
    assert caught.value.key == "broker.ca_file"
    assert str(path) in caught.value.problem


# The end


def test_leaving_while_the_broker_is_away_takes_no_time(server: MosquittoChild) -> None:
    with Connection(server.address, client_id="c", session=Session.UNTIL_STOP) as connection:
        connection.wait_ready(DEADLINE)
        server.kill()
        eventually(lambda: not connection.is_ready, what="the loss is noticed")
        connection.publish("t", b"never sent")
        begin = time.monotonic()
    assert time.monotonic() - begin < 2.0


@pytest.mark.parametrize("megabytes", [0, 20])
def test_leaving_a_broker_that_does_not_read_takes_seconds_at_most(
    server: MosquittoChild, topic: str, megabytes: int
) -> None:
    with Connection(server.address, client_id="c", session=Session.UNTIL_STOP) as connection:
        connection.wait_ready(DEADLINE)
        server.freeze()
        for _ in range(megabytes):
            connection.publish(topic, bytes(1_000_000))
        begin = time.monotonic()
    assert time.monotonic() - begin < 4.0


def test_leaving_in_the_middle_of_an_attempt_to_connect_takes_seconds_at_most() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # no more fit, and whoever comes next gets no answer
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        address = BrokerAddress(host="127.0.0.1", port=full.getsockname()[1])
        with Connection(address, client_id="c") as connection:
            with pytest.raises(BrokerUnreachableError):
                connection.wait_ready(0.1)
            begin = time.monotonic()
        assert time.monotonic() - begin < 4.0


def test_no_thread_and_no_socket_is_left_behind(server: MosquittoChild, topic: str) -> None:
    gc.collect()
    threads, descriptors = threading.active_count(), open_descriptors()
    for session in Session:
        connection = Connection(server.address, client_id="c", session=session)
        connection.subscribe(topic)
        with connection:
            connection.wait_ready(DEADLINE)
            assert threading.active_count() == threads + 1
        assert threading.active_count() == threads
        assert open_descriptors() == descriptors
    nobody = BrokerAddress(host="127.0.0.1", port=free_port())
    with Connection(nobody, client_id="c") as away, pytest.raises(BrokerUnreachableError):
        away.wait_ready(0.05)
    assert (threading.active_count(), open_descriptors()) == (threads, descriptors)


def test_a_lost_connection_is_told_in_the_log_and_an_orderly_end_is_not(
    server: MosquittoChild, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
    assert caplog.text == ""
    with Connection(server.address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        server.kill()
        eventually(lambda: "lost the broker" in caplog.text, what="the log says so")
        assert str(server.address) in caplog.text
