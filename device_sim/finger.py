"""A finger that does not exist: when it presses a contact that bounces, and for how long."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from device_sim.bounce import Edge
from device_sim.schedule import CLICK_TYPES
from iot_button.events import ClickType

_TAP = (0.06, 0.18)  # seconds; how long a contact is closed by a short press
_LONGEST_BOUNCE = 0.005  # seconds; of a push button in good order
_MOST_FLIGHTS = 4  # how often a contact opens again while it closes


@dataclass(frozen=True, slots=True)
class Pressing:
    """What makes one click; the moments of all clicks count from when the finger began."""

    click_type: ClickType
    edges: tuple[Edge, ...]


class Finger:
    """Clicks at random (Poisson), a realistic mix, so that each click is what it was meant to be.

    A click that would begin while one is under way begins when that is over: with the default
    windows, one finger does not manage more than about one click a second.

    Args:
        rate: clicks per second, in the mean.
        seed: the same seed makes the same edges; None: others each time.
        bounce_time: seconds, as the next two: those by which the clicks will be recognised.
        double_window: where it is too short for two presses, there are no doubles.
        hold_time: long presses are longer, the others shorter.
    """

    def __init__(
        self,
        *,
        rate: float,
        seed: int | None = None,
        bounce_time: float = 0.02,
        double_window: float = 0.4,
        hold_time: float = 1.5,
    ) -> None:
        self._rate = rate
        self._rng = random.Random(seed)  # noqa: S311 - a simulation, no secret
        self._bounce_time = bounce_time
        self._double_window = double_window
        self._hold_time = hold_time

    def clicks(self) -> Iterator[Pressing]:
        """Yield clicks for ever, in order of time."""
        types = dict(CLICK_TYPES)
        if self._double_window < 4 * self._bounce_time or self._double_window == 0:
            del types[ClickType.DOUBLE]
        wanted = free = 0.0
        while True:
            wanted += self._rng.expovariate(self._rate)
            click_type = self._rng.choices(list(types), list(types.values()))[0]
            edges = tuple(self._edges(click_type, max(wanted, free)))
            yield Pressing(click_type, edges)
            free = edges[-1].moment + 1.1 * self._double_window + 2 * self._bounce_time + 0.05

    def _edges(self, click_type: ClickType, moment: float) -> Iterator[Edge]:
        for number in range(2 if click_type is ClickType.DOUBLE else 1):
            if number:
                moment += self._rng.uniform(0.5, 0.8) * self._double_window
            yield from self._change(moment, is_pressed=True)
            moment += self._hold(click_type)
            yield from self._change(moment, is_pressed=False)

    def _hold(self, click_type: ClickType) -> float:
        if click_type is ClickType.LONG:
            return self._hold_time * self._rng.uniform(1.1, 1.6)
        return min(self._rng.uniform(*_TAP), 0.8 * self._hold_time)

    def _change(self, moment: float, *, is_pressed: bool) -> Iterator[Edge]:
        """Yield a change of the contact, and the bounces after it."""
        yield Edge(is_pressed, moment)
        longest = min(_LONGEST_BOUNCE, 0.6 * self._bounce_time, 0.15 * self._hold_time)
        count = self._rng.randint(0, _MOST_FLIGHTS) if longest else 0
        flights = sorted(self._rng.uniform(0, longest) for _ in range(2 * count))
        for number, flight in enumerate(flights):
            yield Edge(is_pressed == bool(number % 2), moment + flight)
