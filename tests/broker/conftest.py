"""Fixtures of the brokers' tests: one broker for many tests of a file, and clients that end."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker.guarded import (
    EVERYONE,
    ROLES,
    Build,
    Enter,
    House,
    added,
    arguments_of,
    environment_of,
)
from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream, WebSocketStream
from tests.support import Program, require_program

HERE = Path(__file__).parent
FREE = ("--port", "0", "--websocket-port", "0")


COMPARED = ("hostile", "known_client_ids", "malformed", "random_lives", "standard", "strain")
"""Parts of the names of files whose tests with mosquitto tell of mosquitto alone."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave comparisons out unless they are asked for: a third of the brokers' time."""
    if config.getoption("--peers"):
        return
    left_out = [
        item
        for item in items
        if item.path.parent == HERE
        and "[mosquitto" in item.name
        and any(part in item.path.name for part in COMPARED)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="module", params=["embedded", "mosquitto"])
def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """Each broker in turn, one for all tests of a file: each test has topics of its own."""
    arguments: tuple[str, ...] = ("broker", *FREE)
    if request.param == "mosquitto":
        require_program("mosquitto", "mosquitto")
        arguments += ("--broker", "mosquitto")
    home = tmp_path_factory.mktemp(request.param)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IOT_BUTTON_", "XDG_"))}
    program = Program(
        *arguments, environment=kept | {"HOME": str(home), "PYTHONUNBUFFERED": "1"}, directory=home
    )
    try:
        program.address("mqtt")
        yield program
    finally:
        program.stop()


Dial = Callable[..., Wire]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Open a connection to a broker, over TCP or `way="websocket"`; all are closed at the end."""
    wires: list[Wire] = []

    def open_one(broker: Program, *, way: str = "mqtt", receive_buffer: int | None = None) -> Wire:
        if way == "mqtt":
            wire = Wire(TcpStream(broker.port("mqtt"), receive_buffer=receive_buffer))
        else:
            wire = Wire(WebSocketStream(broker.address("websocket")))
        wires.append(wire)
        return wire

    yield open_one
    for wire in wires:
        wire.stream.close()


Join = Callable[..., Wire]


@pytest.fixture
def join(standing: Program, dial: Dial) -> Join:
    """Connect to the standing broker with a CONNECT of these options."""

    def join_one(client_id: str = "", **options: object) -> Wire:
        wire = dial(standing)
        wire.connect(client_id, **options)  # type: ignore[arg-type]  # as they are there
        return wire

    return join_one


_numbers = itertools.count()


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses. It is good as a client id, too."""
    return f"t{next(_numbers)}"


@pytest.fixture
def is_mosquitto(standing: Program) -> bool:
    """Whether the standing broker is mosquitto: for what 2.0.11 itself does differently."""
    return "mosquitto" in standing.arguments


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """Make accounts, and start a broker that has them; all brokers end with the file."""
    programs: list[Program] = []

    def one(kind: str, names: tuple[str, ...] = EVERYONE) -> House:
        home = tmp_path_factory.mktemp(kind)
        environment = environment_of(home)
        accounts = {name: added(environment, name, *ROLES[name]) for name in names}
        broker = Program(*arguments_of(kind), environment=environment, directory=home)
        programs.append(broker)
        broker.address("mqtt")
        return House(broker, environment, accounts)

    yield one
    for program in programs:
        program.stop()


@pytest.fixture
def enter() -> Iterator[Enter]:
    """Connect with an account; all connections are closed at the end."""
    wires: list[Wire] = []

    def one(house: House, name: str, client_id: str = "", **options: object) -> Wire:
        wire = Wire(TcpStream(house.broker.port("mqtt")))
        wires.append(wire)
        credentials = {"username": name, "password": house.accounts[name]}
        wire.connect(client_id, **credentials, **options)  # type: ignore[arg-type]  # as they are
        return wire

    yield one
    for wire in wires:
        wire.stream.close()
