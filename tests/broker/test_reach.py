"""Listening beyond loopback: with accounts, and never without."""

from pathlib import Path

import pytest

from iot_button.hosts import reachable
from tests.broker.guarded import House, added, answer
from tests.conftest import Start
from tests.support import require_program

FREE = ("--port", "0", "--websocket-port", "0")
EVERYWHERE = {"IOT_BUTTON_BROKER_HOST": "0.0.0.0"}


@pytest.fixture(params=["amqtt", "mosquitto"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each broker's name in turn."""
    if request.param == "mosquitto":
        require_program("mosquitto", "mosquitto")
    return str(request.param)


def test_without_accounts_it_refuses_and_names_the_command_that_makes_one(
    start: Start, kind: str
) -> None:
    for command in ("broker", "up"):
        program = start(
            command, "--broker", kind, *FREE, IOT_BUTTON_DASHBOARD_PORT="0", **EVERYWHERE
        )
        assert program.end() not in (0, -9), command
        program.wait_for("beyond loopback")
        program.wait_for("make one: iot-button account add NAME --admin")
        assert not any(line.startswith("ready") for line in program.said)
        assert not any("Traceback" in line for line in program.said)


def test_with_accounts_it_listens_warns_and_lets_nobody_in_without_one(
    start: Start, environment: dict[str, str], kind: str
) -> None:
    password = added(environment, "me", "--admin")
    broker = start("broker", "--broker", kind, *FREE, **EVERYWHERE)
    house = House(broker, environment, {"me": password})
    assert broker.address("mqtt") == f"mqtt://{reachable('0.0.0.0')}:{broker.port('mqtt')}"
    broker.wait_for("without TLS, passwords cross the network in clear text")
    for way in ("mqtt", "websocket"):
        assert answer(house, None, None, way=way) == 5
        assert answer(house, "me", "wrong", way=way) == 5
        assert answer(house, "me", password, way=way) == 0


def test_a_damaged_account_file_stops_the_start(
    start: Start, environment: dict[str, str], kind: str, tmp_path: Path
) -> None:
    added(environment, "me", "--admin")
    file = next(tmp_path.rglob("accounts.json"))
    file.write_bytes(file.read_bytes()[:-20])
    program = start("broker", "--broker", kind, *FREE)
    assert program.end() == 1
    program.wait_for("no list of accounts")
    assert not any("Traceback" in line for line in program.said)


def test_a_broker_that_lets_web_pages_in_says_so(
    start: Start, kind: str, environment: dict[str, str]
) -> None:
    def warnings(lines: list[str]) -> list[str]:
        return [line for line in lines if "any web page" in line]

    broker = start("broker", "--broker", kind, *FREE)
    broker.wait_for("^ready")
    assert bool(warnings(broker.said)) == (kind == "mosquitto")
    broker.stop()
    added(environment, "me", "--admin")
    guarded = start("broker", "--broker", kind, *FREE)
    guarded.wait_for("^ready")
    assert not warnings(guarded.said)


@pytest.mark.parametrize("origin", ["foo", "https://example.com/path", "https://", '["https://a"]'])
def test_what_is_no_web_origin_is_refused_with_its_form(start: Start, origin: str) -> None:
    broker = start("broker", *FREE, IOT_BUTTON_BROKER_WEBSOCKET_ORIGINS=origin)
    assert broker.end() == 2
    broker.wait_for("is no web origin")
    broker.wait_for("https://pages.example.com")
    broker.wait_for("ORIGINS without quotes, several with commas")
