"""What a connection subscribes to, and what of that it can do without.

Brokers answer a filter that their access rules forbid with a failure code (MQTT 3.1.1, 3.9.3), or
hang up.
"""

import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

MOST_AT_ONCE = 8
"""Filters in one SUBSCRIBE: AWS IoT Core's limit."""
_MOST_HANG_UPS = 2
_REFUSED = 0x80  # SUBACK's failure code, 3.9.3


class Subscriptions:
    """The filters of one client, asked for at each connection: first what it needs. One thread's.

    Args:
        broker: its address, for what is logged.
    """

    def __init__(self, broker: object) -> None:
        self._broker = broker
        self._needed: list[str] = []
        self._wanted: list[str] = []
        self._to_ask: list[list[str]] = []
        self._asked: list[str] = []
        self._hang_ups = 0
        self._told: set[str] = set()

    def add(self, topic_filter: str, *, is_needed: bool) -> None:
        """Add a filter, before the first connection."""
        (self._needed if is_needed else self._wanted).append(topic_filter)

    def begin(self) -> None:
        """Begin anew: a connection stands."""
        self._asked = []
        self._to_ask = [
            filters[start : start + MOST_AT_ONCE]
            for filters in (self._needed, self._wanted)
            for start in range(0, len(filters), MOST_AT_ONCE)
        ]

    def next(self) -> list[str]:
        """Return what to ask for now, in one SUBSCRIBE; nothing: all is answered."""
        self._asked = self._to_ask.pop(0) if self._to_ask else []
        if not self._asked:
            self._hang_ups = 0
        return self._asked

    @property
    def is_asking(self) -> bool:
        """Whether an answer is due."""
        return bool(self._asked)

    def refused(self, codes: Sequence[int]) -> list[str]:
        """Take an answer; return what we need and do not get. The rest of that is logged, once."""
        refused = [f for f, code in zip(self._asked, codes, strict=False) if code >= _REFUSED]
        for topic_filter in refused:
            if topic_filter in self._wanted and topic_filter not in self._told:
                self._told.add(topic_filter)
                log.warning("%s refuses us %s: nothing comes from it", self._broker, topic_filter)
        return [topic_filter for topic_filter in refused if topic_filter in self._needed]

    def hung_up(self) -> None:
        """Hear that the broker has ended the connection: perhaps because of what was asked for."""
        if not self._asked or self._asked[0] in self._needed:
            return
        self._hang_ups += 1
        if self._hang_ups == _MOST_HANG_UPS:
            forbidden = ", ".join(self._wanted)
            log.warning("%s hangs up when asked for %s: we go without", self._broker, forbidden)
            self._wanted.clear()
