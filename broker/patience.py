"""How often somebody may be wrong before they have to wait."""

import time
from collections.abc import Callable
from typing import Final

Who = tuple[str, str]

_ALLOWED: Final = 5
"""Wrong passwords in a row that cost nothing."""
_LONGEST: Final = 30.0
_MOST: Final = 10_000


class Patience:
    """Counts failures of each address, and of each address with a name.

    Never of a name alone: then a stranger could lock its owner out. An address may be wrong twice
    as often, as many devices can share one.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[Who, tuple[int, float]] = {}

    def is_over(self, *whos: Who) -> bool:
        """Whether one of them has to wait: 1 s, then twice as long each time, at most 30 s."""
        now = self._clock()
        return any(self._until(who) > now for who in whos)

    def _until(self, who: Who) -> float:
        count, last = self._failures.get(who, (0, 0.0))
        beyond = count - (_ALLOWED if who[1] else 2 * _ALLOWED)
        return last + min(_LONGEST, 2.0 ** min(beyond, 10)) if beyond >= 0 else 0.0

    def hear(self, *whos: Who) -> None:
        """Count a failure of each."""
        now = self._clock()
        for who in whos:
            count, last = self._failures.pop(who, (0, now))
            if now - last > 4 * _LONGEST:
                count = 0
            self._failures[who] = count + 1, now
        while len(self._failures) > _MOST:
            del self._failures[next(iter(self._failures))]
