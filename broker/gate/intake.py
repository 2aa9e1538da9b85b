"""What a client has sent and nobody has looked at yet: taken a turn at a time.

A single read may bring 65,000 packets, and a single packet 200,000 topic filters: others get their
turns in between.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from broker.gate.frames import Frames, MalformedError
from broker.gate.link import Link
from broker.gate.turns import TURN, Turns

_NOTHING: Final = iter(())

Take = Callable[[int, bytes], Iterator[None] | None]
"""Takes a packet, by its first byte and its body; returns steps where that is long work."""


def _ignore(*_: object) -> None:
    """Do nothing."""


class Intake:
    """Hands over packets in order, and leaves what comes to the client's system while it is held.

    Args:
        link: where the bytes come from.
        turns: takes what is left when a read has been worked at for the length of a turn.
        limit: bytes that a packet may have; can be set anew.
        take: gets each packet.
        on_malformed: hears what breaks the protocol.
    """

    def __init__(
        self,
        link: Link,
        *,
        turns: Turns,
        limit: int,
        take: Take,
        on_malformed: Callable[[MalformedError], None],
    ) -> None:
        self._link = link
        self._frames = Frames(limit)
        self._take = take
        self._on_malformed = on_malformed
        self._turns = turns
        self._reads: deque[Iterator[tuple[int, bytes]]] = deque()
        self._steps: Iterator[None] = _NOTHING
        self._holds: set[str] = set()
        self._is_paused = False
        self._is_busy = False
        self._has_ended = False

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        if self._has_ended:
            return
        self._reads.append(self._frames.feed(data))
        if not self._is_busy:
            self._start()

    def pause(self) -> None:
        """Hand over nothing more, and read nothing more, until `go_on`."""
        self._is_paused = True
        self.hold("paused")

    def go_on(self, *, limit: int) -> None:
        """Hand over what has come meanwhile."""
        self._frames.limit = limit
        self._is_paused = False
        self.release("paused")
        self._start()

    def hold(self, reason: str) -> None:
        """Read no further until it is released; what was read is handed over."""
        if not self._holds:
            self._link.read_on(False)
        self._holds.add(reason)

    def release(self, reason: str) -> None:
        """Read on, unless something else holds."""
        if reason in self._holds:
            self._holds.remove(reason)
            if not self._holds and not self._has_ended:
                self._link.read_on(True)

    def end(self) -> None:
        """Forget everything now: this is a circle of objects that only the collector would find."""
        self._has_ended = True
        self._reads.clear()
        self._steps = _NOTHING
        self._frames = Frames(0)
        self._take = self._on_malformed = _ignore

    def _start(self) -> None:
        if self._work(time.perf_counter() + TURN):
            self._is_busy = True
            self.hold("busy")
            self._turns.add(self._work)

    def _work(self, until: float) -> bool:
        try:
            while not self._is_paused and self._step():
                if time.perf_counter() >= until:
                    return True
        except MalformedError as error:
            self._on_malformed(error)
        self._is_busy = False
        self.release("busy")
        return False

    def _step(self) -> bool:
        """Do one piece of work; False: there is none."""
        for _ in self._steps:
            return True
        while self._reads:
            for first, body in self._reads[0]:
                self._steps = self._take(first, body) or _NOTHING
                return True
            if self._reads:  # what was taken may have ended it
                self._reads.popleft()
        return False
