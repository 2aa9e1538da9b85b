"""A device that only writes down what its driver tells it, on a real loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import pytest

from device_sim.drivers.base import Driver, Presence
from iot_button.events import ClickType
from iot_button.loop import Loop
from tests.support import DEADLINE, runs_until


class Recorder:
    """Keeps what a driver says, in order, as tuples whose first item is the method's name."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.said: list[tuple[object, ...]] = []
        self.takes_payloads = True

    def edge(self, is_pressed: bool, moment: float) -> None:
        self.said.append(("edge", is_pressed, moment))

    def start_over(self) -> None:
        self.said.append(("start_over",))

    def clicked(self, click_type: ClickType) -> None:
        self.said.append(("clicked", click_type))

    def sent(self, payload: bytes) -> bool:
        self.said.append(("sent", payload))
        return self.takes_payloads

    def present(self, presence: Presence) -> None:
        self.said.append(("present", presence))

    def ended(self) -> None:
        self.said.append(("ended",))

    @property
    def edges(self) -> list[bool]:
        """Which way each edge went."""
        return [bool(said[1]) for said in self.said if said[0] == "edge"]

    def of(self, kind: str) -> list[object]:
        """What was said by one method: its first argument each time."""
        return [said[1] for said in self.said if said[0] == kind]

    def run_until(
        self, condition: Callable[[], object], *, what: str, deadline: float = DEADLINE
    ) -> None:
        """Let the loop run until the condition is true."""
        if not runs_until(self.loop, condition, deadline=deadline):
            pytest.fail(f"not within {deadline:g} s: {what}; said: {self.said[-5:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.loop.close()


@contextmanager
def opened(driver: Driver) -> Iterator[Recorder]:
    """Open a driver on a recorder, and close both at the end."""
    with Recorder() as recorder:
        driver.open(recorder.loop, recorder)
        try:
            yield recorder
        finally:
            driver.close()
