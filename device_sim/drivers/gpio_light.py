"""A button's LEDs on pins: what each light looks like with the colours that there are.

They are switched on and off by the loop's timers, not by gpiozero's threads: closing is then clean,
and no pulse-width modulation is needed, for amber is red and green together.
"""

import enum
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from device_sim.drivers.base import Light
from device_sim.drivers.gpio_factory import naming
from iot_button.loop import Loop, Timer

log = logging.getLogger(__name__)

WINK = 0.08
"""Seconds for which a light that is shown once more goes out first: each click is seen."""


class Lamp(enum.StrEnum):
    """An LED, or one colour of an RGB LED. An LED of another colour serves as WHITE."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    AMBER = "amber"
    WHITE = "white"


@dataclass(frozen=True, slots=True)
class _Look:
    """A colour, and how long it is on and off in turn, in seconds; off for 0: it is steady."""

    colour: Lamp
    on: float = 1.0
    off: float = 0.0


_LOOKS: Final = {
    Light.CONNECTING: _Look(Lamp.WHITE, 0.5, 0.5),
    Light.TAKEN: _Look(Lamp.AMBER, 0.1, 0.1),
    Light.QUEUED: _Look(Lamp.AMBER),
    Light.PUBLISHED: _Look(Lamp.GREEN, 0.25, 0.25),
    Light.PROCESSED: _Look(Lamp.GREEN),
    Light.FAILED: _Look(Lamp.RED),
}
_LOOKS_WITHOUT_RED_AND_GREEN: Final = {
    **_LOOKS,
    Light.TAKEN: _Look(Lamp.AMBER, 0.9, 0.1),
    Light.QUEUED: _Look(Lamp.AMBER, 0.1, 0.9),
    Light.FAILED: _Look(Lamp.RED, 0.1, 0.1),
}
"""Told apart by rhythm alone, so that one LED says them all."""

_R, _G, _B, _A, _W = Lamp.RED, Lamp.GREEN, Lamp.BLUE, Lamp.AMBER, Lamp.WHITE
_MIXES: Final[dict[Lamp, tuple[tuple[Lamp, ...], ...]]] = {
    _W: ((_W,), (_R, _G, _B), (_R, _G), (_A,), (_B,), (_G,), (_R,)),
    _A: ((_A,), (_R, _G), (_W,), (_B,), (_G,), (_R,)),
    _G: ((_G,), (_W,), (_B,), (_A,), (_R,)),
    _R: ((_R,), (_A,), (_W,), (_B,), (_G,)),
}
"""Which lamps show a colour, best first: the first whose lamps are all there is taken."""


class GpioLight:
    """The LEDs of one button.

    Args:
        pins: the pin of each lamp, by any name that gpiozero takes; empty: the button has no light.
        active_high: whether an LED is on while its pin is high; False: common anode.
    """

    def __init__(self, pins: Mapping[Lamp, str], *, active_high: bool = True) -> None:
        self._pins = {lamp: pin.upper() for lamp, pin in pins.items()}
        self._active_high = active_high
        self._leds: dict[Lamp, Any] = {}
        self._shown = Light.OFF
        self._timer: Timer | None = None
        self._has_failed = False

    def open(self, loop: Loop, gpiozero: ModuleType, factory: Any) -> None:
        """Take the pins, all LEDs off.

        Raises:
            DriverError: a pin cannot be used; those taken before are kept until `close`.
        """
        self._loop = loop
        for lamp, pin in self._pins.items():
            with naming(f"the {lamp} LED's pin {pin}", gpiozero):
                self._leds[lamp] = gpiozero.DigitalOutputDevice(
                    pin, active_high=self._active_high, pin_factory=factory
                )

    def close(self) -> None:
        """Switch off, and give the pins back."""
        self._cancel()
        leds, self._leds = self._leds, {}
        for led in leds.values():
            led.off()
            led.close()

    def show(self, light: Light) -> None:
        """Say something, until the next call; the same again is seen as a wink."""
        self._cancel()
        is_again = light is self._shown
        self._shown = light
        if light is Light.OFF or not self._leds:
            self._light_up(())
        elif is_again:
            self._light_up(())
            self._timer = self._loop.call_later(WINK, self._turn_on)
        else:
            self._turn_on()

    def _turn_on(self) -> None:
        look = self._look()
        self._light_up(self._lamps_of(look.colour))
        if look.off:
            self._timer = self._loop.call_later(look.on, self._turn_off)

    def _turn_off(self) -> None:
        self._light_up(())
        self._timer = self._loop.call_later(self._look().off, self._turn_on)

    def _look(self) -> _Look:
        has_both = Lamp.RED in self._leds and Lamp.GREEN in self._leds
        return (_LOOKS if has_both else _LOOKS_WITHOUT_RED_AND_GREEN)[self._shown]

    def _lamps_of(self, colour: Lamp) -> tuple[Lamp, ...]:
        return next(mix for mix in _MIXES[colour] if all(lamp in self._leds for lamp in mix))

    def _light_up(self, lamps: tuple[Lamp, ...]) -> None:
        """Switch the LEDs; pins that fail, e.g. those of another machine, do not harm the click."""
        try:
            for lamp, led in self._leds.items():
                led.value = lamp in lamps
        except Exception as error:  # noqa: BLE001 - each pin library has errors of its own
            if not self._has_failed:
                log.warning("the light cannot be switched: %s", error)
            self._has_failed = True

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
