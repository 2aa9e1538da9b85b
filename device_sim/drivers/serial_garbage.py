"""Lines that say nothing to us: counted, and told of once a burst."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

QUIET = 10.0
"""Seconds without garbage after which the next is a new burst."""
_SHOWN = 60


class Garbage:
    """Counts what a device says in vain. Its text reaches the log in ASCII only, and cut short."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._clock = clock
        self._last: float | None = None

    def line(self, path: str, line: bytes | None) -> None:
        """Count a line; None: it was too long."""
        self._note(path, "a line that is too long" if line is None else f"{line[:_SHOWN]!r}")

    def partial(self, path: str) -> None:
        """Count a line that was cut off by an unplug."""
        self._note(path, "a line without its end")

    def _note(self, path: str, what: str) -> None:
        now = self._clock()
        is_new = self._last is None or now - self._last >= QUIET
        self._last = now
        self.count += 1
        if is_new:
            log.warning(
                "%s sent what is no line of a button: %s (number %d; more are only counted; "
                "is --baud right?)",
                path,
                what,
                self.count,
            )
