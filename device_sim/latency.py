"""Latencies of any number of clicks in bounded memory, to about 1 %."""

import math
from collections import Counter

_STEP = math.log(1.01)


class Latencies:
    """Counts latencies in classes 1 % wide."""

    def __init__(self) -> None:
        self._classes: Counter[int] = Counter()
        self._total = 0

    def add(self, seconds: float) -> None:
        """Count one latency."""
        self._classes[round(math.log(max(seconds, 1e-6)) / _STEP)] += 1
        self._total += 1

    def percentile(self, share: float) -> float | None:
        """Return the latency in seconds that `share` (0 to 1) of all are not above; None for none.

        This is the nearest-rank percentile: always a latency that was there, within 1 %.
        """
        wanted = max(1, math.ceil(share * self._total))
        seen = 0
        for step in sorted(self._classes):
            seen += self._classes[step]
            if seen >= wanted:
                return math.exp(step * _STEP)
        return None
