"""`iot-button press` and `iot-button simulate` on a real broker."""

import json
import os
import pty
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.broker.guarded import added
from tests.conftest import Start
from tests.support import DEADLINE, Listener, Program, eventually


@pytest.fixture
def pipeline(amqtt: Program, start: Start) -> Program:
    """A broker with the function behind it; returns the broker."""
    start("functions", "--broker", amqtt.address("mqtt")).wait_for("^ready")
    return amqtt


def press(start: Start, broker: Program, *options: str) -> Program:
    program = start("press", "--broker", broker.address("mqtt"), *options)
    program.end()
    return program


def test_press_prints_the_processed_click_and_says_how_long_it_took(
    pipeline: Program, start: Start
) -> None:
    pressed = press(
        start, pipeline, "--serial", "KITCHEN", "--click", "long", "--battery", "1716mV"
    )
    assert pressed.process.returncode == 0
    (line,) = pressed.printed
    processed = json.loads(line)
    assert processed["serialNumber"] == "KITCHEN"
    assert processed["clickType"] == "LONG"
    assert processed["batteryVoltage"] == "1716mV"
    assert uuid.UUID(processed["eventId"]).version == 7
    assert processed["clickedAt"] <= processed["timestamp"]
    pressed.wait_for(r"^processed in \d+\.\d ms$")


def test_press_without_waiting_prints_the_click_itself(amqtt: Program, start: Start) -> None:
    with Listener(amqtt.port("mqtt"), "iotbutton/+") as listener:
        pressed = press(start, amqtt, "--no-wait")
        assert pressed.process.returncode == 0
        sent = json.loads(listener.next().payload)
    assert json.loads(pressed.printed[0]) == sent
    assert sent["batteryVoltage"] is None
    pressed.wait_for("^acknowledged by mqtt://")


def test_press_knows_its_click_also_where_the_function_does_not_pass_the_id_on(
    amqtt: Program, start: Start
) -> None:
    answer = {"serialNumber": "BUTTON-1", "clickType": "SINGLE"}
    others = {"serialNumber": "ANOTHER"}, {"clickType": "LONG"}, {"eventId": "another"}
    with Listener(amqtt.port("mqtt"), "iotbutton/+") as listener:
        pressed = start("press", "--broker", amqtt.address("mqtt"))
        listener.next()
        for other in others:
            listener.publish("iotprocessed", json.dumps(answer | other))
        listener.publish("iotprocessed", json.dumps(answer | {"title": "mine"}))
        assert pressed.end() == 0
    assert json.loads(pressed.printed[0])["title"] == "mine"


def test_press_without_a_function_says_what_is_missing(amqtt: Program, start: Start) -> None:
    pressed = press(start, amqtt, "--timeout", "0.3")
    assert pressed.process.returncode == 1
    assert pressed.printed == []
    assert pressed.said == [
        "iot-button: the broker has the click, but no processed click came within 0.3 s",
        "  is the function running? start it with `iot-button functions`",
    ]


def test_press_with_a_buttons_account_says_why_it_cannot_wait(
    start: Start, broker: Program, environment: dict[str, str]
) -> None:
    account = {
        "IOT_BUTTON_BROKER_USERNAME": "door",
        "IOT_BUTTON_BROKER_PASSWORD": added(environment, "door", "--button", "DOOR"),
    }
    arguments = ("press", "--broker", broker.address("mqtt"), "--serial", "DOOR")
    eventually(lambda: start(*arguments, "--no-wait", **account).end() == 0, what="it is let in")
    pressed = start(*arguments, "--timeout", "0.3", **account)
    assert pressed.end() == 1
    assert pressed.printed == []
    assert "a button's account may not read processed clicks" in pressed.said[-1]
    assert "--no-wait" in pressed.said[-1]
    assert not any("set the account" in line for line in pressed.said)


def test_press_without_a_broker_says_what_to_start(start: Start) -> None:
    pressed = start("press", "--broker", "mqtt://127.0.0.1:1")
    assert pressed.end() == 1
    assert pressed.said == [
        "iot-button: no MQTT broker answers at mqtt://127.0.0.1:1: Connection refused",
        "  start one with `iot-button up`, or name yours with --broker mqtt://HOST:PORT",
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("--serial", "a/b"),
        ("--serial", ""),
        ("--serial", "x" * 65),
        ("--click", "triple"),
        ("--battery", "low"),
        ("--battery", "-5mV"),
        ("--timeout", "0"),
        ("--broker", "http://127.0.0.1"),
    ],
)
def test_wrong_usage_is_status_2_and_no_trace(start: Start, options: tuple[str, ...]) -> None:
    pressed = start("press", *options)
    assert pressed.end() == 2
    assert pressed.said
    assert not any("Traceback" in line for line in pressed.said)


def test_simulate_ends_with_an_exact_summary(pipeline: Program, start: Start) -> None:
    with Listener(pipeline.port("mqtt"), "iotprocessed") as listener:
        simulated = start(
            *("simulate", "--broker", pipeline.address("mqtt"), "--seed", "7"),
            *("--devices", "3", "--rate", "100", "--duration", "2"),
        )
        assert simulated.end() == 0
        summary = json.loads(simulated.printed[-1])
        events = [json.loads(listener.next().payload) for _ in range(summary["sent"])]
        assert listener.is_empty
    assert 120 < summary["sent"] < 280
    assert summary["acknowledged"] == summary["processed"] == summary["sent"]
    assert summary["acknowledgedNotProcessed"] == 0
    assert 0 < summary["latencyP50Ms"] <= summary["latencyP99Ms"]
    assert {event["serialNumber"] for event in events} == {"SIM-0001", "SIM-0002", "SIM-0003"}


def test_simulate_counts_clicks_that_no_function_processes(amqtt: Program, start: Start) -> None:
    simulated = start(
        *("simulate", "--broker", amqtt.address("mqtt"), "--settle", "0.2"),
        *("--rate", "100", "--duration", "0.5"),
    )
    assert simulated.end() == 1
    summary = json.loads(simulated.printed[-1])
    assert summary["processed"] == 0
    assert summary["acknowledgedNotProcessed"] == summary["sent"] > 0
    assert "acknowledged and not processed" in simulated.said[-2]


def test_an_interrupted_simulate_still_prints_its_summary(pipeline: Program, start: Start) -> None:
    with Listener(pipeline.port("mqtt"), "iotprocessed") as listener:
        simulated = start("simulate", "--broker", pipeline.address("mqtt"), "--rate", "100")
        listener.next()
        simulated.send(signal.SIGINT)
        assert simulated.end() == 130
    summary = json.loads(simulated.printed[-1])
    assert summary["processed"] == summary["sent"] > 0


def test_simulate_shows_its_progress_on_a_terminal(
    pipeline: Program, environment: dict[str, str], tmp_path: Path
) -> None:
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "iot_button", "simulate", "--rate", "50", "--duration", "2"]
    with subprocess.Popen(
        [*command, "--broker", pipeline.address("mqtt")],
        stdout=subprocess.PIPE,
        stderr=its_end,
        env=environment,
        cwd=tmp_path,
    ) as simulated:
        os.close(its_end)
        shown = b""
        try:
            while data := os.read(terminal, 4096):
                shown += data
        except OSError:
            pass  # Linux: its other end is closed
        assert simulated.wait(DEADLINE) == 0
    os.close(terminal)
    updates = [line for line in shown.decode().split("\r") if "under way" in line]
    assert len(updates) >= 3
    assert "processed" in updates[-1]
    assert "p99" in updates[-1]
