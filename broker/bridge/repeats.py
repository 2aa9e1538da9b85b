"""Messages that come again in a moment, from either side: how a ring of bridges is noticed.

In a ring (two bridges between the same brokers, or A to B to C to A) a message comes back as if it
were new: MQTT 3.1.1 has no room for a mark on it. What can be known is a message that bears an
`eventId`: the same bytes with the same id, within a moment, have been here. So such a message does
not go round, but for once after each outage that it waits out on the way. A message without an id
is not cut: two equal clicks of a simple button are two clicks. That is only logged.
"""

import json
import logging
import time
from collections.abc import Callable

from broker.bridge.echoes import digest

log = logging.getLogger(__name__)

WITHIN = 3.0
"""Seconds. Less than the 5 after which a button publishes a click again that it had no receipt for:
that repeat must get through."""
MANY = 200
"""Equal messages without an id within that time: no button is pressed so often."""
_MOST = 20_000


class Repeats:
    """What went through a moment ago, by our own broker's names; in memory.

    Args:
        name: of the bridge.
        clock: tells the time in seconds, from any beginning.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._seen: dict[bytes, tuple[float, int]] = {}
        self._told_at = -60.0

    def is_one(self, topic: str, payload: bytes) -> bool:
        """Return whether a message has just been here; note it in any case."""
        now = self._clock()
        key = digest(topic, payload)
        first, times = self._seen.get(key, (now, 0))
        if now - first > WITHIN:
            first, times = now, 0
        self._seen.pop(key, None)  # to the end: the oldest stand first
        self._seen[key] = (first, times + 1)
        self._forget(now)
        if times and _has_id(payload):
            return True
        if times + 1 == MANY and now - self._told_at > 60.0:
            self._told_at = now
            log.warning(
                "bridge %s: %r came %d times with the same payload within %g s: "
                "does another bridge lead back?",
                *(self._name, topic, MANY, WITHIN),
            )
        return False

    def clear(self) -> None:
        """Forget all: what went through was undone."""
        self._seen.clear()

    def _forget(self, now: float) -> None:
        while self._seen:
            key, (first, _times) = next(iter(self._seen.items()))
            if len(self._seen) <= _MOST and now - first <= WITHIN:
                break
            del self._seen[key]


def _has_id(payload: bytes) -> bool:
    if b'"eventId"' not in payload:
        return False
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("eventId"), str)
