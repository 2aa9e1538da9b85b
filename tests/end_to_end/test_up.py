"""`iot-button up`: one command, and a stop that stops."""

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.end_to_end.conftest import FREE_PORTS, Up, children, is_alive
from tests.support import DEADLINE, Listener, Program, eventually, is_listening, require_program

PORTS = ("mqtt", "websocket", "dashboard")


def press(start: Start, program: Program) -> None:
    pressed = start("press", "--broker", program.address("mqtt"))
    assert pressed.end() == 0, pressed.said
    assert json.loads(pressed.printed[0])["serialNumber"] == "BUTTON-1"


def fetch(program: Program, path: str) -> Any:
    """Ask the dashboard."""
    url = program.address("dashboard").rstrip("/") + path
    with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 - our own address
        return json.load(answer)


def test_one_ready_line_has_every_address_and_a_press_is_processed(up: Up, start: Start) -> None:
    program = up()
    ready = [line for line in program.said if line.startswith("ready")]
    assert len(ready) == 1
    assert all(is_listening(program.port(name)) for name in PORTS)
    press(start, program)
    found = fetch(program, "/api/functions")
    assert found["problem"] is None
    assert found["functions"][0]["name"] == "enrich"
    eventually(lambda: fetch(program, "/api/clicks")["clicks"] != [], what="the click is there")
    assert fetch(program, "/api/clicks/1/trace")["function"] == "enrich"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)]
)
def test_it_stops_within_5_seconds_and_leaves_no_process_and_no_port(
    up: Up, number: signal.Signals, status: int
) -> None:
    program = up("--simulate", "3", "--rate", "50")
    parts = children(program.process.pid)
    assert set(parts) == {"broker", "functions", "dashboard", "simulate"}
    ports = [program.port(name) for name in PORTS]
    program.send(number)
    assert program.end(deadline=5.0) == status
    assert not any(map(is_alive, parts.values()))
    assert not any(map(is_listening, ports))
    assert not any("Traceback" in line for line in program.said)


def test_no_part_outlives_it_when_it_is_killed(up: Up) -> None:
    program = up("--simulate", "3")
    parts = children(program.process.pid)
    program.send(signal.SIGKILL)
    program.end()
    eventually(lambda: not any(map(is_alive, parts.values())), what="the parts end by themselves")


@pytest.mark.parametrize("part", ["broker", "functions", "dashboard"])
def test_a_part_that_is_killed_is_started_again_on_the_same_port(
    up: Up, start: Start, part: str
) -> None:
    program = up()
    killed = children(program.process.pid)[part]
    os.kill(killed, signal.SIGKILL)
    program.wait_for(f"^{part} ended \\(killed by SIGKILL\\); starting it again in")
    program.wait_for(f"^{part} is ready again")
    assert children(program.process.pid)[part] != killed
    assert all(is_listening(program.port(name)) for name in PORTS)
    if part == "broker":
        # The others come back to it within their reconnect delay.
        eventually(lambda: _presses(start, program), what="a press is processed again")
    else:
        press(start, program)


def _running_functions(program: Program) -> dict[str, int]:
    parts = children(program.process.pid)
    return parts if "functions" in parts else {}


def _presses(start: Start, program: Program) -> bool:
    return start("press", "--timeout", "1", "--broker", program.address("mqtt")).end() == 0


def test_a_part_that_dies_again_and_again_is_waited_for_longer_and_longer(up: Up) -> None:
    program = up("--no-dashboard")
    for delay in ("0.2", "0.4", "0.8"):
        parts = eventually(lambda: _running_functions(program), what="functions runs")
        os.kill(parts["functions"], signal.SIGKILL)
        program.wait_for(f"^functions ended .* in {delay} s")


