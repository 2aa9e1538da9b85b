"""`iot-button tail` and `iot-button doctor`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import Start
from tests.end_to_end.conftest import FREE_PORTS, Up
from tests.support import DEADLINE, Listener, Program, eventually, free_port


def test_tail_prints_each_processed_click_as_one_line(amqtt: Program, start: Start) -> None:
    tail = start("tail", "--broker", amqtt.address("mqtt"))
    tail.wait_for("^ready tail")
    sent = {"serialNumber": "B1", "clickType": "SINGLE", "title": "caf\u00e9 \u202e\x9b31m"}
    with Listener(amqtt.port("mqtt")) as listener:
        listener.publish("iotprocessed", b"rubbish")
        for number in ("1e999", "1" * 5000):
            listener.publish("iotprocessed", f'{{"serialNumber":"B","clickType":"a","x":{number}}}')
        listener.publish("iotprocessed", json.dumps(sent))
        eventually(lambda: any("caf" in line for line in tail.printed), what="the line")
    assert json.loads(tail.printed[-1]) == sent
    assert not any("Infinity" in line for line in tail.printed)
    assert not any("Traceback" in line for line in tail.said)
    assert tail.printed[-1].isascii(), "text of others must not steer the terminal"
    tail.wait_for("^left out: not a click")
    tail.send(signal.SIGINT)
    assert tail.end() == 130


def test_tail_ends_quietly_when_its_reader_does(
    amqtt: Program, environment: dict[str, str], tmp_path: Path
) -> None:
    command = f"{sys.executable} -m iot_button tail --broker {amqtt.address('mqtt')} | head -n 1"
    pipeline = subprocess.Popen(
        ["sh", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    with Listener(amqtt.port("mqtt")) as listener, pipeline:

        def ended() -> bool:
            listener.publish("iotprocessed", '{"serialNumber":"B1","clickType":"SINGLE"}')
            return pipeline.poll() is not None

        eventually(ended, what="head and tail end")
        output, errors = pipeline.communicate(timeout=DEADLINE)
    assert len(output.splitlines()) == 1
    assert "Traceback" not in errors


def test_doctor_finds_everything_well_while_all_runs(up: Up, start: Start) -> None:
    program = up()
    doctor = start(
        *("doctor", "--press"),
        IOT_BUTTON_BROKER_PORT=str(program.port("mqtt")),
        IOT_BUTTON_BROKER_WEBSOCKET_PORT=str(program.port("websocket")),
        IOT_BUTTON_DASHBOARD_PORT=str(program.port("dashboard")),
    )
    assert doctor.end() == 0, doctor.said
    states = {line[8:].split(":")[0]: line.split()[0] for line in doctor.said if "->" not in line}
    for absent in ("certificates", "bridges"):
        assert states.pop(absent) == "off"
    for optional in ("mosquitto", "brokers nearby", "device gpio", "device serial"):
        assert states.pop(optional) in ("ok", "absent", "off")
    assert states == dict.fromkeys(
        [
            *("python", "libraries", "state directory", "broker"),
            *("mqtt over websocket", "dashboard", "accounts", "press"),
        ],
        "ok",
    )


def test_doctor_names_the_command_for_what_does_not_run(start: Start) -> None:
    doctor = start(
        *("doctor", "--json"),
        IOT_BUTTON_BROKER_PORT=str(free_port()),
        IOT_BUTTON_BROKER_WEBSOCKET_PORT=str(free_port()),
        IOT_BUTTON_DASHBOARD_PORT=str(free_port()),
    )
    assert doctor.end() == 0
    findings = {f["subject"]: f for f in map(json.loads, doctor.printed)}
    for part in ("broker", "mqtt over websocket", "dashboard"):
        assert findings[part]["state"] == "off"
        assert findings[part]["mend"] == "start it: iot-button up"


def test_doctor_names_the_extra_of_a_button_whose_library_is_missing(
    start: Start, tmp_path: Path
) -> None:
    # A module that cannot be found, in front of the one that is installed.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'serial' else find(name, *more)\n"
    )
    doctor = start("doctor", "--json", PYTHONPATH=str(tmp_path))
    doctor.end()
    (found,) = [f for f in map(json.loads, doctor.printed) if f["subject"] == "device serial"]
    assert found["state"] == "absent"
    assert "iot-button[serial]" in found["mend"]


def test_doctor_tells_a_stranger_on_the_port_from_a_broker(amqtt: Program, start: Start) -> None:
    stranger = str(amqtt.port("websocket"))  # speaks HTTP, not MQTT
    doctor = start("doctor", IOT_BUTTON_BROKER_PORT=stranger, IOT_BUTTON_DASHBOARD_PORT="1")
    assert doctor.end() == 1
    doctor.wait_for("^broken +broker: no MQTT broker answers")


def test_a_state_directory_that_cannot_be_written_is_found(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    doctor = start(
        *("doctor", "--state-dir", str(tmp_path / "file" / "state")),
        IOT_BUTTON_BROKER_PORT=str(free_port()),
    )
    assert doctor.end() == 1
    doctor.wait_for("^broken +state directory: .* cannot be written")


def test_every_command_has_help_with_an_example(start: Start) -> None:
    for name in ("up", "press", "simulate", "tail", "broker", "functions", "dashboard", "doctor"):
        program = start(name, "--help")
        assert program.end() == 0
        assert f"Example: iot-button {name}" in "\n".join(program.printed)


def test_up_help_names_all_that_the_readme_uses(start: Start) -> None:
    program = start("up", "--help")
    program.end()
    text = "\n".join(program.printed)
    assert all(option in text for option in (*FREE_PORTS[::2], "--simulate", "--broker"))
