"""What the runtime is to reach beside its peers, and whether it did."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.pipeline.figures import Results, Spread
from bench.pipeline.measure import Kind, Load

NODE_RED_TIMES = {20: 20.0, 200: 2.0, 900: 1.0}
"""Window -> how many times Node-RED's throughput."""

C_TIMES = 0.5
P50_MS = {10: 1.0, 100: 1.0}
"""Clicks/s -> the median latency that it stays under."""

MEMORY_MB = 60.0
FIRST_CLICK_S = 0.3


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal; what was found is compared by its median. `found` is None where not measured."""

    text: str
    found: Spread | None
    bound: float
    unit: str
    at_least: bool

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        values = (self.found.low, self.found.median, self.found.high)
        reached = [v >= self.bound if self.at_least else v < self.bound for v in values]
        if not reached[1]:
            return "**not reached**"
        return "reached" if all(reached) else "reached in the median, not in every round"


def goals(results: Results) -> Iterator[Goal]:
    """Return every goal with what was found."""
    yield from _throughput(results)
    for rate, bound in P50_MS.items():
        load = Load(Kind.OPEN, rate)
        yield Goal(
            text=f"p50 at {rate} clicks/s under {bound:g} ms",
            found=results.spread("p50_ms", "ours", load),
            bound=bound,
            unit=" ms",
            at_least=False,
        )
    yield Goal(
        text=f"runtime and one worker under {MEMORY_MB:g} MB (RSS, after a load)",
        found=results.spread("rss_with_one_child_mb", "ours"),
        bound=MEMORY_MB,
        unit=" MB",
        at_least=False,
    )
    yield Goal(
        text=f"first click processed within {FIRST_CLICK_S:g} s of the start",
        found=results.spread("first_click_s", "ours"),
        bound=FIRST_CLICK_S,
        unit=" s",
        at_least=False,
    )


def _throughput(results: Results) -> Iterator[Goal]:
    wanted = [("Node-RED", "node-red", window, times) for window, times in NODE_RED_TIMES.items()]
    wanted += [("the C program", "c", window, C_TIMES) for window in NODE_RED_TIMES]
    for title, peer, window, times in wanted:
        factor = "" if times == 1 else f"{times:g} times "
        yield Goal(
            text=f"{factor}the throughput of {title} at window {window}",
            found=results.ratio("ours", peer, Load(Kind.CLOSED, window)),
            bound=times,
            unit=" times",
            at_least=True,
        )
