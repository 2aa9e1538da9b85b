"""What became of the clicks of a simulation: sent, acknowledged, processed, and how fast.

All is one thread's.
"""

import itertools
import time
from collections import Counter
from typing import Any

from device_sim.latency import Latencies


class Tally:
    """Counts clicks on their way.

    Args:
        remember_done: ids of processed clicks that are kept, to recognise a repeat; and so many of
            those that were given up.
    """

    def __init__(self, *, remember_done: int = 100_000) -> None:
        self._sent_at: dict[str, float] = {}
        self._acknowledged: set[str] = set()
        self._done: dict[str, None] = {}
        self._remember_done = remember_done
        self._latencies = Latencies()
        self._given_up: dict[str, float] = {}
        self._forgotten = 0
        self.sent = 0
        self.acknowledged = 0
        self.processed = 0
        self.repeated = 0

    def on_sent(self, event_id: str) -> None:
        """Note that a click goes out now."""
        self._sent_at[event_id] = time.monotonic()
        self.sent += 1

    def on_acknowledged(self, event_id: str) -> None:
        """Note that the broker has acknowledged it."""
        self.acknowledged += 1
        # The processed click can be here before the acknowledgement.
        if event_id in self._sent_at:
            self._acknowledged.add(event_id)

    def on_processed(self, event_id: str | None) -> None:
        """Note that a processed click came; one that is not ours is left alone."""
        sent_at = self._sent_at.pop(event_id or "", None)
        if sent_at is None:  # late is not lost
            sent_at = self._given_up.pop(event_id or "", None)
        if event_id is None or sent_at is None:
            self.repeated += event_id in self._done
            return
        self.processed += 1
        self._latencies.add(time.monotonic() - sent_at)
        self._acknowledged.discard(event_id)
        self._done[event_id] = None
        if len(self._done) > self._remember_done:
            del self._done[next(iter(self._done))]

    @property
    def under_way(self) -> int:
        """Clicks that were sent and not yet processed."""
        return len(self._sent_at)

    @property
    def is_settled(self) -> bool:
        """Whether every click that was sent is acknowledged, and processed or given up."""
        return not self._sent_at and self.acknowledged >= self.sent

    @property
    def lost(self) -> int:
        """Clicks that were acknowledged and, so far, never processed."""
        return len(self._acknowledged) + len(self._given_up) + self._forgotten

    def give_up_on_old(self, age: float) -> None:
        """Take acknowledged clicks sent more than `age` seconds ago for lost, until they come."""
        before = time.monotonic() - age
        old = list(itertools.takewhile(lambda item: item[1] < before, self._sent_at.items()))
        for event_id, _sent_at in old:
            if event_id in self._acknowledged:
                self._acknowledged.remove(event_id)
                self._given_up[event_id] = self._sent_at.pop(event_id)
        while len(self._given_up) > self._remember_done:
            del self._given_up[next(iter(self._given_up))]
            self._forgotten += 1

    def summary(self) -> dict[str, Any]:
        """Return all counts, and the latency from sending to the processed click in ms."""
        return {
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "processed": self.processed,
            "acknowledgedNotProcessed": self.lost,
            "repeated": self.repeated,
            "latencyP50Ms": self._milliseconds(0.50),
            "latencyP99Ms": self._milliseconds(0.99),
        }

    def _milliseconds(self, share: float) -> float | None:
        seconds = self._latencies.percentile(share)
        return None if seconds is None else round(seconds * 1000, 2)


class DamagedTally:
    """Counts payloads that were damaged on purpose, and those that came out as dead letters.

    Args:
        remember: how many are waited for; beyond that the oldest count as lost.
    """

    def __init__(self, *, remember: int = 10_000) -> None:
        self._waiting: Counter[int] = Counter()
        self._remember = remember
        self.sent = 0
        self.acknowledged = 0
        self.dead_lettered = 0

    @property
    def under_way(self) -> int:
        """How many were sent and not yet acknowledged."""
        return self.sent - self.acknowledged

    def on_sent(self, payload: bytes) -> None:
        """Note that one goes out now."""
        self.sent += 1
        self._waiting[hash(payload)] += 1  # they can be long, and two can be alike
        if len(self._waiting) > self._remember:
            del self._waiting[next(iter(self._waiting))]

    def on_acknowledged(self) -> None:
        """Note that the broker has acknowledged one."""
        self.acknowledged += 1

    def on_dead_letter(self, payload: bytes) -> None:
        """Note a dead letter; one that is not ours, or comes again, is left alone."""
        key = hash(payload)
        if key not in self._waiting:
            return
        self.dead_lettered += 1
        self._waiting[key] -= 1
        if not self._waiting[key]:
            del self._waiting[key]

    @property
    def is_settled(self) -> bool:
        """Whether every one is acknowledged, and a dead letter."""
        return self.dead_lettered >= self.sent <= self.acknowledged

    @property
    def lost(self) -> int:
        """How many were acknowledged and, so far, are no dead letters."""
        return max(0, self.acknowledged - self.dead_lettered)
