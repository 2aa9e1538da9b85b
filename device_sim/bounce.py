"""A contact that bounces: which of its changes are believed, and since when they hold."""

from typing import NamedTuple


class Edge(NamedTuple):
    """A contact's change. `moment`: seconds, by a clock that only goes forward."""

    is_pressed: bool
    moment: float


class Contact:
    """Believes a change at once, and then does not listen for `bounce_time` seconds.

    What the contact says at the end of that time is believed, as of its last change within it, and
    begins a time of its own. So a press shorter than the bounce time is a press, and no bounce
    makes two of one. With `bounce_time` 0 every change is believed.

    Until the first edge the contact is open. Moments must not go backward; `advance` comes before
    each `edge`.
    """

    def __init__(self, *, bounce_time: float) -> None:
        self._bounce_time = bounce_time
        self._believed = False
        self._raw = False
        self._changed_at = 0.0
        self._listens_at = float("-inf")

    def edge(self, is_pressed: bool, moment: float) -> Edge | None:
        """Take what the contact says; return the change if it is believed at once."""
        if is_pressed == self._raw:
            return None
        self._raw, self._changed_at = is_pressed, moment
        return None if moment < self._listens_at else self._believe(moment)

    def advance(self, moment: float) -> Edge | None:
        """Return the change that is believed because time has come so far: there is one at most."""
        if self.deadline is None or moment < self._listens_at:
            return None
        return self._believe(self._listens_at)

    @property
    def deadline(self) -> float | None:
        """When a change of now will be believed if the contact stays so; None: there is none."""
        return None if self._raw == self._believed else self._listens_at

    def known_until(self, moment: float) -> float:
        """Return the moment before which no change can come to be believed any more."""
        return moment if self._raw == self._believed else self._changed_at

    def _believe(self, moment: float) -> Edge:
        self._believed = self._raw
        self._listens_at = moment + self._bounce_time
        return Edge(self._raw, self._changed_at)
