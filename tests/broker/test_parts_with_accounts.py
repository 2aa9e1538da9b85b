"""Each part on a machine of its own, with an account that may no more than it needs."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.board import Board
from tests.broker.guarded import Build, Enter, House, environment_of, received
from tests.support import DEADLINE, Program, eventually

AMISS = ("refuses us", "may not publish", "Traceback", "not granted", "refused")


@pytest.fixture(scope="module", params=["amqtt", "mosquitto"])
def house(request: pytest.FixtureRequest, build: Build) -> House:
    """Each broker in turn, with an account of each role."""
    return build(request.param)


class Machines:
    """Parts elsewhere: with state of their own, and the account of a name alone."""

    def __init__(self, house: House, folder: Path) -> None:
        self._house = house
        self._folder = folder
        self.programs: list[Program] = []

    def start(self, name: str, *arguments: str) -> Program:
        home = self._folder / name
        home.mkdir()
        account = {
            "IOT_BUTTON_BROKER_USERNAME": name,
            "IOT_BUTTON_BROKER_PASSWORD": self._house.accounts[name],
            "IOT_BUTTON_DASHBOARD_PORT": "0",
        }
        program = Program(
            *arguments,
            *("--broker", self._house.broker.address("mqtt")),
            environment=environment_of(home) | account,
            directory=home,
        )
        self.programs.append(program)
        program.wait_for("^ready")
        return program


@pytest.fixture
def machines(house: House, tmp_path: Path) -> Iterator[Machines]:
    """Machines; their parts end with the test."""
    some = Machines(house, tmp_path)
    yield some
    for program in reversed(some.programs):
        program.stop()


def press_on_page(port: int, serial_number: str) -> int:
    """Press the button on the dashboard's page, and return the answer's status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    body = json.dumps({"serialNumber": serial_number, "clickType": "SINGLE"})
    try:
        connection.request("POST", "/api/press", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_each_part_works_with_its_own_account_alone(
    house: House, enter: Enter, machines: Machines
) -> None:
    watcher = enter(house, "admin")
    watcher.subscribe(("#", 0))
    board = Board()
    machines.start("function", "functions")
    dashboard = machines.start("dashboard", "dashboard")
    machines.start(
        "door",
        *("device", "serial", "--port", board.port, "--serial", "DOOR"),
        *("--double-window", "0", "--home-assistant"),
    )
    eventually(lambda: board.hellos, what="the device opens the line")
    assert board.press(timeout=DEADLINE)
    board.wait_for("LIGHT processed")
    assert press_on_page(dashboard.port("dashboard"), "BELL") < 300
    topics: list[str] = []
    while topics.count("iotprocessed") < 2:
        topics.append(watcher.message().topic)
    topics += [message.topic for message in received(watcher)]
    assert {
        "iotbutton/BELL",
        "iotbutton/DOOR",
        "iotbutton/DOOR/action",
        "iotbutton/DOOR/receipt",
        "iotbutton/DOOR/status",
        "homeassistant/device/iotbutton_DOOR/config",
    } <= set(topics)
    for program in machines.programs:
        assert program.stop() == 0
    said = [line for program in (*machines.programs, house.broker) for line in program.said]
    assert not [line for line in said if any(word in line for word in AMISS)]
