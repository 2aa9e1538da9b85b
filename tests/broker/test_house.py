"""An installation's own parts go on without a word of settings when accounts come."""

import json

import pytest

from tests.broker.guarded import added, run_account
from tests.conftest import Start
from tests.support import Program, eventually, require_program

QUIET = ("refuses us", "may not publish", "Traceback", "not granted")


@pytest.fixture(params=["amqtt", "mosquitto"])
def up(request: pytest.FixtureRequest, start: Start) -> Program:
    """`iot-button up` with each broker in turn, ready."""
    if request.param == "mosquitto":
        require_program("mosquitto", "mosquitto")
    program = start(
        *("up", "--broker", request.param, "--port", "0", "--websocket-port", "0"),
        IOT_BUTTON_DASHBOARD_PORT="0",
    )
    program.wait_for("^ready up", deadline=30)
    return program


def press(start: Start, port: int, **more: str) -> None:
    """Press as on this machine: at our own broker, on its port."""
    pressed = start("press", IOT_BUTTON_BROKER_PORT=str(port), **more)
    assert pressed.end() == 0, pressed.said
    assert json.loads(pressed.printed[0])["clickType"] == "SINGLE"


def test_they_go_on_when_the_first_account_comes_and_are_not_disturbed_by_more(
    up: Program, start: Start, environment: dict[str, str]
) -> None:
    port = up.port("mqtt")
    press(start, port)
    added(environment, "me", "--admin")
    refused = start("tail", "--broker", f"mqtt://127.0.0.1:{port}")
    refused.wait_for("refuses us")
    refused.stop()
    press(start, port)
    added(environment, "door", "--button", "DOOR")
    run_account(environment, "remove", "me")
    press(start, port)
    assert up.stop() == 0
    assert not [line for line in up.said if any(word in line for word in QUIET)]


def test_they_start_with_accounts_that_are_there(start: Start, environment: dict[str, str]) -> None:
    added(environment, "me", "--admin")
    program = start(
        *("up", "--port", "0", "--websocket-port", "0", "--simulate", "2", "--rate", "5"),
        IOT_BUTTON_DASHBOARD_PORT="0",
    )
    program.wait_for("^ready up", deadline=30)
    press(start, program.port("mqtt"))
    tail = start("tail", IOT_BUTTON_BROKER_PORT=str(program.port("mqtt")))
    eventually(lambda: tail.printed, what="a processed click of a simulated button")
    assert program.stop() == 0
    assert not [line for line in program.said if any(word in line for word in QUIET)]
