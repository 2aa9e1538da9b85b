"""Foreign buttons on real brokers: from their own message to the processed click."""

import json
import signal
from typing import Any

import pytest

from tests.conftest import Start
from tests.functions.conftest import broker_option
from tests.functions.foreign_buttons import (
    FLIC_EXAMPLES,
    ONE_CLICK_EXAMPLES,
    SHELLY_EXAMPLES,
    TASMOTA_EXAMPLES,
    ZIGBEE_EXAMPLES,
)
from tests.support import Listener, Program

INPUT = "shellies/x/input_event/0"
PRESS = '{"event": "S", "event_cnt": 4}'
ZIGBEE = "zigbee2mqtt/button"
SINGLE = '{"action": "single"}'


def processed(listener: Listener) -> dict[str, Any]:
    """Return the next message, which must be a processed click."""
    message = listener.next()
    assert message.topic == "iotprocessed", message
    value: dict[str, Any] = json.loads(message.payload)
    return value


def fields(click: dict[str, Any]) -> list[str]:
    names = ("serialNumber", "clickType", "batteryVoltage", "clickedAt")
    return [str(click.get(name)) for name in names]


def publish_soon(listener: Listener, topic: str, payload: str, *, retain: bool = False) -> None:
    """Publish without waiting for the PUBACK."""
    listener.connection.publish(
        topic, payload.encode(), retain=retain, on_acknowledged=lambda: None
    )


def run(start: Start, broker: Program) -> Program:
    program = start("functions", *broker_option(broker))
    program.wait_for("^ready functions")
    return program


@pytest.mark.usefixtures("functions")
def test_presses_of_all_kinds_come_out_processed_and_nothing_else_does(broker: Program) -> None:
    kinds = (
        *(ONE_CLICK_EXAMPLES, ZIGBEE_EXAMPLES[:12], SHELLY_EXAMPLES[:4]),
        *(TASMOTA_EXAMPLES, FLIC_EXAMPLES),
    )
    examples = [example for kind in kinds for example in kind]
    with Listener(broker.port("mqtt"), "iotprocessed", "deadletter/#") as listener:
        for example in examples:
            listener.publish(example.topic, example.payload)
        wanted = [fields(example.click) for example in examples if example.click is not None]
        clicks = [processed(listener) for _ in wanted]
        assert listener.is_empty
    assert sorted(map(fields, clicks)) == sorted(wanted)
    assert len({click["eventId"] for click in clicks}) == len(clicks)


@pytest.mark.usefixtures("functions")
def test_what_is_no_press_is_no_dead_letter(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed", "deadletter/#") as listener:
        for payload in (b"", b"\xff\xfe", b"[", b'{"battery": 90}', b'{"action": 7}'):
            for topic in (ZIGBEE, INPUT, "stat/a/RESULT", "a/events/rpc", "soracom/a"):
                listener.publish(topic, payload)
        listener.publish(ZIGBEE, SINGLE)
        assert processed(listener)["serialNumber"] == "button"
        assert listener.is_empty


def test_a_retained_press_does_not_click(broker: Program, start: Start) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed", ZIGBEE) as listener:
        for topic in (ZIGBEE, INPUT, "flic/one/action"):
            publish_soon(listener, topic, '{"action": "double"}', retain=True)
        assert listener.next().topic == ZIGBEE
        run(start, broker).wait_for("refused a retained message on 'zigbee2mqtt/button'")
        listener.publish(ZIGBEE, SINGLE)
        assert listener.next().topic == ZIGBEE
        assert processed(listener)["clickType"] == "SINGLE"


def test_a_shelly_that_repeats_itself_clicks_once_also_after_a_restart(
    broker: Program, start: Start
) -> None:
    with Listener(broker.port("mqtt"), "iotprocessed") as listener:
        first = run(start, broker)
        listener.publish(INPUT, PRESS)
        listener.publish(INPUT, PRESS)
        listener.publish(ZIGBEE, SINGLE)
        assert [processed(listener)["serialNumber"] for _ in range(2)] == ["x-1", "button"]
        first.stop()
        run(start, broker)
        listener.publish(INPUT, PRESS)
        listener.publish(INPUT, PRESS.replace("4", "5"))
        listener.publish(ZIGBEE, SINGLE)
        assert [processed(listener)["serialNumber"] for _ in range(2)] == ["x-1", "button"]


def test_equal_presses_come_out_once_each_though_the_runtime_is_killed(
    mosquitto: Program, start: Start
) -> None:
    """Each time with presses of which the click is out, and the message not acknowledged yet."""
    count = 400
    with (
        Listener(mosquitto.port("mqtt"), "iotprocessed") as listener,
        Listener(mosquitto.port("mqtt"), "iotbutton/button") as clicks,
    ):
        program = run(start, mosquitto)
        for _ in range(count):
            publish_soon(listener, ZIGBEE, SINGLE)
        for _ in range(3):
            for _ in range(40):
                clicks.next()
            program.send(signal.SIGKILL)
            program.end()
            program = run(start, mosquitto)
        ids = [processed(listener)["eventId"] for _ in range(count)]
        listener.publish("flic/last/action", "click")
        assert processed(listener)["serialNumber"] == "last"
    assert len(set(ids)) == count
