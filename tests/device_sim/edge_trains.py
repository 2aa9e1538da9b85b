"""Random presses of a bouncing contact, and what they mean: a reference of the definition.

It looks at a whole train at once, and shares no code with what it is there to check.
"""

import dataclasses
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import NamedTuple

from hypothesis import strategies as st

from device_sim.gestures import Gesture, Gestures
from iot_button.events import ClickType

TRAINS = 1000
"""How many random trains a recogniser has to get right."""
_MARGIN = 0.01  # seconds by which a random train keeps away from each limit
_TICK = 1 / 1024  # a fraction of two: sums of ticks are exact, so limits can be met exactly

RawEdge = tuple[bool, float]


class Press(NamedTuple):
    """A press; `up` is infinity where it does not end."""

    down: float
    up: float


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What `Gestures` takes, by the same names."""

    bounce_time: float = 0.02
    double_window: float = 0.4
    hold_time: float = 1.5
    long_at_release: bool = False
    extended: bool = False

    def recogniser(self) -> Gestures:
        return Gestures(**dataclasses.asdict(self))


@dataclass(frozen=True)
class Train:
    """What a contact said, and what should come of it.

    `edges`: (is pressed, moment in seconds), bounces too; it begins and ends open.
    `clicks`: the expected click types; `counts`: how many true presses each is made of.
    `presses`: what the finger did.
    """

    edges: list[RawEdge]
    presses: list[Press]
    rules: Rules
    clicks: list[ClickType] = field(init=False)
    counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        groups = list(_groups(self.presses, self.rules))
        object.__setattr__(self, "clicks", [_meaning(g, self.rules).click_type for g in groups])
        object.__setattr__(self, "counts", [len(group) for group in groups])

    @property
    def end(self) -> float:
        """A moment at which every click is decided."""
        rules = self.rules
        last = self.edges[-1][1]
        return last + 2 * rules.bounce_time + rules.double_window + rules.hold_time + _MARGIN


def random_train(
    seed: int, *, presses: int = 8, rules: Rules | None = None, bounces: bool = True
) -> Train:
    """Return a train that keeps 10 ms away from all limits: its clicks are beyond doubt.

    Moments begin near 0 and are whole microseconds. Bounces are shorter than the bounce time; some
    presses are, too. Pauses are at least twice the bounce time.
    """
    rng = random.Random(seed)
    rules = rules or Rules()
    true_presses = list(_random_presses(rng, rng.randint(1, presses), rules))
    true_edges = [
        edge for press in true_presses for edge in ((True, press.down), (False, press.up))
    ]
    ends = [moment for _level, moment in true_edges[1:]] + [float("inf")]
    longest = 0.9 * rules.bounce_time if bounces else 0.0
    edges = [
        edge
        for (level, moment), end in zip(true_edges, ends, strict=True)
        for edge in _bouncing(rng, level, moment, min(end, moment + longest))
    ]
    return Train(edges, true_presses, rules)


def _random_presses(rng: random.Random, count: int, rules: Rules) -> Iterator[Press]:
    shortest_pause = 2 * rules.bounce_time + _MARGIN
    pauses = [(rules.double_window + rules.bounce_time + _MARGIN, 2 * rules.double_window + 1)]
    if rules.double_window - _MARGIN > shortest_pause:
        pauses.append((shortest_pause, rules.double_window - _MARGIN))
    holds = [(0.0005, rules.bounce_time), (0.03, 0.2), (0.2, rules.hold_time - 0.1)]
    holds.append((rules.hold_time + _MARGIN, 2 * rules.hold_time))
    moment = 0.0
    for _ in range(count):
        down = round(moment + max(shortest_pause, rng.uniform(*rng.choice(pauses))), 6)
        moment = round(down + rng.uniform(*rng.choices(holds, (2, 4, 2, 1))[0]), 6)
        yield Press(down, moment)


def _bouncing(rng: random.Random, level: bool, moment: float, end: float) -> Iterator[RawEdge]:
    yield level, moment
    if moment == end:
        return
    flights = sorted(round(rng.uniform(moment, end), 6) for _ in range(2 * rng.randint(0, 4)))
    for number, at in enumerate(flights):
        yield level == bool(number % 2), at


def believed(edges: Sequence[RawEdge], bounce_time: float) -> list[RawEdge]:
    """Return the changes of a whole train that are believed, by the definition."""
    levels = [False, *(level for level, _moment in edges)]
    changes = [edge for edge, before in zip(edges, levels, strict=False) if edge[0] != before]
    moments = [moment for _level, moment in changes]
    found: list[RawEdge] = []
    index = 0
    while index < len(changes):
        found.append(changes[index])
        deaf_until = moments[index] + bounce_time
        while True:
            index = max(index + 1, bisect_left(moments, deaf_until))
            if changes[index - 1][0] == found[-1][0]:
                break
            found.append(changes[index - 1])
            deaf_until += bounce_time
            index -= 1
    return found


def expected(edges: Sequence[RawEdge], rules: Rules) -> list[Gesture]:
    """Return the gestures of a whole train, after which the contact stays as it is for ever."""
    changes = believed(edges, rules.bounce_time)
    moments = [moment for _level, moment in changes] + [float("inf")]
    presses = [Press(*pair) for pair in list(pairwise(moments))[::2]]
    groups = _groups(presses, rules)
    return [g for g in (_meaning(group, rules) for group in groups) if g.moment < float("inf")]


def _groups(presses: Sequence[Press], rules: Rules) -> Iterator[list[Press]]:
    """Split presses into those that make one gesture together."""
    rest = list(presses)
    while rest:
        near = takewhile(lambda pair: _belong_together(*pair, rules), pairwise(rest))
        group = [rest[0], *(second for _first, second in near)]
        if rules.extended:
            held = [n for n, press in enumerate(group, 1) if _is_held(press, rules)]
            group = group[: held[0]] if held else group
        if _is_held(rest[0], rules):
            group = rest[:1]
        yield group
        rest = rest[len(group) :]


def _belong_together(first: Press, second: Press, rules: Rules) -> bool:
    return rules.double_window > 0 and second.down <= first.up + rules.double_window


def _is_held(press: Press, rules: Rules) -> bool:
    return press.up > press.down + rules.hold_time


def _meaning(group: Sequence[Press], rules: Rules) -> Gesture:
    """Say what presses that belong together are; decided at infinity: never."""
    first, last = group[0], group[-1]
    if _is_held(first, rules):
        moment = first.up if rules.long_at_release else first.down + rules.hold_time
        return Gesture(ClickType.LONG, 1, first.down, moment)
    if len(group) == 1:
        return Gesture(ClickType.SINGLE, 1, first.down, first.up + rules.double_window)
    if not rules.extended:
        return Gesture(ClickType.DOUBLE, 2, first.down, group[1].down)
    moment = last.down + rules.hold_time if _is_held(last, rules) else last.up + rules.double_window
    return Gesture(ClickType.DOUBLE, len(group), first.down, moment)


def _ticks(least: int, most: int) -> st.SearchStrategy[float]:
    return st.integers(least, most).map(lambda number: number * _TICK)


any_rules: st.SearchStrategy[Rules] = st.builds(
    Rules,
    bounce_time=_ticks(0, 6),
    double_window=_ticks(0, 12),
    hold_time=_ticks(1, 15),
    long_at_release=st.booleans(),
    extended=st.booleans(),
)
"""Rules whose limits are a few ticks, so that edges often meet them exactly, in any relation."""


@st.composite
def any_edges(draw: st.DrawFn) -> list[RawEdge]:
    """Edges without sense: repeated, at the same moment, a few ticks or many from each other."""
    steps = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=30))
    edges, moment = [], draw(_ticks(-50, 50))
    for level, step in steps:
        moment += step * _TICK
        edges.append((level, moment))
    return edges


any_train: st.SearchStrategy[Train] = st.builds(
    random_train,
    st.integers(0, 2**32),
    rules=st.builds(Rules, long_at_release=st.booleans(), extended=st.booleans()),
)
"""Trains of true presses with bounces."""
