"""What one account may take of the broker, and what one that is gone leaves."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.account_door import AccountDoor
from broker.embedded import EmbeddedBroker
from broker.gate.client import Client
from broker.gate.limits import Limits
from iot_button.accounts_file import AccountFile, Role
from iot_button.settings import Settings
from tests.broker import wire_packets as packets
from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream
from tests.support import DEADLINE, eventually


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """The embedded broker, for two kept sessions of an account."""
    names = Settings(state_dir=str(tmp_path)).topic_names
    with EmbeddedBroker(
        host="127.0.0.1",
        port=0,
        websocket_port=0,
        journal=tmp_path / "journal.db",
        door=AccountDoor(tmp_path, names, open_without_accounts=True),
        limits=Limits(sessions=2, button_sessions=1),
    ) as running:
        yield running


def answered(broker: EmbeddedBroker, client_id: str, **options: Any) -> int:
    """Return the return code that a CONNECT is answered with."""
    with Wire(TcpStream(broker.port)) as wire:
        wire.send(packets.connect(client_id, **options))
        return wire.stream.receive(DEADLINE)[3]


def test_an_account_keeps_so_many_sessions_and_may_have_another_for_one_that_it_ends(
    broker: EmbeddedBroker,
) -> None:
    assert [answered(broker, name, clean=False) for name in ("a", "b", "c")] == [0, 0, 3]
    assert answered(broker, "a", clean=False) == 0
    assert answered(broker, "c", clean=True) == 0
    assert answered(broker, "b", clean=True) == 0
    assert answered(broker, "c", clean=False) == 0
    assert broker.figures.refused["too many sessions"] == 1


def test_a_buttons_account_keeps_fewer_sessions(broker: EmbeddedBroker, tmp_path: Path) -> None:
    file = AccountFile(tmp_path)
    file.add("door", role=Role.BUTTON, serial_number="DOOR", password="a good password")
    file.add("ada", role=Role.ADMIN, password="a good password")
    who = {"password": b"a good password", "clean": False}
    codes = {
        name: [answered(broker, f"{name}{n}", username=name, **who) for n in "123"]
        for name in ("door", "ada")
    }
    assert codes == {"door": [0, 3, 3], "ada": [0, 0, 3]}


@pytest.mark.parametrize("goes", ["close", "abort"])
def test_a_connection_that_is_gone_leaves_nothing_to_the_garbage_collector(
    broker: EmbeddedBroker, goes: str
) -> None:
    """Thousands of them collected at once kept all others waiting for 10 ms."""

    def clients() -> int:
        return sum(type(found) is Client for found in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        wire = Wire(TcpStream(broker.port))
        wire.connect("passing")
        assert clients() == 1
        getattr(wire.stream, goes)()
        eventually(lambda: clients() == 0, what="the client is freed")
    finally:
        gc.enable()
