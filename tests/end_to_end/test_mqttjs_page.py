"""MQTT.js in a real page: both brokers over WebSocket, at each QoS, in both ways."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream
from tests.end_to_end.pages import served
from tests.support import DEADLINE, Program

MQTTJS = Path(__file__).parent / "mqttjs"
PATIENCE = DEADLINE * 1000  # Playwright speaks in milliseconds


@pytest.fixture
def address() -> Iterator[str]:
    """The address of the page with MQTT.js."""
    with served(MQTTJS) as address:
        yield address


@pytest.fixture
def program(broker: Program) -> Iterator[Wire]:
    """A program that hears what the page publishes, over TCP."""
    with Wire(TcpStream(broker.port("mqtt"))) as wire:
        wire.connect()
        wire.subscribe(("page/#", 2))
        yield wire


def open_page(page: Page, address: str, broker: Program, state: str) -> None:
    page.goto(f"{address}?id=page&broker={broker.address('websocket')}")
    expect(page.locator("#state")).to_have_text(state, timeout=PATIENCE)


def test_a_page_with_mqttjs_publishes_at_each_qos(
    broker: Program, program: Wire, address: str, page: Page
) -> None:
    open_page(page, address, broker, "published")
    for qos in (0, 1, 2):
        messages = [program.take() for _ in range(20)]
        assert [int(message.payload) for message in messages] == list(range(20))
        assert {(message.topic, message.qos) for message in messages} == {(f"page/{qos}", qos)}


def test_a_page_with_mqttjs_receives_at_each_qos(broker: Program, address: str, page: Page) -> None:
    open_page(page, address, broker, "published")
    with Wire(TcpStream(broker.port("mqtt"))) as sender:
        sender.connect()
        expected = []
        for qos in (0, 1, 2):
            for number in range(10):
                sender.publish(f"to-page/{qos}", f"grüße {number}".encode(), qos=qos)
                expected.append(f"to-page/{qos} grüße {number} qos {qos} retain false")
        expect(page.locator("#messages li")).to_have_text(expected, timeout=PATIENCE)


def test_a_page_that_goes_leaves_its_will_and_finds_its_session_when_it_is_back(
    broker: Program, program: Wire, address: str, page: Page
) -> None:
    open_page(page, address, broker, "published")
    for _ in range(60):
        program.take()
    page.goto("about:blank")
    assert program.take().topic == "page/will"
    for qos in (1, 2):
        program.publish(f"to-page/{qos}", b"meanwhile", qos=qos)
    open_page(page, address, broker, "back")
    expect(page.locator("#messages li")).to_have_text(
        [f"to-page/{qos} meanwhile qos {qos} retain false" for qos in (1, 2)], timeout=PATIENCE
    )


def test_the_vendored_mqttjs_is_the_file_that_its_readme_names() -> None:
    digest = hashlib.sha256((MQTTJS / "mqtt.min.js").read_bytes()).hexdigest()
    assert digest in (MQTTJS / "README.md").read_text()
