"""The retained status: when it is said, and what it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device_sim.drivers.base import Presence
from device_sim.status import OFFLINE, REFRESH_EVERY, SETTLING, Status, facts, signal_strength
from iot_button.events import parse_instant
from iot_button.loop import Loop
from tests.device_sim.workbench import Machine, pass_time, time_of

WIRELESS = """\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
"""


class Board:
    """A status that is written down."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.loop = Loop()
        self.said: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {"driver": "gpio", "firmware": None, "waiting": 0}
        self.status = Status(
            self.loop,
            facts=lambda: self.facts,
            publish=lambda payload: self.said.append(msgspec.json.decode(payload)),
        )

    def pass_time(self, seconds: float) -> None:
        pass_time(self.loop, self.machine, seconds)

    @property
    def states(self) -> list[str]:
        return [said["state"] for said in self.said]


@pytest.fixture
def board() -> Iterator[Board]:
    machine = Machine()
    with time_of(machine):
        board = Board(machine)
        yield board
        board.loop.close()


def test_it_is_said_at_each_connection_for_the_broker_may_have_said_our_will(board: Board) -> None:
    board.status.connected()
    board.status.lost()
    board.status.connected()
    assert board.states == ["online", "online"]


def test_it_says_what_is_known_and_when(board: Board) -> None:
    board.status.connected()
    (said,) = board.said
    assert parse_instant(said.pop("lastSeen")).year > 2000
    assert said == {"state": "online", "driver": "gpio", "waiting": 0}


def test_many_changes_are_said_together_with_the_last_word(board: Board) -> None:
    board.status.connected()
    for number in range(1, 50):
        board.facts["waiting"] = number
        board.status.changed()
        board.pass_time(0.01)
    assert len(board.said) == 1
    board.pass_time(1.0)
    assert [said["waiting"] for said in board.said] == [0, 49]


def test_changes_that_never_end_are_said_all_the_same(board: Board) -> None:
    board.status.connected()
    for _ in range(40):
        board.status.changed()
        board.pass_time(0.25)
    assert 5 <= len(board.said) - 1 <= 10


def test_it_is_said_again_when_nothing_changes(board: Board) -> None:
    board.status.connected()
    board.pass_time(SETTLING + 1.0)
    before = len(board.said)
    board.pass_time(3 * REFRESH_EVERY + 1.0)
    assert len(board.said) - before == 3


@pytest.mark.parametrize("moment", [1.0, 22.5, SETTLING])
def test_a_will_that_comes_behind_the_new_connection_does_not_stay(
    board: Board, moment: float
) -> None:
    board.status.connected()
    board.pass_time(moment - 0.5)
    board.status.changed()  # said for another reason, and before the will
    board.pass_time(0.25)
    before = len(board.said)
    board.pass_time(11.0)
    assert len(board.said) > before
    assert len(board.said) <= 7


def test_hardware_that_sleeps_or_is_gone_is_said_at_once_and_once(board: Board) -> None:
    board.status.connected()
    for presence in (Presence.SLEEPING, Presence.SLEEPING, Presence.OFFLINE, Presence.ONLINE):
        board.status.present(presence)
    assert board.states == ["online", "sleeping", "offline", "online"]


def test_nothing_is_said_without_a_broker_and_the_last_word_when_there_is_one(
    board: Board,
) -> None:
    board.status.present(Presence.OFFLINE)
    board.status.changed()
    board.pass_time(2 * REFRESH_EVERY)
    assert board.said == []
    board.status.connected()
    assert board.states == ["offline"]


def test_the_end_is_said_and_nothing_after_it(board: Board) -> None:
    board.status.connected()
    board.status.changed()
    board.status.close()
    board.pass_time(2 * REFRESH_EVERY)
    assert board.states == ["online", "offline"]


def test_the_end_without_a_broker_is_left_to_the_will(board: Board) -> None:
    board.status.close()
    board.status.connected()
    board.status.lost()
    assert msgspec.json.decode(OFFLINE) == {"state": "offline"}
    assert board.states == ["offline"]


def test_the_facts_have_the_form_of_the_wire() -> None:
    said = facts(driver="gpio", firmware="1.2", battery=2987, waiting=3, given_up=1)
    assert said["batteryVoltage"] == "2987mV"
    assert (said["driver"], said["firmware"]) == ("gpio", "1.2")
    assert (said["waiting"], said["givenUp"]) == (3, 1)
    assert re.match(r"\d+\.", said["version"])
    none = facts(driver="gpio", firmware=None, battery=None, waiting=0, given_up=0)
    assert none["batteryVoltage"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            WIRELESS + " wlan0: 0000   54.  -56.  -256        0      0      0      0     10   0\n",
            -56,
        ),
        (
            WIRELESS + "wlp0s20f3: 0000   70  -38.5  -256     0      0      0      0     10   0\n",
            -38,
        ),
        (
            WIRELESS + " wlan0: 0000   54.  200.  0           0      0      0      0     10   0\n",
            None,
        ),
        (WIRELESS, None),
        (WIRELESS + "\n", None),
        (WIRELESS + " wlan0: 0000\n", None),
        (WIRELESS + " wlan0: 0000 a b c\n", None),
        (WIRELESS + " wlan0: 0000 1 nan 3\n", None),
        (WIRELESS + " wlan0: 0000 1 -inf 3\n", None),
        ("", None),
        ("\xff\n" * 3, None),
    ],
    ids=[
        "usual",
        "fraction",
        "no dBm",
        "none",
        "blank",
        "cut",
        "words",
        "nan",
        "inf",
        "empty",
        "odd",
    ],
)
def test_the_signal_is_said_in_dbm_where_it_is_known(
    tmp_path: Path, text: str, expected: int | None
) -> None:
    path = tmp_path / "wireless"
    path.write_text(text, "latin-1")
    assert signal_strength(path) == expected


def test_a_machine_without_wireless_says_no_signal(tmp_path: Path) -> None:
    assert signal_strength(tmp_path / "none") is None
