"""What the measurements of all rounds say together: medians with their spread, and ratios."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.pipeline.measure import Load, Measurement


@dataclass(frozen=True)
class Spread:
    """The same figure of several rounds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        return cls(min(values), statistics.median(values), max(values)) if values else None


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that a run found.

    `titles` names each peer for people, in their order; `left_out` says why a peer did not take
    part; `setting` says on what it was measured.
    """

    titles: dict[str, str]
    loads: list[Load]
    measurements: list[Measurement]
    left_out: dict[str, str]
    setting: dict[str, str]

    def spread(self, figure: str, peer: str, load: Load | None = None) -> Spread | None:
        """Return one figure of a peer, under one load or under all of them."""
        return Spread.of([getattr(m, figure) for m in self._good(peer, load)])

    def ratio(self, peer: str, reference: str, load: Load) -> Spread | None:
        """Return how many times the reference's throughput a peer has, made round by round."""
        theirs = {m.round: m.messages_per_s for m in self._good(reference, load)}
        ours = {m.round: m.messages_per_s for m in self._good(peer, load)}
        return Spread.of([ours[n] / theirs[n] for n in ours if theirs.get(n)])

    def failures(self) -> list[Measurement]:
        return [m for m in self.measurements if m.failed]

    def unanswered(self, peer: str) -> int:
        """Return how many clicks a peer has not answered, under all loads."""
        return sum(m.unanswered for m in self._good(peer, None))

    def _good(self, peer: str, load: Load | None) -> list[Measurement]:
        return [
            m
            for m in self.measurements
            if m.peer == peer and not m.failed and (load is None or m.load == load.name)
        ]
