"""A button that presses itself, at random, with a battery that runs down."""

import itertools
import logging
import random
from collections.abc import Iterator

from device_sim.battery import PRESSES, Battery
from device_sim.bounce import Edge
from device_sim.drivers.base import Driver, Light, Sink
from device_sim.drivers.feed import Feed
from device_sim.finger import Finger
from iot_button.loop import Loop

log = logging.getLogger(__name__)


class SimulatedDriver(Driver):
    """Tells of a simulated finger's edges; its light goes to the log, at debug level.

    Args:
        finger: what presses.
        seed: of the battery: the same seed, the same voltages.
        clicks: ends after so many; None: never.
    """

    name = "simulated"

    def __init__(
        self, finger: Finger, *, seed: int | None = None, clicks: int | None = None
    ) -> None:
        rng = random.Random(seed)  # noqa: S311 - a simulation, no secret
        self._battery = Battery(rng=rng, used=rng.randrange(PRESSES // 2))
        self._millivolts = self._battery.press()
        self._feed = Feed(self._edges(finger, clicks))

    def open(self, loop: Loop, sink: Sink) -> None:
        """Begin to press."""
        self._feed.open(loop, sink)

    def close(self) -> None:
        """Press no more."""
        self._feed.close()

    def show(self, light: Light) -> None:
        """Log what a light would say."""
        log.debug("light: %s", light)

    def battery(self) -> int:
        """Return the battery in millivolts, as measured at the last click."""
        return self._millivolts

    def _edges(self, finger: Finger, clicks: int | None) -> Iterator[Edge]:
        for click in itertools.islice(finger.clicks(), clicks):
            yield click.edges[0]
            self._millivolts = self._battery.press()  # the next edge is asked for at this one
            yield from click.edges[1:]
