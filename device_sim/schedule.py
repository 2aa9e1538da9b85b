"""When which simulated button is pressed: Poisson presses over many buttons, the same per seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from device_sim.battery import PRESSES, Battery
from iot_button.events import ClickType

CLICK_TYPES = {ClickType.SINGLE: 0.80, ClickType.DOUBLE: 0.12, ClickType.LONG: 0.08}
"""How often each click type comes."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press to come: `at` is in seconds from the start of the schedule."""

    at: float
    serial_number: str
    click_type: ClickType
    battery_millivolts: int


def presses(*, devices: int, rate: float, seed: int | None = None) -> Iterator[Press]:
    """Yield presses for ever, in order of time.

    Args:
        devices: number of buttons; each press falls on any of them with equal chance.
        rate: presses per second of all buttons together, in the mean.
        seed: the same seed yields the same presses; None: others each time.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, no secret
    batteries = [Battery(rng=rng, used=rng.randrange(PRESSES // 2)) for _ in range(devices)]
    types, weights = list(CLICK_TYPES), list(CLICK_TYPES.values())
    at = 0.0
    while True:
        at += rng.expovariate(rate)
        device = rng.randrange(devices)
        yield Press(
            at=at,
            serial_number=f"SIM-{device + 1:04d}",
            click_type=rng.choices(types, weights)[0],
            battery_millivolts=batteries[device].press(),
        )
