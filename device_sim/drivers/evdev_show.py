"""Which keys an input device sends: to find out what to name the button by."""

import contextlib
from collections.abc import Callable, Container

from device_sim.drivers.base import Presence
from device_sim.drivers.evdev import EvdevDriver
from device_sim.drivers.evdev_devices import InputDevices
from device_sim.drivers.evdev_events import EV_KEY, PRESSED, RELEASED, REPEATED, Event
from device_sim.drivers.evdev_keys import key_name
from device_sim.drivers.evdev_source import Source
from iot_button.console import emit, say_ready
from iot_button.events import ClickType
from iot_button.lifetime import Lifetime
from iot_button.loop import Loop

_ACTIONS = {PRESSED: "press", RELEASED: "release", REPEATED: "repeat"}


class _Nobody:
    """A device that takes no presses."""

    def edge(self, is_pressed: bool, moment: float) -> None:
        """Take no edge."""

    def start_over(self) -> None:
        """Have nothing to forget."""

    def clicked(self, click_type: ClickType) -> None:
        """Take no click."""

    def sent(self, payload: bytes) -> bool:  # noqa: ARG002 - the sink's signature
        """Take no payload."""
        return False

    def present(self, presence: Presence) -> None:
        """Tell no one."""

    def ended(self) -> None:
        """End nothing."""


def show_keys(
    wanted: str,
    *,
    counted: Container[int] | None = None,
    devices: InputDevices | None = None,
    until_stdin_closes: bool = False,
) -> None:
    """Print a JSON line for each key event until asked to stop. Other programs get them too.

    Args:
        wanted: which device, as for the driver.
        counted: codes of the keys to show; None: all.
        devices: where devices are found.
        until_stdin_closes: stop with standard input too.

    Raises:
        DriverError: the device is there and cannot be had.
    """
    loop = Loop()
    printer = _Printer(counted, on_failure=loop.stop)
    driver = EvdevDriver(wanted, devices=devices, grab=False, on_event=printer)
    with (
        contextlib.closing(loop),
        contextlib.closing(driver),
        Lifetime(
            until_stdin_closes=until_stdin_closes,
            on_asked=lambda: loop.call_from_thread(loop.stop),
        ) as lifetime,
    ):
        driver.open(loop, _Nobody())
        say_ready("device", show=wanted)
        if not lifetime.is_over:
            loop.run()
    if printer.error is not None:
        raise printer.error


class _Printer:
    """Prints key events. `error`: why it cannot any more."""

    def __init__(self, counted: Container[int] | None, *, on_failure: Callable[[], None]) -> None:
        self._counted = counted
        self._on_failure = on_failure
        self.error: OSError | None = None

    def __call__(self, source: Source, event: Event) -> None:
        if event.type == EV_KEY and (self._counted is None or event.code in self._counted):
            try:
                emit(_facts(source, event))
            except OSError as error:  # whoever read our output has gone
                self.error = error
                self._on_failure()


def _facts(source: Source, event: Event) -> dict[str, str | int]:
    return {
        "path": str(source.path),
        "name": source.name,
        "key": key_name(event.code),
        "code": event.code,
        "action": _ACTIONS.get(event.value, event.value),
    }
