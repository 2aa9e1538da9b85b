"""A button's battery: none (mains), a value that its owner knows, or measured by an MCP3008.

An MCP3008 on the Pi's SPI pins measures up to its reference voltage; a battery above that is
measured through a divider of two resistors.
"""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from device_sim.drivers.gpio_factory import naming
from iot_button.events import parse_millivolts

log = logging.getLogger(__name__)

MEASURE_EVERY = 60.0
"""Seconds for which a measurement holds."""
MCP3008 = "mcp3008:"
_CHANNELS = 8
_STEPS = 1024  # by which the reference is divided (data sheet DS21295, equation 4-2)
_MOST_MILLIVOLTS = 999_999  # what a click can say


class Battery:
    """Mains: nothing to measure. The other kinds say more."""

    def open(self, gpiozero: ModuleType, factory: Any, *, clock: Callable[[], float]) -> None:
        """Begin to measure. `clock`: seconds that only go forward."""

    def read(self) -> int | None:
        """Return millivolts; None: mains, or not known."""
        return None

    def close(self) -> None:
        """Give the pins back."""


class FixedBattery(Battery):
    """A battery, or a supply, whose voltage is what its owner says."""

    def __init__(self, millivolts: int) -> None:
        self._millivolts = millivolts

    def read(self) -> int | None:
        """Return what was said."""
        return self._millivolts


class MeasuredBattery(Battery):
    """A battery on a channel of an MCP3008.

    Args:
        channel: 0 to 7.
        divider: battery voltage by voltage at the channel: (R1 + R2) / R2; 1: none.
        reference: volts at the chip's VREF pin.
    """

    def __init__(self, channel: int, *, divider: float = 1.0, reference: float = 3.3) -> None:
        self._channel = channel
        self._divider = divider
        self._reference = reference
        self._chip: Any = None
        self._measured: int | None = None
        self._has_failed = False

    def open(self, gpiozero: ModuleType, factory: Any, *, clock: Callable[[], float]) -> None:
        """Take the SPI pins, and measure once.

        Raises:
            DriverError: one of the pins has another use.
        """
        self._clock = clock
        with naming("the MCP3008 on pins 8 to 11", gpiozero):
            self._chip = gpiozero.MCP3008(self._channel, pin_factory=factory)
        self._measure()

    def read(self) -> int | None:
        """Return the last measurement, a new one where it is old; None where that failed."""
        if self._chip is not None and self._clock() - self._measured_at >= MEASURE_EVERY:
            self._measure()
        return self._measured

    def close(self) -> None:
        """Give the pins back."""
        chip, self._chip = self._chip, None
        if chip is not None:
            chip.close()

    def _measure(self) -> None:
        """Measure: 24 bits over SPI, below a millisecond, and a few where software clocks them."""
        self._measured_at = self._clock()
        try:
            # Not gpiozero's `voltage`, which is never 0.
            volts = self._chip.raw_value / _STEPS * self._reference * self._divider
        except Exception as error:  # noqa: BLE001 - each SPI library has errors of its own
            if not self._has_failed:
                log.warning("the battery cannot be measured: %s", error)
            self._measured, self._has_failed = None, True
        else:
            self._measured, self._has_failed = round(volts * 1000), False


def parse_battery(text: str, *, divider: float | None, reference: float | None) -> Battery:
    """Read what a user says of the battery: `mains`, `2900mV`, or `mcp3008:CHANNEL`.

    Args:
        text: what was said.
        divider: see `MeasuredBattery`; None: 1.
        reference: None: 3.3.

    Raises:
        ValueError: it is none of these, or divider or reference cannot be, or measure nothing.
    """
    if text.lower().startswith(MCP3008):
        return _measured(text[len(MCP3008) :], divider or 1.0, reference or 3.3)
    if divider is not None or reference is not None:
        raise ValueError("a divider and a reference belong to mcp3008:CHANNEL")
    if text.lower() == "mains":
        return Battery()
    try:
        millivolts = parse_millivolts(int(text) if text.isdecimal() else text)
    except ValueError:
        millivolts = None
    if millivolts is None:
        raise ValueError(f"{text!r} is none of mains, 2900mV and mcp3008:CHANNEL")
    return FixedBattery(millivolts)


def _measured(channel: str, divider: float, reference: float) -> Battery:
    if channel not in map(str, range(_CHANNELS)):
        raise ValueError(f"channel {channel!r} of the MCP3008 is not one of 0 to {_CHANNELS - 1}")
    if not 1 <= divider <= _MOST_MILLIVOLTS / 1000 / reference:
        raise ValueError(f"the divider {divider:g} cannot be: (R1 + R2) / R2 is 1 or more")
    return MeasuredBattery(int(channel), divider=divider, reference=reference)
