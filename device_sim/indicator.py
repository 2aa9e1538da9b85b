"""What the button's light says now: the latest click's progress, and then how things stand."""

from collections.abc import Callable

from device_sim.drivers.base import Light
from iot_button.loop import Loop, Timer

PROCESSED_FOR = 1.5
"""Seconds of steady green."""
FAILED_FOR = 5.0
TAKEN_FOR = 0.5


class Indicator:
    """Decides between what has just happened and what is.

    Args:
        show: sets the light.
        rest: how things stand: asked when nothing has just happened.
    """

    def __init__(
        self, loop: Loop, *, show: Callable[[Light], None], rest: Callable[[], Light]
    ) -> None:
        self._loop = loop
        self._show = show
        self._rest = rest
        self._timer: Timer | None = None
        self._shown: Light | None = None

    def flash(self, light: Light, seconds: float = 0.0) -> None:
        """Say what has just happened, for so long or until something else does.

        It is said again even where the light says it already: each click is told of.
        """
        self._cancel()
        self._shown = light
        self._show(light)
        if seconds:
            self._timer = self._loop.call_later(seconds, self._over)

    def refresh(self) -> None:
        """Say how things stand, unless something has just happened."""
        if self._timer is None:
            light = self._rest()
            if light is not self._shown:
                self._shown = light
                self._show(light)

    def close(self) -> None:
        """Say nothing more."""
        self._cancel()

    def _over(self) -> None:
        self._cancel()
        self.refresh()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
