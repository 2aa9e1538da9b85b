"""How a driver's command runs: until asked to stop, or until its clicks are done."""

import logging
from typing import Any

from device_sim.device import Device
from device_sim.drivers.base import Driver
from device_sim.identity import serial_number
from iot_button.console import emit, say, say_ready
from iot_button.errors import IotButtonError
from iot_button.files import InUseError
from iot_button.lifetime import Lifetime
from iot_button.settings import Settings

log = logging.getLogger(__name__)

SETTLE = 10.0
"""Seconds to wait for clicks that are under way when the driver has no more presses."""
_LOOK_EVERY = 0.05


def run(settings: Settings, driver: Driver, *, until_stdin_closes: bool = False) -> None:
    """Run one button; each click that is taken is printed as one JSON line.

    Raises:
        IotButtonError: what is missing will not come by itself; or clicks still wait at the end of
            the presses.
    """
    serial = settings.device.serial_number or serial_number(driver.label)
    device = Device(
        settings,
        driver,
        serial_number=serial,
        on_taken=_Printer(),
        on_ended=lambda: _stop_when_done(device, attempts=int(SETTLE / _LOOK_EVERY)),
    )
    with Lifetime(until_stdin_closes=until_stdin_closes, on_asked=device.stop) as lifetime:
        try:
            with device:
                say_ready(
                    "device",
                    serial=serial,
                    driver=driver.label,
                    broker=str(settings.broker.address),
                    waiting=str(len(device.outbox)),
                )
                if not lifetime.is_over:
                    device.run()
                waiting = len(device.outbox)
        except InUseError as error:
            raise IotButtonError(
                f"the button {serial} runs already on this machine",
                mend="give this one another serial number: --serial SERIAL",
            ) from error
    if waiting and lifetime.is_over:
        say(f"{waiting} clicks are on disk; they are sent at the next start")
    elif waiting:
        raise IotButtonError(
            f"{waiting} clicks are on disk and not processed yet",
            mend="is the system up? iot-button doctor; they are sent at the next start",
        )


def _stop_when_done(device: Device, *, attempts: int) -> None:
    if device.is_idle or not attempts:
        device.stop()
    else:
        device.loop.call_later(_LOOK_EVERY, lambda: _stop_when_done(device, attempts=attempts - 1))


class _Printer:
    """Prints clicks as long as someone reads them; the button goes on without."""

    def __init__(self) -> None:
        self._is_read = True

    def __call__(self, event: dict[str, Any]) -> None:
        if self._is_read:
            try:
                emit(event)
            except (OSError, ValueError, AttributeError):  # closed, or there is none at all
                self._is_read = False
                log.warning("nobody reads standard output any more; the button goes on")
