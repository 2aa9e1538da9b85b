"""`iot-button device serial`: a button on a microcontroller, on USB."""

import click

from device_sim.commands.device.options import device_options
from device_sim.commands.device.running import run
from device_sim.drivers.serial_opening import BAUD
from device_sim.drivers.serial_ports import UsbId
from device_sim.drivers.serial_search import Where
from device_sim.drivers.usb_serial import UsbSerialDriver
from iot_button.options import takes_settings
from iot_button.settings import Settings


def _usb_id(_context: click.Context, _option: click.Parameter, value: str | None) -> UsbId | None:
    try:
        return None if value is None else UsbId.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog="Example: iot-button device serial --port /dev/ttyACM0")
@click.option(
    "--port",
    metavar="PATH",
    help="The serial port; best one of /dev/serial/by-id, which stays the same. [found by its "
    "USB id, or by its hello where there are several boards]",
)
@click.option(
    "--usb-id",
    metavar="VENDOR:PRODUCT",
    callback=_usb_id,
    help="The board's USB id, as lsusb shows it, e.g. 2e8a:0005. [any known kind of board]",
)
@click.option(
    "--baud",
    metavar="RATE",
    default=BAUD,
    show_default=True,
    type=click.IntRange(50, 4_000_000),
    help="As the firmware has it.",
)
@device_options
@takes_settings
def command(
    settings: Settings, port: str | None, usb_id: UsbId | None, baud: int, until_stdin_closes: bool
) -> None:
    """Run a button that an Arduino, a Pico or any microcontroller reads, and sends as lines.

    Its lines: `D` and `U` (pressed, released) with or without its own milliseconds, `SINGLE`,
    `DOUBLE` or `LONG`, or a click as JSON. Sketches for both boards are in examples/. The port may
    be absent, and be unplugged and plugged in again.
    """
    if port is not None and usb_id is not None:
        raise click.UsageError("--port and --usb-id exclude each other: both say which board")
    where = Where(port=port, usb_id=usb_id, baud=baud)
    run(settings, UsbSerialDriver(where), until_stdin_closes=until_stdin_closes)
