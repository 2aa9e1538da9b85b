"""Edges whose moments are known before: told on a loop, each when its time has come."""

import time
from collections.abc import Iterable

from device_sim.bounce import Edge
from device_sim.drivers.base import Sink
from iot_button.loop import Loop, Timer


class Feed:
    """Tells a sink of edges, and of their end.

    The sink gets the edges' own moments. So a loop that is late makes no other gestures of them,
    and a `speed` above 1 none either; below 1 the windows of gestures would end too early.

    Args:
        edges: in order of time; each is taken when the one before has been told.
        begin: the moment of the edges' clock that is now when the feed is opened, in seconds.
        speed: how many times faster than they were.
    """

    def __init__(self, edges: Iterable[Edge], *, begin: float = 0.0, speed: float = 1.0) -> None:
        self._edges = iter(edges)
        self._begin = begin
        self._speed = speed
        self._timer: Timer | None = None

    def open(self, loop: Loop, sink: Sink) -> None:
        """Begin."""
        self._loop, self._sink = loop, sink
        self._start = time.monotonic()
        self._timer = loop.call_later(0.0, self._prepare_next)

    def close(self) -> None:
        """Tell of nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _prepare_next(self) -> None:
        edge = next(self._edges, None)
        if edge is None:
            self._timer = None
            self._sink.ended()
            return
        due = self._start + (edge.moment - self._begin) / self._speed
        self._timer = self._loop.call_at(due, lambda: self._tell(edge))

    def _tell(self, edge: Edge) -> None:
        self._sink.edge(edge.is_pressed, edge.moment)
        if self._timer is not None:  # not closed meanwhile
            self._prepare_next()
