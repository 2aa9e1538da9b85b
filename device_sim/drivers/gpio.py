"""A push button on a pin of a Raspberry Pi, by gpiozero; its LEDs and its battery, if it has them.

Every raw edge is told, with its moment taken at once in gpiozero's own thread: gpiozero's debounce
drops edges, so it is off, and `gestures.py` does that work.
"""

import enum
import re
import time
from collections.abc import Callable
from typing import Any, ClassVar

from device_sim.drivers.base import Driver, Light, Sink
from device_sim.drivers.gpio_battery import Battery
from device_sim.drivers.gpio_factory import naming, open_gpiozero
from device_sim.drivers.gpio_light import GpioLight
from iot_button.loop import Loop


class Pull(enum.StrEnum):
    """Where the Pi's own resistor pulls the pin while nobody presses."""

    UP = "up"
    DOWN = "down"
    FLOATING = "floating"


class GpioDriver(Driver):
    """A button between a pin and ground (pull up), or between a pin and 3.3 V (pull down).

    Args:
        pin: by any name that gpiozero takes: `17`, `GPIO17`, `BOARD11`.
        pull: the resistor; FLOATING where the circuit has its own.
        active_high: whether the pin is high while pressed. Given with FLOATING only; otherwise it
            follows from the resistor.
        light: the LEDs; None: there are none.
        battery: what is measured; None: mains.
        pin_factory: gpiozero's; None: the one that gpiozero finds for this machine.
        clock: tells when an edge came, in seconds that only go forward.

    Raises:
        ValueError: `active_high` is missing, or too much.
    """

    name: ClassVar[str] = "gpio"

    def __init__(
        self,
        pin: str,
        *,
        pull: Pull = Pull.UP,
        active_high: bool | None = None,
        light: GpioLight | None = None,
        battery: Battery | None = None,
        pin_factory: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (active_high is None) == (pull is Pull.FLOATING):
            raise ValueError("active_high belongs to a pin without pull, and only there")
        self._pin = pin.upper()
        self._pull = pull
        self._active_high = pull is Pull.DOWN if active_high is None else active_high
        self._light = light or GpioLight({})
        self._battery = battery or Battery()
        self._pin_factory = pin_factory
        self._clock = clock
        self._button: Any = None

    @property
    def label(self) -> str:
        """`gpio` and the pin, e.g. `gpio17`."""
        word = re.sub(r"^(GPIO|BCM)(?=\d)", "", self._pin)
        return f"gpio{re.sub(r'[^A-Za-z0-9_-]+', '-', word)}"

    def open(self, loop: Loop, sink: Sink) -> None:
        """Take the pins; a contact that is closed already is told as a press that begins now."""
        self._loop, self._sink = loop, sink
        gpiozero, factory = open_gpiozero(self._pin_factory)
        try:
            with naming(f"pin {self._pin}", gpiozero):
                self._claim(gpiozero, factory)
            self._light.open(loop, gpiozero, factory)
            self._battery.open(gpiozero, factory, clock=self._clock)
        except BaseException:
            self.close()
            raise
        # Read after the edges are listened to, so that none falls in between; they come to the
        # sink after this call.
        if self._button.is_active:
            sink.edge(True, self._clock())

    def close(self) -> None:
        """Give the pins back, the light off."""
        button, self._button = self._button, None
        if button is not None:
            button.pin.when_changed = None  # with lgpio, `close` alone would leave its callback
            button.close()
        self._light.close()
        self._battery.close()

    def show(self, light: Light) -> None:
        """Let the LEDs say it."""
        self._light.show(light)

    def battery(self) -> int | None:
        """Return the battery in millivolts; None: mains, or it cannot be measured."""
        return self._battery.read()

    def _claim(self, gpiozero: Any, factory: Any) -> None:
        floats = self._pull is Pull.FLOATING
        self._button = gpiozero.InputDevice(
            self._pin,
            pull_up=None if floats else self._pull is Pull.UP,
            active_state=self._active_high if floats else None,
            pin_factory=factory,
        )
        # gpiozero's pin, and not its Button: that one tells of no edge whose level it has seen
        # already, and calls back by levels of wrappers.
        self._button.pin.bounce = None
        self._button.pin.edges = "both"
        self._button.pin.when_changed = self._changed

    def _changed(self, _ticks: float, state: bool) -> None:
        """Take an edge, in gpiozero's thread."""
        moment = self._clock()
        is_pressed = bool(state) is self._active_high
        self._loop.call_from_thread(lambda: self._tell(is_pressed, moment))

    def _tell(self, is_pressed: bool, moment: float) -> None:
        if self._button is not None:  # not closed meanwhile
            self._sink.edge(is_pressed, moment)
