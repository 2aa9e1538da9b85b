"""When a will is published, and when not (MQTT 3.1.1, 3.1.2.5 and 3.14.4)."""

from collections.abc import Callable

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Join
from tests.broker.wire import Wire
from tests.broker.wire_packets import Will

LEAVE: dict[str, Callable[[Wire], object]] = {
    "the connection is reset": lambda wire: wire.stream.abort(),
    "the connection is closed without DISCONNECT": lambda wire: wire.stream.close(),
    "a second CONNECT": lambda wire: wire.send(packets.connect("again")),
    "a malformed packet": lambda wire: wire.send(b"\x36\x05\x00\x01a\x00\x01"),
    "a length of five bytes": lambda wire: wire.send(b"\x30\xff\xff\xff\xff\x01"),
    "a wildcard in a topic": lambda wire: wire.send(packets.publish("a/#", b"x")),
}


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_a_will_is_published_when(
    join: Join,
    topic: str,
    leave: Callable[[Wire], object],
    is_mosquitto: bool,
) -> None:
    if is_mosquitto and leave is LEAVE["a second CONNECT"]:
        pytest.xfail("mosquitto 2.0.11 closes at a second CONNECT and drops the will")
    listener = join()
    listener.subscribe((topic, 1))
    leave(join(will=Will(topic=topic, payload=b"gone")))
    will = listener.take()
    assert (will.payload, will.qos, will.retained) == (b"gone", 1, False)


def test_a_will_is_published_when_the_keep_alive_passes(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1))
    join(keep_alive=1, will=Will(topic=topic))
    assert listener.take().payload == b"gone"


def test_a_will_is_published_when_another_takes_over_the_client_id(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1))
    join(topic, will=Will(topic=topic))
    join(topic)
    assert listener.take().payload == b"gone"


def test_a_will_is_not_published_after_disconnect(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1))
    join(will=Will(topic=topic)).disconnect()
    listener.expect_nothing()


def test_a_will_is_published_once(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1))
    join(topic, will=Will(topic=topic)).stream.abort()
    listener.take()
    join(topic).stream.abort()
    listener.expect_nothing()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_will_has_its_qos(join: Join, topic: str, qos: int) -> None:
    listener = join()
    listener.subscribe((topic, 2))
    join(will=Will(topic=topic, qos=qos)).stream.abort()
    assert listener.take().qos == qos


def test_a_retained_will_is_there_for_whoever_comes_later(join: Join, topic: str) -> None:
    listener = join()
    listener.subscribe((topic, 1))
    join(will=Will(topic=topic, payload=b"offline", retain=True)).stream.abort()
    assert not listener.take().retained
    late = join()
    late.subscribe((topic, 1))
    message = late.take()
    assert (message.payload, message.retained) == (b"offline", True)


def test_a_will_without_a_payload_clears_what_is_retained(join: Join, topic: str) -> None:
    listener = join()
    listener.publish(topic, b"online", retain=True)
    listener.subscribe((topic, 1))
    assert listener.take().payload == b"online"
    join(will=Will(topic=topic, payload=b"", retain=True)).stream.abort()
    assert listener.take().payload == b""
    late = join()
    late.subscribe((topic, 1))
    late.expect_nothing()


def test_a_will_waits_for_a_session_that_is_away(join: Join, topic: str) -> None:
    away = join(topic, clean=False)
    away.subscribe((topic, 1))
    away.disconnect()
    watch = join()
    watch.subscribe((topic, 1))
    join(will=Will(topic=topic)).stream.abort()
    watch.take()
    assert join(topic, clean=False).take().payload == b"gone"
