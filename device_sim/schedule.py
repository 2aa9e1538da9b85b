"""When which simulated button is pressed: at random moments, the same per seed."""

import enum
import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device_sim.battery import PRESSES, Battery
from iot_button.events import ClickType

CLICK_TYPES = {ClickType.SINGLE: 0.80, ClickType.DOUBLE: 0.12, ClickType.LONG: 0.08}
"""How often each click type comes."""
SPREAD = 1.5
"""How unlike buttons are (sigma of a log-normal): a fifth of them get three presses in four."""
IMPATIENT = 0.1
"""How often someone presses again because nothing seems to happen, and then once more."""
SOONEST_AGAIN = 0.4
"""Seconds before anyone does; the mean is a second later."""


class Mix(enum.StrEnum):
    """Who presses. EVEN: every button with equal chance, each press by itself (Poisson).

    PEOPLE: some buttons are busy and most are rarely pressed, and impatient people press again.
    """

    EVEN = "even"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Press:
    """One press to come: `at` is in seconds from the start of the schedule."""

    at: float
    serial_number: str
    click_type: ClickType
    battery_millivolts: int


def serial_number(device: int) -> str:
    """Return the serial number of the button with that index, from 0."""
    return f"SIM-{device + 1:04d}"


def presses(
    *, devices: int, rate: float, seed: int | None = None, mix: Mix = Mix.EVEN
) -> Iterator[Press]:
    """Yield presses for ever, in order of time.

    Args:
        devices: number of buttons.
        rate: presses per second of all buttons together, in the mean.
        seed: the same seed yields the same presses; None: others each time.
        mix: which buttons they fall on, and how they follow one another.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, no secret
    batteries = [Battery(rng=rng, used=rng.randrange(PRESSES // 2)) for _ in range(devices)]
    types, weights = list(CLICK_TYPES), list(CLICK_TYPES.values())
    moments = _even(rng, devices, rate) if mix is Mix.EVEN else _people(rng, devices, rate)
    for at, device in moments:
        yield Press(
            at=at,
            serial_number=serial_number(device),
            click_type=rng.choices(types, weights)[0],
            battery_millivolts=batteries[device].press(),
        )


def _even(rng: random.Random, devices: int, rate: float) -> Iterator[tuple[float, int]]:
    return _poisson(rng, rate, lambda: rng.randrange(devices))


def _people(rng: random.Random, devices: int, rate: float) -> Iterator[tuple[float, int]]:
    """Yield moments and buttons of a crowd: first presses, and the repeats of the impatient."""
    buttons = range(devices)
    weights = list(itertools.accumulate(rng.lognormvariate(0, SPREAD) for _ in buttons))
    # One press brings 1 / (1 - IMPATIENT) with its repeats, in the mean.
    first = _poisson(
        rng, rate * (1 - IMPATIENT), lambda: rng.choices(buttons, cum_weights=weights)[0]
    )
    again: list[tuple[float, int]] = []
    for press in first:
        while again and again[0] <= press:
            earlier = heapq.heappop(again)
            _perhaps_again(rng, again, earlier)
            yield earlier
        _perhaps_again(rng, again, press)
        yield press


def _perhaps_again(
    rng: random.Random, again: list[tuple[float, int]], press: tuple[float, int]
) -> None:
    if rng.random() < IMPATIENT:
        at, device = press
        heapq.heappush(again, (at + SOONEST_AGAIN + rng.expovariate(1), device))


def _poisson(
    rng: random.Random, rate: float, device: Callable[[], int]
) -> Iterator[tuple[float, int]]:
    at = 0.0
    while True:
        at += rng.expovariate(rate)
        yield at, device()
