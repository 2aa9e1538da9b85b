"""Recorded edges as the button: what a contact said once, at the same pace or faster."""

from collections.abc import Sequence

from device_sim.bounce import Edge
from device_sim.drivers.base import Driver, Sink
from device_sim.drivers.feed import Feed
from iot_button.loop import Loop


class ReplayDriver(Driver):
    """Tells of recorded edges, the first at once, and ends after the last.

    Args:
        edges: as `device_sim.edges.read_edges` returns them.
        speed: how many times faster than recorded; at least 1.
    """

    name = "replay"

    def __init__(self, edges: Sequence[Edge], *, speed: float = 1.0) -> None:
        self._edges = edges
        self._speed = speed
        self._feed: Feed | None = None

    def open(self, loop: Loop, sink: Sink) -> None:
        """Begin with the first edge."""
        begin = self._edges[0].moment if self._edges else 0.0
        self._feed = Feed(self._edges, begin=begin, speed=self._speed)
        self._feed.open(loop, sink)

    def close(self) -> None:
        """Tell of nothing more."""
        if self._feed is not None:
            self._feed.close()
