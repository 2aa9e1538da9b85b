"""The function runtime as a process on a real broker."""

import base64
import itertools
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from iot_button.events import new_event_id, utc_now
from iot_button.traces import read_trace
from tests.conftest import Start
from tests.functions.conftest import broker_option
from tests.support import DEADLINE, Listener, Program, eventually, require_program

SERIAL = "G030JF055364XVRB"
TOPIC = f"iotbutton/{SERIAL}"
CLICK = {"serialNumber": SERIAL, "batteryVoltage": "1716mV", "clickType": "SINGLE"}


def click(**more: object) -> str:
    return json.dumps(CLICK | more)


def next_json(listener: Listener) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(listener.next().payload)
    return value


@pytest.mark.usefixtures("functions")
def test_a_click_comes_out_processed(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed") as listener:
        listener.publish(TOPIC, click(eventId="one", clickedAt="2026-11-22T10:15:30.123Z"))
        processed = next_json(listener)
    assert list(processed)[:6] == [
        "title",
        "timestamp",
        "ipAddress",
        "serialNumber",
        "batteryVoltage",
        "clickType",
    ]
    timestamp, address = processed.pop("timestamp"), processed.pop("ipAddress")
    assert read_trace(json.dumps(processed.pop("trace")).encode()) is not None
    assert timestamp.endswith("Z")
    assert address.count(".") == 3
    assert processed == CLICK | {
        "title": "Demo event assembled by lambda python function",
        "eventId": "one",
        "clickedAt": "2026-11-22T10:15:30.123Z",
    }


@pytest.mark.usefixtures("functions")
def test_what_is_no_click_goes_to_the_dead_letters_as_it_came_and_nothing_stops(
    broker: Program,
) -> None:
    rubbish = b"\xff\x00{"
    with Listener(broker.port("mqtt"), "iotprocessed", "deadletter/#") as listener:
        listener.publish(TOPIC, rubbish)
        letter = listener.next()
        listener.publish(TOPIC, click())
        assert listener.next().topic == "iotprocessed"
    assert letter.topic == "deadletter/enrich"
    record = json.loads(letter.payload)
    assert base64.b64decode(record["requestPayload"]["payloadBase64"]) == rubbish
    assert record["requestPayload"]["topic"] == TOPIC
    assert record["requestContext"]["condition"] == "NotAClick"
    assert record["responsePayload"]["errorMessage"]


@pytest.mark.parametrize(
    "payload",
    [
        click(serialNumber="another"),
        click(clickType="TRIPLE"),
        click(batteryVoltage="low"),
        click(clickedAt="yesterday"),
        click(eventId="<script>"),
        "[]",
        "",
    ],
)
def test_broken_rules_are_dead_letters(amqtt: Program, start: Start, payload: str) -> None:
    start("functions", *broker_option(amqtt)).wait_for("^ready")
    with Listener(amqtt.port("mqtt"), "iotprocessed", "deadletter/enrich") as listener:
        listener.publish(TOPIC, payload)
        assert listener.next().topic == "deadletter/enrich"


@pytest.mark.usefixtures("functions")
def test_a_click_with_an_id_gets_a_receipt_after_it_was_published(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed", "iotbutton/+/receipt") as listener:
        listener.publish(TOPIC, click(eventId="mine"))
        assert listener.next().topic == "iotprocessed"
        receipt = listener.next()
    assert receipt.topic == f"{TOPIC}/receipt"
    content = json.loads(receipt.payload)
    assert content.pop("timestamp")
    assert content == {"eventId": "mine", "outcome": "processed"}


@pytest.mark.usefixtures("functions")
def test_a_repeat_is_not_published_again_but_its_receipt_is(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed", "iotbutton/+/receipt") as listener:
        listener.publish(TOPIC, click(eventId="mine"))
        assert [listener.next().topic for _ in range(2)] == ["iotprocessed", f"{TOPIC}/receipt"]
        listener.publish(TOPIC, click(eventId="mine"))
        assert listener.next().topic == f"{TOPIC}/receipt"
        listener.publish(TOPIC, click(eventId="other"))
        assert next_json(listener)["eventId"] == "other"


@pytest.mark.usefixtures("functions")
def test_two_equal_presses_without_ids_are_two_clicks(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed") as listener:
        listener.publish(TOPIC, click())
        listener.publish(TOPIC, click())
        ids = {next_json(listener)["eventId"], next_json(listener)["eventId"]}
    assert len(ids) == 2


def test_clicks_sent_while_the_runtime_is_away_are_processed_when_it_is_back(
    broker: Program, functions: Program, start: Start
) -> None:
    functions.stop()
    ids = [new_event_id(utc_now()) for _ in range(100)]
    with Listener(broker.port("mqtt"), "iotprocessed") as listener:
        for event_id in ids:
            listener.publish(TOPIC, click(eventId=event_id))
        start("functions", *broker_option(broker)).wait_for("^ready")
        # Of two environments, each works at its own speed, as on AWS: in order, they need not come.
        came = [next_json(listener)["eventId"] for _ in ids]
    assert sorted(came) == sorted(ids)


def test_a_retained_click_is_pressed_once_and_refused_at_a_restart(
    broker: Program, functions: Program, start: Start
) -> None:
    publish = require_program("mosquitto_pub", "mosquitto-clients")
    port = broker.port("mqtt")
    with Listener(port, "iotprocessed") as listener:
        subprocess.run(
            [publish, "-p", str(port), "-q", "1", "-r", "-t", TOPIC, "-m", click()],
            check=True,
            timeout=DEADLINE,
        )
        listener.next()
        functions.stop()
        again = start("functions", *broker_option(broker))
        again.wait_for("refused a retained message")
        listener.publish("iotbutton/other", click(serialNumber="other"))
        assert next_json(listener)["serialNumber"] == "other"


def test_it_comes_back_after_the_broker_was_killed(amqtt: Program, start: Start) -> None:
    port = amqtt.port("mqtt")
    functions = start("functions", *broker_option(amqtt))
    functions.wait_for("^ready")
    amqtt.send(signal.SIGKILL)
    amqtt.end()
    functions.wait_for("lost the broker")
    start("broker", "--port", str(port), "--websocket-port", "0").wait_for("^ready")
    with Listener(port, "iotprocessed") as listener:
        numbers = itertools.count()

        def is_processed() -> bool:
            # Not subscribed again yet: an embedded broker that was killed has forgotten it.
            listener.publish(TOPIC, click(eventId=f"try-{next(numbers)}"))
            return not listener.is_empty

        eventually(is_processed, what="a click is processed again")
        assert next_json(listener)["serialNumber"] == SERIAL


def test_no_broker_is_one_error_that_says_what_to_do(start: Start) -> None:
    functions = start("functions", "--broker", "mqtt://127.0.0.1:1")
    assert functions.end(deadline=30) == 1
    assert functions.said[0].startswith("iot-button: no MQTT broker answers at mqtt://127.0.0.1:1")
    assert "iot-button up" in functions.said[1]


@pytest.mark.usefixtures("functions")
def test_the_broker_of_others_with_a_topic_prefix(
    broker: Program, start: Start, tmp_path: Path
) -> None:
    start(
        "functions",
        *broker_option(broker),
        *("--state-dir", str(tmp_path / "office")),
        IOT_BUTTON_TOPICS_PREFIX="home/office",
        IOT_BUTTON_FUNCTIONS_CLIENT_ID="office",
    ).wait_for("^ready functions input=home/office/iotbutton/")
    with Listener(broker.port("mqtt"), "#") as listener:
        listener.publish(f"home/office/{TOPIC}", click(eventId="there"))
        topics: set[str] = set()
        while len(topics) < 3:
            topic = listener.next().topic
            topics |= set() if "iotfunctions/" in topic else {topic}
    assert topics == {
        f"home/office/{TOPIC}",
        "home/office/iotprocessed",
        f"home/office/{TOPIC}/receipt",
    }
