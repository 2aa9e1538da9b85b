"""The broker's journal: when an acknowledgement may go out, and what is on disk then."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from broker.gate.journal import Journal
from broker.gate.turns import TURN, Turns
from iot_button.errors import IotButtonError
from tests.support import run_async

ADD = (1 << 40 | 1, "a/b", b"payload", 1)


class Receiver:
    """Hears acknowledgements, and what was on disk at that moment."""

    def __init__(self, path: Path) -> None:
        self.heard: list[bytes] = []
        self._path = path

    def acknowledge(self, packet: bytes) -> None:
        self.heard.append(packet)


def run(path: Path, work: Callable[[Journal, Receiver], Awaitable[None]]) -> Receiver:
    """Run some work with a journal that is open."""
    receiver = Receiver(path)

    async def all_of_it() -> None:
        failed = asyncio.get_running_loop().create_future()
        journal = Journal(path, on_failure=failed.set_exception, turns=Turns())
        await journal.start()
        await work(journal, receiver)
        await journal.close()
        failed.cancel()

    run_async(all_of_it())
    return receiver


def kept(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT * FROM deliveries").fetchall()
    connection.close()
    return rows


async def heard(receiver: Receiver, count: int) -> None:
    while len(receiver.heard) < count:
        await asyncio.sleep(0)


def test_an_acknowledgement_waits_for_the_disk(tmp_path: Path) -> None:
    async def work(journal: Journal, receiver: Receiver) -> None:
        journal.add(*ADD)
        journal.acknowledge(receiver, b"1")
        assert receiver.heard == []
        await heard(receiver, 1)
        assert await journal.read_all("SELECT * FROM deliveries") == [ADD]

    run(tmp_path / "journal.db", work)


def test_acknowledgements_keep_their_order(tmp_path: Path) -> None:
    async def work(journal: Journal, receiver: Receiver) -> None:
        journal.acknowledge(receiver, b"0")
        assert receiver.heard == [b"0"]  # there was nothing to wait for
        journal.add(*ADD)
        for number in range(1, 5):
            journal.acknowledge(receiver, b"%d" % number)
        await heard(receiver, 5)
        assert receiver.heard == [b"0", b"1", b"2", b"3", b"4"]

    run(tmp_path / "journal.db", work)


class Slow(Receiver):
    """Takes a whole turn for each acknowledgement, and counts the turns of the loop."""

    turns = 0

    def acknowledge(self, packet: bytes) -> None:
        super().acknowledge(packet)
        until = time.perf_counter() + TURN
        while time.perf_counter() < until:
            pass

    def count(self) -> None:
        self.turns += 1
        asyncio.get_running_loop().call_soon(self.count)


def test_many_acknowledgements_go_out_in_turns_with_everything_else_and_in_order(
    tmp_path: Path,
) -> None:
    """Those of one client, all at once, kept others waiting for 1 ms."""

    async def work(journal: Journal, _: Receiver) -> None:
        slow = Slow(tmp_path)
        slow.count()
        journal.add(*ADD)
        for number in range(20):
            journal.acknowledge(slow, b"%d" % number)
        await heard(slow, 1)
        before = slow.turns
        journal.acknowledge(slow, b"20")  # it has nothing to wait for but the ones before
        await heard(slow, 21)
        assert slow.heard == [b"%d" % number for number in range(21)]
        assert slow.turns - before >= 20

    run(tmp_path / "journal.db", work)


def test_an_error_of_one_ends_nobody_elses_acknowledgements(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("broken")

    async def work(journal: Journal, receiver: Receiver) -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: told.append(context["exception"])
        )
        journal.add(*ADD)
        journal.afterwards(fail)
        await asyncio.sleep(0)  # it is being written, and what follows waits for the next one
        journal.add(ADD[0] + 1, "a/b", b"", 1)
        journal.acknowledge(receiver, b"1")
        await heard(receiver, 1)
        journal.acknowledge(receiver, b"2")
        assert receiver.heard == [b"1", b"2"]
        assert [str(error) for error in told] == ["broken"]

    run(tmp_path / "journal.db", work)


def test_what_is_ended_before_it_is_written_is_not_written(tmp_path: Path) -> None:
    async def work(journal: Journal, receiver: Receiver) -> None:
        journal.add(*ADD)
        journal.acknowledge(receiver, b"1")
        journal.end(ADD[0])
        await heard(receiver, 1)

    path = tmp_path / "journal.db"
    assert run(path, work).heard == [b"1"]
    assert kept(path) == []


def test_what_is_told_last_is_on_disk_after_the_end(tmp_path: Path) -> None:
    async def work(journal: Journal, _: Receiver) -> None:
        journal.add(*ADD)

    path = tmp_path / "journal.db"
    run(path, work)
    assert kept(path) == [ADD]


def test_a_second_broker_on_one_journal_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    async def work(_journal: Journal, _: Receiver) -> None:
        with pytest.raises(IotButtonError, match=str(path)):
            await Journal(path, on_failure=print, turns=Turns()).start()

    run(path, work)


def test_a_failure_that_nobody_can_mend_ends_it_and_acknowledges_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        failed = asyncio.get_running_loop().create_future()
        journal = Journal(tmp_path / "j.db", on_failure=failed.set_exception, turns=Turns())
        await journal.start()
        receiver = Receiver(tmp_path)
        journal.tell("INSERT INTO nothing VALUES (1)")
        journal.acknowledge(receiver, b"1")
        with pytest.raises(IotButtonError):
            await failed
        assert receiver.heard == []

    run_async(work())
