"""Clients that no one here wrote: mosquitto's own, and the Paho JavaScript client in a page."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Start
from tests.end_to_end.pages import served
from tests.support import DEADLINE, Program, eventually, require_program

CLICK = '{"serialNumber":"G030JF055364XVRB","batteryVoltage":"1716mV","clickType":"SINGLE"}'
TOPIC = "iotbutton/G030JF055364XVRB"
PAHO = Path(__file__).parent / "paho"


@pytest.fixture
def pipeline(broker: Program, start: Start) -> Program:
    """Each broker in turn, with the function behind it; returns the broker."""
    start("functions", "--broker", broker.address("mqtt")).wait_for("^ready")
    return broker


def publish(port: int) -> None:
    command = [require_program("mosquitto_pub", "mosquitto-clients"), "-p", str(port)]
    command += ["-q", "1", "-t", TOPIC, "-m", CLICK]
    subprocess.run(command, check=True, timeout=DEADLINE)


def test_mosquitto_pub_presses_and_mosquitto_sub_sees_the_processed_click(
    pipeline: Program,
) -> None:
    port = pipeline.port("mqtt")
    command = [require_program("mosquitto_sub", "mosquitto-clients"), "-p", str(port)]
    command += ["-q", "1", "-t", "iotprocessed", "-C", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:

        def has_come() -> bool:
            publish(port)  # again, until it has subscribed, which it does not tell
            return subscriber.poll() is not None

        eventually(has_come, what="mosquitto_sub gets the processed click")
        output, _ = subscriber.communicate(timeout=DEADLINE)
    processed = json.loads(output)
    assert list(processed)[:6] == [
        *("title", "timestamp", "ipAddress"),
        *("serialNumber", "batteryVoltage", "clickType"),
    ]
    assert {key: processed[key] for key in json.loads(CLICK)} == json.loads(CLICK)


@pytest.fixture
def talk_page() -> Iterator[str]:
    """The address of the page, served from loopback."""
    with served(PAHO) as address:
        yield address


def test_a_page_with_the_paho_javascript_client_shows_the_event(
    pipeline: Program, talk_page: str, page: Page
) -> None:
    page.goto(f"{talk_page}?broker={pipeline.address('websocket')}/")
    expect(page.locator("#state")).to_have_text("subscribed", timeout=DEADLINE * 1000)
    publish(pipeline.port("mqtt"))
    expect(page.locator("#events li")).to_have_text(
        re.compile(r"^G030JF055364XVRB SINGLE 1716mV \d+\.\d+\.\d+\.\d+$"), timeout=DEADLINE * 1000
    )


def test_the_vendored_client_is_the_file_that_its_readme_names() -> None:
    digest = hashlib.sha256((PAHO / "paho-mqtt-min.js").read_bytes()).hexdigest()
    assert digest in (PAHO / "README.md").read_text()
