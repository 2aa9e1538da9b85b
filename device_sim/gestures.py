"""What a finger did: edges of a contact in; single, double and long clicks out. Without a clock.

The caller says which moment it is, in seconds by any clock that only goes forward. What comes out
depends on the edges alone: a caller that is late with `advance` gets the same gestures, later.
"""

import math
from dataclasses import dataclass

from device_sim.bounce import Contact, Edge
from iot_button.events import ClickType


@dataclass(frozen=True, slots=True)
class Gesture:
    """One click. Moments are in seconds, by the clock of the edges.

    `presses`: how many presses made it; without `extended` 2 for a double, whatever follows.
    `pressed_at`: when its first press began. `moment`: when it was decided, by the rules of
    `Gestures`; the caller may hear of it later.
    """

    click_type: ClickType
    presses: int
    pressed_at: float
    moment: float


class Gestures:
    """Recognises the gestures of one contact, which is open at first.

    A first press longer than `hold_time` is LONG, and nothing else. Otherwise a second press
    within `double_window` after its release makes it DOUBLE; presses that follow, each within the
    window after the release before, belong to it. If none comes, it is SINGLE.

    Args:
        bounce_time: seconds for which a contact that has changed is not listened to; see `Contact`.
        double_window: seconds; a press at its very end is within. 0: SINGLE at the release, never
            DOUBLE.
        hold_time: seconds; a press of just this length is not long. AWS's own button has 1.5.
        long_at_release: LONG is decided when the press ends, not when `hold_time` has passed.
        extended: count all presses: DOUBLE is decided when the window after the last release is
            over, or when a press other than the first is longer than `hold_time`.
    """

    def __init__(
        self,
        *,
        bounce_time: float = 0.02,
        double_window: float = 0.4,
        hold_time: float = 1.5,
        long_at_release: bool = False,
        extended: bool = False,
    ) -> None:
        self._contact = Contact(bounce_time=bounce_time)
        self._double_window = double_window
        self._hold_time = hold_time
        self._long_at_release = long_at_release
        self._extended = extended
        self._now = -math.inf
        self._presses = 0  # of the gesture that is under way; 0: none is
        self._is_down = False
        self._pressed_at = 0.0
        self._is_decided = False  # DOUBLE has been told; what else belongs to it gives nothing
        self._due: float | None = None  # past it, the gesture is decided or over

    def edge(self, is_pressed: bool, moment: float) -> list[Gesture]:
        """Take what the contact says, bounces too, after all that `advance` would do.

        A moment before the last one is taken as the last one.
        """
        gestures = self.advance(moment)
        gestures += self._follow(self._contact.edge(is_pressed, self._now))
        return gestures + self._pass(self._contact.known_until(self._now))

    def advance(self, moment: float) -> list[Gesture]:
        """Return what is decided because time has come so far; infinity: no edge will come."""
        if moment > self._now:
            self._now = moment
        gestures = self._follow(self._contact.advance(self._now))
        return gestures + self._pass(self._contact.known_until(self._now))

    @property
    def deadline(self) -> float | None:
        """The moment at which `advance` has something to do if no edge comes before; None: never.

        Where a limit itself still counts as within, it is the next number after that limit.
        """
        if self._contact.deadline is not None:
            return self._contact.deadline  # what was due since the contact's change waits for this
        if self._due is None or self._is_decided:
            return None
        return math.nextafter(self._due, math.inf)

    def _follow(self, edge: Edge | None) -> list[Gesture]:
        """Go on with a believed change. What was due before it has been decided when it came."""
        if edge is None:
            return []
        self._is_down = edge.is_pressed
        return (self._press if edge.is_pressed else self._release)(edge.moment)

    def _press(self, moment: float) -> list[Gesture]:
        self._presses += 1
        self._due = None
        if self._presses == 1:
            self._pressed_at = moment
            self._due = None if self._long_at_release else moment + self._hold_time
        elif self._extended:
            self._due = moment + self._hold_time
        elif not self._is_decided:
            self._is_decided = True
            return [Gesture(ClickType.DOUBLE, 2, self._pressed_at, moment)]
        return []

    def _release(self, moment: float) -> list[Gesture]:
        if self._presses == 0:  # the rest of a long press
            return []
        if self._presses == 1 and moment > self._pressed_at + self._hold_time:
            return self._end(ClickType.LONG, moment)
        if self._double_window == 0:
            return self._end(ClickType.SINGLE, moment)
        self._due = moment + self._double_window
        return []

    def _pass(self, moment: float) -> list[Gesture]:
        """Decide what was due before a moment up to which all is known."""
        if self._due is None or self._due >= moment:
            return []
        if self._presses > 1:
            return self._end(ClickType.DOUBLE, self._due)
        return self._end(ClickType.LONG if self._is_down else ClickType.SINGLE, self._due)

    def _end(self, click_type: ClickType, moment: float) -> list[Gesture]:
        told = [Gesture(click_type, self._presses, self._pressed_at, moment)]
        gestures = [] if self._is_decided else told
        self._presses, self._due, self._is_decided = 0, None, False
        return gestures
