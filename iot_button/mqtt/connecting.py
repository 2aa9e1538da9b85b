"""How many connections of a loop come about at a time.

A broker's queue of new connections is short (a hundred or so), and one that takes its time would
let thousands wait beyond their timeout: who tries all at once begins again and again. So each has
a place from its first packet until it stands or has failed, and the others wait in turn.
"""

from collections import deque
from collections.abc import Callable

Callback = Callable[[], None]

MOST = 32
"""So many at a time brought 10,000 connections to mosquitto in 5 to 10 s (2 shared cores)."""


class Connecting:
    """The places, and who waits for one. One thread's.

    Args:
        most: how many connections may come about at a time.
        is_held: as after `hold`.
    """

    def __init__(self, most: int = MOST, *, is_held: bool = False) -> None:
        self._most = most
        self._is_held = is_held
        self._is_giving = False
        self._taken = 0
        self._waiting: deque[Callback] = deque()

    def take(self, begin: Callback) -> None:
        """Take a place, and call `begin` as soon as there is one; `leave` gives it back."""
        self._waiting.append(begin)
        self._go_on()

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._go_on()

    def hold(self) -> None:
        """Give no places until `release`; who has one keeps it."""
        self._is_held = True

    def release(self) -> None:
        """Give places again."""
        self._is_held = False
        self._go_on()

    def _go_on(self) -> None:
        if self._is_giving:
            return  # one that began has failed at once: the loop below goes on with the next
        self._is_giving = True
        try:
            while self._waiting and self._taken < self._most and not self._is_held:
                self._taken += 1
                self._waiting.popleft()()
        finally:  # an error of one must not end the turns of all others
            self._is_giving = False