def test_a_taken_port_stops_everything_and_says_what_to_do(up: Up, start: Start) -> None:
    port = str(up("--no-dashboard").port("mqtt"))
    second = start("up", *FREE_PORTS, "--port", port)
    assert second.end(deadline=30) == 1
    words = "\n".join(second.said)
    assert f"port {port} on 127.0.0.1 is taken by another program" in words
    assert f"--broker mqtt://127.0.0.1:{port}" in words
    assert second.said[-1] == "iot-button: broker did not start; its reason is above"


def test_a_taken_dashboard_port_takes_the_other_parts_down_again(
    up: Up, start: Start, tmp_path: Path
) -> None:
    port = str(up().port("dashboard"))
    own_state = ("--state-dir", str(tmp_path / "second"))
    second = start("up", *FREE_PORTS, *own_state, "--dashboard-port", port)
    assert second.end(deadline=30) == 1
    assert f"port {port} on 127.0.0.1 is taken" in "\n".join(second.said)
    assert children(second.process.pid) == {}


def test_a_broker_that_runs_already_is_used_and_left_running(
    broker: Program, up: Up, start: Start
) -> None:
    program = up("--broker", broker.address("mqtt"))
    assert set(children(program.process.pid)) == {"functions", "dashboard"}
    assert program.address("mqtt") == broker.address("mqtt")
    press(start, program)
    assert program.stop() == 0
    assert is_listening(broker.port("mqtt"))


def test_mosquitto_is_run_and_stopped_with_it(up: Up, start: Start) -> None:
    require_program("mosquitto", "mosquitto")
    program = up("--broker", "mosquitto")
    press(start, program)
    port = program.port("mqtt")
    os.kill(children(program.process.pid)["broker"], signal.SIGKILL)
    program.wait_for("^broker is ready again")
    assert is_listening(port)
    assert program.stop() == 0
    assert not is_listening(port)


def test_without_a_dashboard_none_is_started(up: Up) -> None:
    program = up("--no-dashboard")
    assert "dashboard" not in program.wait_for("^ready up.*")[0]


def test_a_broken_settings_file_is_one_error(start: Start) -> None:
    program = start("up", IOT_BUTTON_BROKER_PORT="eighteen")
    assert program.end() == 2
    assert "IOT_BUTTON_BROKER_PORT" in program.said[0]
    assert "'eighteen'" in program.said[0]


def test_verbose_reaches_the_parts(up: Up) -> None:
    program = up("--no-dashboard", "--verbose")
    program.wait_for("^broker: .* DEBUG ")


def test_a_part_that_dies_of_a_signal_without_a_name_is_started_again(up: Up) -> None:
    program = up("--no-dashboard")
    os.kill(children(program.process.pid)["functions"], signal.SIGRTMIN + 1)
    program.wait_for("^functions ended \\(killed by signal ")
    program.wait_for("^functions is ready again")


def test_a_named_settings_file_is_the_only_one_that_is_read(up: Up, tmp_path: Path) -> None:
    (tmp_path / "iot-button.toml").write_text("[broker]\nprot = 1\n")
    (tmp_path / "good.toml").write_text('[topics]\nprefix = "home"\n')
    program = up("--no-dashboard", "--config", "good.toml")
    with Listener(program.port("mqtt"), "home/iotprocessed") as listener:
        listener.publish("home/iotbutton/B1", '{"serialNumber":"B1","clickType":"SINGLE"}')
        assert listener.next().topic == "home/iotprocessed"


@pytest.mark.parametrize("command", ["tail", "functions", "dashboard", "simulate", "press"])
def test_ctrl_c_is_heard_while_a_broker_does_not_answer(start: Start, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = start(command, "--broker", f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        connection, _address = silent.accept()
        with connection:
            program.send(signal.SIGINT)
            assert program.end(deadline=5.0) == 130
    assert not any("Traceback" in line for line in program.said)


@pytest.mark.parametrize(
    "options",
    [("simulate", "--rate", "nan"), ("simulate", "--duration", "inf"), ("up", "--rate", "1e300")],
)
def test_numbers_without_sense_are_wrong_usage(start: Start, options: tuple[str, ...]) -> None:
    assert start(*options).end() == 2
