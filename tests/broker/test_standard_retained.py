"""Retained messages (MQTT 3.1.1, 3.3.1.3)."""

import pytest

from tests.broker.conftest import Join
from tests.broker.wire import Wire


def newcomer(join: Join, *wanted: tuple[str, int]) -> Wire:
    """Return a client that has just subscribed."""
    wire = join()
    wire.subscribe(*wanted)
    return wire


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_retained_message_is_kept_for_whoever_subscribes_later(
    join: Join, topic: str, qos: int
) -> None:
    join().publish(topic, b"kept", qos=qos, retain=True)
    message = newcomer(join, (topic, 2)).take()
    assert (message.topic, message.payload, message.qos) == (topic, b"kept", qos)
    assert message.retained


def test_a_retained_message_comes_with_the_lower_qos(join: Join, topic: str) -> None:
    join().publish(topic, b"kept", qos=2, retain=True)
    assert newcomer(join, (topic, 1)).take().qos == 1
    assert newcomer(join, (topic, 0)).take().qos == 0


def test_who_is_there_already_gets_it_without_the_flag(join: Join, topic: str) -> None:
    listener = newcomer(join, (topic, 1))
    join().publish(topic, b"x", retain=True)
    assert not listener.take().retained
    listener.expect_nothing()


def test_the_last_one_replaces_the_one_before(join: Join, topic: str) -> None:
    for payload in (b"old", b"new"):
        join().publish(topic, payload, retain=True)
    listener = newcomer(join, (topic, 1))
    assert listener.take().payload == b"new"
    listener.expect_nothing()


def test_a_message_that_is_not_retained_leaves_what_is(join: Join, topic: str) -> None:
    join().publish(topic, b"kept", retain=True)
    join().publish(topic, b"passing")
    listener = newcomer(join, (topic, 1))
    assert listener.take().payload == b"kept"
    listener.expect_nothing()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_payload_clears_it_and_is_delivered_to_who_is_there(
    join: Join, topic: str, qos: int
) -> None:
    join().publish(topic, b"kept", retain=True)
    listener = newcomer(join, (topic, 1))
    listener.take()
    join().publish(topic, b"", qos=qos, retain=True)
    message = listener.take()
    assert (message.payload, message.retained) == (b"", False)
    newcomer(join, (topic, 1)).expect_nothing()


def test_an_empty_payload_where_nothing_was_is_not_kept(join: Join, topic: str) -> None:
    join().publish(topic, b"", retain=True)
    newcomer(join, (topic, 1)).expect_nothing()


def test_subscribing_again_brings_it_again(join: Join, topic: str) -> None:
    join().publish(topic, b"kept", retain=True)
    listener = newcomer(join, (topic, 1))
    assert listener.take().retained
    listener.subscribe((topic, 1))
    assert listener.take().retained


def test_a_wildcard_brings_all_that_match_once_each(join: Join, topic: str) -> None:
    names = {f"{topic}/a", f"{topic}/b", f"{topic}/c/d"}
    for name in (*names, f"{topic}x"):
        join().publish(name, b"kept", retain=True)
    listener = newcomer(join, (f"{topic}/#", 1))
    assert {listener.take().topic for _ in names} == names
    listener.expect_nothing()
    listener = newcomer(join, (f"{topic}/+", 1))
    assert {listener.take().topic for _ in range(2)} == {f"{topic}/a", f"{topic}/b"}
    listener.expect_nothing()


def test_it_outlives_its_publisher(join: Join, topic: str) -> None:
    sender = join()
    sender.publish(topic, b"kept", retain=True)
    sender.disconnect()
    assert newcomer(join, (topic, 0)).take().payload == b"kept"


def test_coming_back_to_a_kept_session_does_not_bring_it_again(join: Join, topic: str) -> None:
    join().publish(topic, b"kept", retain=True)
    listener = join(topic, clean=False)
    listener.subscribe((topic, 1))
    listener.take()
    listener.expect_nothing()
    listener.disconnect()
    join(topic, clean=False).expect_nothing()
