"""Fixtures for all tests: a clean place to run in, programs that are stopped, two real brokers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Program, require_program

Start = Callable[..., Program]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The process environment, without settings of the developer's own and with an empty home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IOT_BUTTON_", "XDG_"))}
    return kept | {"HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start `iot-button ARGUMENTS` as a child process; all are stopped at the end."""
    programs: list[Program] = []

    def start_one(*arguments: str, **more: str) -> Program:
        program = Program(*arguments, environment=environment | more, directory=tmp_path)
        programs.append(program)
        return program

    yield start_one
    for program in reversed(programs):
        program.stop()


@pytest.fixture
def amqtt(start: Start) -> Program:
    """The embedded broker on free ports, ready."""
    broker = start("broker", "--port", "0", "--websocket-port", "0")
    broker.address("mqtt")
    return broker


@pytest.fixture
def mosquitto(start: Start) -> Program:
    """mosquitto as our child on free ports, ready."""
    require_program("mosquitto", "mosquitto")
    broker = start("broker", "--broker", "mosquitto", "--port", "0", "--websocket-port", "0")
    broker.address("mqtt")
    return broker


@pytest.fixture(params=["amqtt", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> Program:
    """Each broker in turn."""
    program: Program = request.getfixturevalue(request.param)
    return program
