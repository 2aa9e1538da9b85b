"""What became of the clicks of a simulation: sent, acknowledged, processed, and how fast."""

import itertools
import threading
import time
from typing import Any

from device_sim.latency import Latencies


class Tally:
    """Counts clicks on their way. Safe to use from several threads.

    Args:
        remember_done: ids of processed clicks that are kept, to recognise a repeat.
    """

    def __init__(self, *, remember_done: int = 100_000) -> None:
        self._changed = threading.Condition()
        self._sent_at: dict[str, float] = {}
        self._acknowledged: set[str] = set()
        self._done: dict[str, None] = {}
        self._remember_done = remember_done
        self._latencies = Latencies()
        self._given_up = 0
        self.sent = 0
        self.acknowledged = 0
        self.processed = 0
        self.repeated = 0

    def on_sent(self, event_id: str) -> None:
        """Note that a click goes out now."""
        with self._changed:
            self._sent_at[event_id] = time.monotonic()
            self.sent += 1

    def on_acknowledged(self, event_id: str) -> None:
        """Note that the broker has acknowledged it."""
        with self._changed:
            self.acknowledged += 1
            # The processed click can be here before the acknowledgement.
            if event_id in self._sent_at:
                self._acknowledged.add(event_id)

    def on_processed(self, event_id: str | None) -> None:
        """Note that a processed click came; one that is not ours is left alone."""
        with self._changed:
            sent_at = self._sent_at.pop(event_id or "", None)
            if event_id is None or sent_at is None:
                self.repeated += event_id in self._done
                return
            self.processed += 1
            self._latencies.add(time.monotonic() - sent_at)
            self._acknowledged.discard(event_id)
            self._done[event_id] = None
            if len(self._done) > self._remember_done:
                del self._done[next(iter(self._done))]
            self._changed.notify_all()

    @property
    def under_way(self) -> int:
        """Clicks that were sent and not yet processed."""
        return len(self._sent_at)

    @property
    def lost(self) -> int:
        """Clicks that were acknowledged and, so far, never processed."""
        return len(self._acknowledged) + self._given_up

    def give_up_on_old(self, age: float) -> None:
        """Count acknowledged clicks sent more than `age` seconds ago as lost, and forget them."""
        with self._changed:
            before = time.monotonic() - age
            old = list(itertools.takewhile(lambda item: item[1] < before, self._sent_at.items()))
            for event_id, _sent_at in old:
                if event_id in self._acknowledged:
                    self._acknowledged.remove(event_id)
                    del self._sent_at[event_id]
                    self._given_up += 1
            self._changed.notify_all()

    def wait_until_below(self, under_way: int, timeout: float) -> bool:
        """Wait until fewer clicks than that are under way; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._sent_at) < under_way, timeout)

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
        with self._changed:
            seconds = self._latencies.percentile(share)
        return None if seconds is None else round(seconds * 1000, 2)
