"""Long work of clients in slices: who waits for whom. Nothing here depends on how fast it is."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator

import pytest

from broker.gate import packets as reader
from broker.gate.frames import MalformedError
from broker.gate.turns import Turns
from tests.support import run_async

Read = Callable[[bytes], Iterator[None]]


class Busy:
    """Work that takes a whole slice each time.

    Args:
        said: gets its name for each slice.
    """

    def __init__(self, name: str, slices: int, said: list[str]) -> None:
        self.name = name
        self.left = slices
        self.said = said

    def __call__(self, until: float) -> bool:
        while time.perf_counter() < until:
            pass
        self.said.append(self.name)
        self.left -= 1
        return self.left > 0


def heard(work: Callable[[Turns, list[str]], None], *, until: int) -> list[str]:
    """Return what was said, `turn` for each turn of the loop among it."""
    said: list[str] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def count() -> None:
            said.append("turn")
            loop.call_soon(count)

        work(Turns(), said)
        loop.call_soon(count)
        while len([one for one in said if one != "turn"]) < until:
            await asyncio.sleep(0)

    run_async(run())
    return said


def test_many_who_are_busy_get_one_slice_of_a_turn_together() -> None:
    def work(turns: Turns, said: list[str]) -> None:
        for name in "abc":
            turns.add(Busy(name, 2, said))

    said = heard(work, until=6)
    assert [one for one in said if one != "turn"] == list("abcabc")
    slices = [number for number, one in enumerate(said) if one != "turn"]
    assert all("turn" in said[a:b] for a, b in itertools.pairwise(slices))


def test_what_others_are_sent_goes_out_before_the_next_slice() -> None:
    """A write goes out when its turn of the loop ends: so there is one without a slice."""

    def work(turns: Turns, said: list[str]) -> None:
        busy = Busy("slice", 3, said)

        def work_and_be_read(until: float) -> bool:
            more = busy(until)
            asyncio.get_running_loop().call_soon(said.append, "flush")
            return more

        turns.add(work_and_be_read)

    said = [one for one in heard(work, until=6) if one != "turn"]
    assert said == ["slice", "flush"] * 3


def test_short_work_of_many_shares_a_slice() -> None:
    def work(turns: Turns, said: list[str]) -> None:
        def speak(_until: float) -> bool:
            said.append("short")
            return False

        for _ in range(3):
            turns.add(speak)

    said = heard(work, until=3)
    assert "short short short" in " ".join(said)


def test_work_that_fails_ends_nobody_elses() -> None:
    told: list[object] = []

    def fail(_until: float) -> bool:
        raise ValueError("broken")

    def work(turns: Turns, said: list[str]) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: told.append(context["exception"])
        )
        turns.add(fail)
        turns.add(Busy("other", 2, said))

    heard(work, until=2)
    assert [str(error) for error in told] == ["broken"]


@pytest.mark.parametrize(
    ("read", "filter_bytes"),
    [(reader.subscribe, b"\x00\x01a\x00"), (reader.unsubscribe, b"\x00\x01a")],
)
def test_a_packet_of_many_filters_is_read_a_filter_at_a_step(
    read: Read, filter_bytes: bytes
) -> None:
    """All of 1 MiB at once took half a second."""
    steps = read(b"\x00\x01" + filter_bytes * 20_000)
    assert len(list(steps)) == 20_000


@pytest.mark.parametrize(
    ("read", "filter_bytes"),
    [(reader.subscribe, b"\x00\x01a\x00"), (reader.unsubscribe, b"\x00\x01a")],
)
def test_a_packet_of_more_filters_than_a_session_may_have_is_not_read_further(
    read: Read, filter_bytes: bytes
) -> None:
    """To let go of 300,000 took 10 ms."""
    steps = read(b"\x00\x01" + filter_bytes * 20_001)
    for _ in range(20_000):
        next(steps)
    with pytest.raises(MalformedError, match="more than 20000 topic filters"):
        next(steps)
