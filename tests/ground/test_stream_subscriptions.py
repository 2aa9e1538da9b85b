"""What a broker does not let us subscribe to, by a failure code or by hanging up."""

import logging
from collections.abc import Iterator

import pytest

from iot_button.mqtt.subscriptions import MOST_AT_ONCE
from tests.ground.fake_broker import CONNACK, CONNECT, FakeBroker, Peer
from tests.ground.running import Running
from tests.support import eventually

GRANTED, REFUSED = 1, 0x80


@pytest.fixture
def fake() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def running(fake: FakeBroker) -> Iterator[Running]:
    """A stream that needs `clicks`, and wants `foreign/0` to `foreign/9` where it can have them."""
    stream = Running(fake.address, "clicks")
    for number in range(10):
        stream.stream.subscribe(f"foreign/{number}", is_needed=False)
    with stream:
        yield stream


def greet(fake: FakeBroker) -> Peer:
    peer = fake.accept()
    peer.expect(CONNECT)
    peer.send(bytes([CONNACK, 2, 0, 0]))
    return peer


def test_what_is_needed_is_asked_for_first_and_no_subscribe_has_many_filters(
    fake: FakeBroker, running: Running
) -> None:
    with greet(fake) as peer:
        assert peer.subscribe(GRANTED) == ["clicks"]
        assert len(peer.subscribe(*[GRANTED] * 8)) == MOST_AT_ONCE
        assert not running.stream.is_ready
        assert peer.subscribe(GRANTED, GRANTED) == ["foreign/8", "foreign/9"]
        running.wait_ready()


def test_without_what_is_only_wanted_it_is_ready_and_names_what_was_refused(
    fake: FakeBroker, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with greet(fake) as peer:
        peer.subscribe(GRANTED)
        peer.subscribe(*[GRANTED] * 7, REFUSED)
        peer.subscribe(GRANTED, GRANTED)
        running.wait_ready()
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ["foreign/7" in record.getMessage() for record in told][:1] == [True]
    assert running.changes[:1] == [True]


def test_a_refusal_of_what_is_needed_is_the_problem_and_it_tries_again(
    fake: FakeBroker, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_button.mqtt.stream._CONNACK_TIMEOUT", 0.2)
    monkeypatch.setattr("iot_button.mqtt.stream._CHECK_EVERY", 0.05)
    with greet(fake) as peer:
        peer.subscribe(REFUSED)
        eventually(lambda: "(clicks)" in running.stream.problem, what="it is named")
        with greet(fake):
            assert not running.stream.is_ready


def test_a_broker_that_hangs_up_on_what_is_only_wanted_is_not_asked_for_it_for_ever(
    fake: FakeBroker, running: Running
) -> None:
    for _ in range(2):
        with greet(fake) as peer:
            peer.subscribe(GRANTED)
            peer.subscribe()
    with greet(fake) as peer:
        peer.subscribe(GRANTED)
        running.wait_ready()


def test_a_broker_that_went_once_while_it_was_asked_is_asked_again(
    fake: FakeBroker, running: Running
) -> None:
    for _ in range(3):
        with greet(fake) as peer:
            peer.subscribe(GRANTED)
            peer.subscribe()
        with greet(fake) as peer:
            peer.subscribe(GRANTED)
            peer.subscribe(*[GRANTED] * 8)
            peer.subscribe(GRANTED, GRANTED)
            running.wait_ready()
        eventually(lambda: not running.stream.is_ready, what="it is lost")
