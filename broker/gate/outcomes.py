"""What follows when a transaction is on the disk: handed over in order, and in turns.

A transaction can have thousands of acknowledgements waiting for it, of many clients.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from broker.gate.turns import TURN, Turns


class Receiver(Protocol):
    """Who gets an acknowledgement."""

    def acknowledge(self, packet: bytes) -> None:
        """Send it."""
        ...


class Outcomes:
    """Hands over what is due, for the length of a turn at once, and what is left a slice at a time.

    Args:
        turns: takes what is left.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._due: deque[Iterator[None]] = deque()

    @property
    def are_due(self) -> bool:
        """Whether something is not handed over yet: what comes now has to wait behind it."""
        return bool(self._due)

    def add(self, calls: list[Callable[[], None]], answers: list[tuple[Receiver, bytes]]) -> None:
        """Hand over what has waited for one transaction, behind what is due already."""
        if not calls and not answers:
            return
        self._due.append(_steps(calls, answers))
        if len(self._due) == 1 and self._hand_over(time.perf_counter() + TURN):
            self._turns.add(self._hand_over)

    def _hand_over(self, until: float) -> bool:
        try:
            while self._due:
                for _ in self._due[0]:
                    if time.perf_counter() >= until:
                        return True
                self._due.popleft()
        except BaseException:  # told by the loop; those of other transactions do not wait for it
            self._due.popleft()
            if self._due:
                self._turns.add(self._hand_over)
            raise
        return False


def _steps(
    calls: list[Callable[[], None]], answers: list[tuple[Receiver, bytes]]
) -> Iterator[None]:
    for call in calls:
        call()
        yield
    for receiver, packet in answers:
        receiver.acknowledge(packet)
        yield
