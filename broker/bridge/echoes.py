"""What we have published to a broker, and that broker will send to ourselves.

MQTT 3.1.1 has no way to say "not to me": who publishes to what he subscribes to hears himself
(MQTT 5 has, as No Local, 3.8.3.1). So each message of ours that one of our own subscriptions at the
same broker matches is expected back once, by its topic and payload, and then not taken for news.

Limits: an echo that never comes (the broker lost it, or our session) leaves an expectation, and
another's message with the same topic and the same payload is taken for the echo, for as long as the
expectation lives. Where an echo comes twice, because a connection was lost in between, the second
may go back once to where it is from; it goes no further, for there it is an echo again.
"""

import hashlib
import time
from collections import deque

from iot_button.spool import Spool

LIFETIME = 600.0
"""Seconds that an expectation lives, while the connection stands: far more than an echo takes."""
MOST = 50_000
"""Expectations at a time; beyond, the oldest go."""
_AT_ONCE = 1000


def digest(topic: str, payload: bytes) -> bytes:
    """Return what a message is known by."""
    return hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()


class Echoes:
    """The expectations at one broker, on disk. Whoever changes them commits the spool.

    Args:
        queue: the name of theirs in the spool.
    """

    def __init__(self, spool: Spool, queue: str) -> None:
        self._spool = spool
        self._queue = queue
        self._expected: dict[bytes, deque[int]] = {}
        self._not_before = 0.0
        self._is_new = False
        self.load()

    def load(self) -> None:
        """Read from disk what is expected: at the start, and when changes were undone."""
        self._expected.clear()
        for entry in self._spool.entries(self._queue, limit=2 * MOST):
            self._expected.setdefault(entry.body, deque()).append(entry.id)

    def expect(self, key: bytes) -> None:
        """Expect a message back; to be on disk before it is sent."""
        number = self._spool.put(self._queue, key, due=time.time() + LIFETIME)
        self._expected.setdefault(key, deque()).append(number)
        self._is_new = True

    def take_new(self) -> bool:
        """Return whether something was newly expected since the last call."""
        is_new, self._is_new = self._is_new, False
        return is_new

    def take(self, key: bytes) -> bool:
        """Return whether a message that came was expected; it is then expected no more."""
        numbers = self._expected.get(key)
        if not numbers:
            return False
        self._forget(key, numbers[0])
        return True

    def connected(self) -> None:
        """Note that the connection stands, from now on: what was held for us is still to come."""
        self._not_before = time.monotonic() + LIFETIME

    def sweep(self) -> None:
        """Let go of what has waited too long, or is too much; call it while connected."""
        if time.monotonic() > self._not_before:
            for entry in self._spool.due(self._queue, limit=_AT_ONCE):
                self._forget(entry.body, entry.id)
        excess = self._spool.count(self._queue) - MOST
        if excess > 0:
            for entry in self._spool.entries(self._queue, limit=excess):
                self._forget(entry.body, entry.id)

    def _forget(self, key: bytes, number: int) -> None:
        numbers = self._expected.get(key, deque())
        if number in numbers:
            numbers.remove(number)
        if not numbers:
            self._expected.pop(key, None)
        self._spool.remove(number)
