"""Gestures on the timers of a loop: the one place where a driver's moments meet our own clock."""

import time
from collections.abc import Callable

from device_sim.gestures import Gesture, Gestures
from iot_button.loop import Loop, Timer
from iot_button.settings import DeviceSettings

LATE = 0.02
"""Seconds by which an edge may reach us late, through USB or a busy kernel, and still count."""


class Recognizer:
    """Feeds edges to `Gestures`, and time where no edge comes.

    The moments are the driver's own, of whatever clock: what is to happen by itself at one of them
    happens that much after the last edge came in.
    """

    def __init__(
        self, loop: Loop, settings: DeviceSettings, *, on_gesture: Callable[[Gesture], None]
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._on_gesture = on_gesture
        self._timer: Timer | None = None
        self._offset = 0.0  # from the driver's clock to ours
        self._gestures = gestures_of(settings)

    def seconds_ago(self, moment: float) -> float:
        """Return how long ago one of the driver's moments was."""
        return max(0.0, time.monotonic() - self._offset - moment)

    @property
    def is_busy(self) -> bool:
        """Whether time alone can still make a gesture of what came."""
        return self._gestures.deadline is not None

    def edge(self, is_pressed: bool, moment: float) -> None:
        """Take an edge."""
        self._offset = time.monotonic() - moment
        self._tell(self._gestures.edge(is_pressed, moment))

    def start_over(self) -> None:
        """Forget half a gesture."""
        self._gestures = gestures_of(self._settings)
        self._set_timer()

    def close(self) -> None:
        """Tell of nothing more."""
        self.start_over()

    def _tell(self, gestures: list[Gesture]) -> None:
        self._set_timer()
        for gesture in gestures:
            self._on_gesture(gesture)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._gestures.deadline
        self._timer = (
            None
            if deadline is None
            else self._loop.call_at(deadline + self._offset + LATE, lambda: self._advance(deadline))
        )

    def _advance(self, moment: float) -> None:
        self._tell(self._gestures.advance(moment))


def gestures_of(settings: DeviceSettings) -> Gestures:
    """Return what recognises gestures as the settings say."""
    return Gestures(
        bounce_time=settings.bounce_time,
        double_window=settings.double_window,
        hold_time=settings.hold_time,
        long_at_release=settings.long_at == "release",
        extended=settings.extended,
    )
