"""The broker's figures as $SYS topics, beside those that mosquitto has."""

import math

import pytest

from broker.figures import Figures
from broker.sys_topics import SysTopics
from tests.conftest import Start
from tests.support import Listener, require_program

NOT_OURS = (
    "clients/expired",  # a session of ours that ends is forgotten
    "heap/",
    "publish/bytes/",  # payloads alone: we count whole packets
    "shared_subscriptions/",
)


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_sys_topics_are_told_once_and_then_where_they_have_changed() -> None:
    clock, figures = Clock(), Figures()
    topics = SysTopics(figures, clock)
    first = dict(topics.changes())
    assert first["$SYS/broker/uptime"] == b"0 seconds"
    assert first["$SYS/broker/version"].startswith(b"iot-button version ")
    assert first["$SYS/broker/clients/connected"] == b"0"
    assert topics.changes() == []
    clock.now += 60
    figures.messages_received = 600
    changed = dict(topics.changes())
    assert changed["$SYS/broker/messages/received"] == b"600"
    assert changed["$SYS/broker/uptime"] == b"60 seconds"
    assert "$SYS/broker/clients/connected" not in changed


def test_load_is_an_exponential_mean_over_its_time() -> None:
    clock, figures = Clock(), Figures()
    topics = SysTopics(figures, clock)
    clock.now += 60
    figures.messages_received = 600
    loads = dict(topics.changes())
    for span, minutes in (("1min", 1), ("5min", 5), ("15min", 15)):
        expected = 600 * (1 - math.exp(-1 / minutes))
        assert loads[f"$SYS/broker/load/messages/received/{span}"] == f"{expected:.2f}".encode()
    clock.now += 60
    assert dict(topics.changes())["$SYS/broker/load/messages/received/1min"] == b"139.53"


def test_a_steady_load_becomes_what_comes_in_a_minute() -> None:
    clock, figures = Clock(), Figures()
    topics = SysTopics(figures, clock)
    said: dict[str, bytes] = {}
    for _ in range(6 * 15 * 10):
        clock.now += 10
        figures.publish_received += 50
        figures.dropped["queue full"] += 5
        said |= dict(topics.changes())
    for span in ("1min", "5min", "15min"):
        assert float(said[f"$SYS/broker/load/publish/received/{span}"]) == pytest.approx(300, 0.001)
    assert said["$SYS/broker/publish/messages/dropped"] == b"4500"


def test_a_clock_that_stands_still_or_goes_back_does_no_harm() -> None:
    clock, figures = Clock(), Figures()
    topics = SysTopics(figures, clock)
    topics.changes()
    figures.bytes_sent = 100
    assert dict(topics.changes())["$SYS/broker/bytes/sent"] == b"100"
    clock.now += 1
    topics.changes()
    clock.now -= 0.5
    assert not any("load" in topic for topic, _ in topics.changes())


def test_no_count_is_negative_and_old_names_say_the_same() -> None:
    figures = Figures(connections=3, sessions=2, queued=7)
    said = dict(SysTopics(figures, Clock()).changes())
    assert said["$SYS/broker/clients/disconnected"] == b"0"
    assert said["$SYS/broker/clients/inactive"] == b"0"
    assert said["$SYS/broker/clients/active"] == b"3"
    assert said["$SYS/broker/messages/stored"] == said["$SYS/broker/store/messages/count"] == b"7"


def test_there_is_a_topic_of_ours_for_each_of_mosquitto(start: Start) -> None:
    require_program("mosquitto", "mosquitto")
    broker = start("broker", "--broker", "mosquitto", "--port", "0", "--websocket-port", "0")
    ours = {topic for topic, _ in SysTopics(Figures(), Clock()).changes()}
    theirs: set[str] = set()
    with Listener(broker.port("mqtt"), "$SYS/broker/#", "end") as listener:
        listener.publish("end", b"")
        while (topic := listener.next().topic) != "end":  # what is retained comes before
            theirs.add(topic)
    missing = {
        topic
        for topic in theirs - ours
        if not topic.removeprefix("$SYS/broker/").startswith(NOT_OURS)
    }
    assert missing == set()
    # It tells the maximum in the first round that finds a client, 10 s later.
    assert ours - theirs <= {"$SYS/broker/clients/maximum"}


def test_a_subscriber_gets_sys_topics_of_our_broker_retained(start: Start) -> None:
    broker = start("broker", "--port", "0", "--websocket-port", "0")
    with Listener(broker.port("mqtt"), "$SYS/broker/version") as listener:
        message = listener.next()
    assert message.payload.startswith(b"iot-button version")
    assert message.retained


def test_a_filter_without_sys_in_front_gets_none_of_it(start: Start) -> None:
    broker = start("broker", "--port", "0", "--websocket-port", "0")
    with Listener(broker.port("mqtt"), "#", "+/broker/version") as listener:
        listener.publish("a/b", b"x")
        assert listener.next().topic == "a/b"
        assert listener.is_empty
