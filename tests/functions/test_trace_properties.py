"""A click's trace as MQTT 5 user properties: from who publishes it to who subscribes."""

import json

import pytest

from iot_button.messages import Message
from iot_button.properties import encoded, user_property
from iot_button.settings import BrokerAddress
from iot_button.traces import trace_id
from tests.conftest import Start
from tests.ground.running import Running
from tests.support import Program, eventually

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  # of W3C's own example
CLICK = {"serialNumber": "B-1", "batteryVoltage": "1716mV", "clickType": "SINGLE", "eventId": "one"}


def watching(broker: Program) -> Running:
    port = broker.port("mqtt")
    address = BrokerAddress(host="127.0.0.1", port=port, may_speak_5=True)
    return Running(address, "iotbutton/+", "iotprocessed", client_id="watching")


def by_topic(running: Running) -> dict[str, Message]:
    """Return the first message of each of the two topics."""
    eventually(lambda: len({m.topic for m in running.messages}) == 2, what="a click, processed")
    return {message.topic: message for message in reversed(running.messages)}


@pytest.mark.usefixtures("functions")
def test_a_publishers_trace_goes_on_behind_the_function(broker: Program) -> None:
    with watching(broker) as running:
        running.wait_ready()
        properties = encoded([("traceparent", GIVEN), ("tracestate", "ours=1")])
        running.publish("iotbutton/B-1", json.dumps(CLICK).encode(), properties=properties)
        processed = by_topic(running)["iotprocessed"]
    parent = user_property(processed.properties, "traceparent")
    in_payload = json.loads(processed.payload)["trace"]["traceparent"]
    if "mosquitto" in broker.arguments:
        assert parent == in_payload
        assert trace_id(in_payload) == trace_id(GIVEN)
        assert user_property(processed.properties, "tracestate") == "ours=1"
    else:  # 3.1.1 alone: nothing came with the click but its payload
        assert parent is None
        assert trace_id(in_payload) is not None


def test_a_buttons_click_begins_the_trace(mosquitto: Program, start: Start) -> None:
    address = mosquitto.address("mqtt")
    start("functions", "--broker", address).wait_for("^ready functions")
    with watching(mosquitto) as running:
        running.wait_ready()
        start("device", "simulated", "--rate", "5", "--broker", address, "--serial", "B-2")
        messages = by_topic(running)
    click = messages["iotbutton/B-2"]
    parents = [user_property(each.properties, "traceparent") or "" for each in messages.values()]
    digits = json.loads(click.payload)["eventId"].replace("-", "")
    assert [trace_id(parent) for parent in parents] == [digits, digits]
