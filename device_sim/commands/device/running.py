"""How a driver's command runs: until asked to stop, or until its clicks are done."""

import logging
from pathlib import Path
from typing import Any

import click

from device_sim.commands.device.options import RECORD
from device_sim.device import Device
from device_sim.drivers.base import Driver
from device_sim.drivers.recorded import RecordedDriver
from device_sim.edges import EdgeRecorder
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
    path: Path | None = click.get_current_context().meta.get(RECORD)
    if path is None:
        _run(settings, driver, until_stdin_closes=until_stdin_closes)
    else:
        with EdgeRecorder(path) as recorder:
            recorded = RecordedDriver(driver, recorder)
            _run(settings, recorded, until_stdin_closes=until_stdin_closes)


def _run(settings: Settings, driver: Driver, *, until_stdin_closes: bool) -> None:
    serial = settings.device.serial_number or serial_number(driver.label)
    device = Device(
        settings,
        driver,
        serial_number=serial,
        on_taken=_Printer(),
        on_ended=lambda: _stop_when_done(device),
    )
    with Lifetime(until_stdin_closes=until_stdin_closes, on_asked=device.stop) as lifetime:
        try:
            waiting = _run_until_stopped(device, driver, settings, lifetime)
        except InUseError as error:
            raise IotButtonError(
                f"the button {serial} runs already on this machine",
                mend="give this one another serial number: --serial SERIAL",
            ) from error
    if waiting and lifetime.is_over:
        say(f"{_clicks(waiting)} on disk; what waits is sent at the next start")
    elif waiting:
        raise IotButtonError(
            f"{_clicks(waiting)} on disk and not processed yet",
            mend="is the system up? iot-button doctor; what waits is sent at the next start",
        )


def _clicks(number: int) -> str:
    return "1 click is" if number == 1 else f"{number} clicks are"


def _run_until_stopped(
    device: Device, driver: Driver, settings: Settings, lifetime: Lifetime
) -> int:
    """Run, and return how many clicks wait at the end."""
    with device:
        say_ready(
            "device",
            serial=device.serial_number,
            driver=driver.label,
            broker=str(settings.broker.address),
            waiting=str(len(device.outbox)),
        )
        if not lifetime.is_over:
            device.run()
        return len(device.outbox)


def _stop_when_done(device: Device, *, attempts: int = int(SETTLE / _LOOK_EVERY)) -> None:
    if device.is_idle or not attempts:
        device.stop()
        return
    # A gesture that is under way, such as a contact that is held, takes what time it takes.
    left = attempts - (not device.is_in_gesture)
    device.loop.call_later(_LOOK_EVERY, lambda: _stop_when_done(device, attempts=left))


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
