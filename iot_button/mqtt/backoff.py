"""How long a connection that was lost waits before the next try."""

import random
import time

from iot_button.mqtt.client import RECONNECT_LATEST, RECONNECT_SOONEST

STANDS_AFTER = 5.0
"""Seconds after which a connection was a good one, so that the next try comes soon.

Two clients of one id throw each other out at once (MQTT 3.1.1, 3.1.4), and must not do so as fast
as they can.
"""
_DOUBLINGS = 10


class Backoff:
    """Counts the tries in vain of one client."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._failures = 0
        self._stands_at = 0.0

    def stands(self) -> None:
        """Note that the connection stands."""
        self._stands_at = time.monotonic() + STANDS_AFTER

    def lost(self, problem: str) -> str:
        """Note that a connection that stood is lost; return what is to be said of it."""
        if time.monotonic() > self._stands_at:
            self._failures = 0
        elif self._failures > 1:
            return f"{problem}; is another client there under our id, {self._client_id}?"
        return problem

    def left(self) -> None:
        """Note that it was we who left a connection that stood: no try was in vain."""
        self._failures = 0
        self._stands_at = 0.0

    def delay(self) -> float:
        """Return the seconds until the next try."""
        # Not all clients of a broker that comes back should come back in the same moment.
        jitter = random.uniform(0.75, 1.5)  # noqa: S311 - no secret
        delay = min(RECONNECT_LATEST, RECONNECT_SOONEST * 2.0**self._failures) * jitter
        self._failures = min(self._failures + 1, _DOUBLINGS)
        return delay
