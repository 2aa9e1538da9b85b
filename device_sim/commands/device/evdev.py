"""`iot-button device evdev`: a USB or Bluetooth button that is an input device of Linux."""

import sys

import click

from device_sim.commands.device.options import device_options
from device_sim.commands.device.running import run
from device_sim.drivers.evdev import EvdevDriver
from device_sim.drivers.evdev_devices import InputDevices, facts
from device_sim.drivers.evdev_keys import key_code
from device_sim.drivers.evdev_show import show_keys
from iot_button.console import emit, say
from iot_button.options import takes_settings
from iot_button.settings import Settings


def _codes(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> frozenset[int] | None:
    try:
        return frozenset(map(key_code, values)) or None
    except ValueError as error:
        raise click.BadParameter(
            f"{error}; `iot-button device evdev --show` tells the name or number of each key"
        ) from error


@click.command(epilog='Example: iot-button device evdev --input "AB Shutter3" --serial DOOR')
@click.option(
    "--input",
    "wanted",
    metavar="NAME|PATH",
    help="Which device: a part of its name, a pattern such as 'AB*', its Bluetooth address, or a "
    "path; best one of /dev/input/by-id.",
)
@click.option(
    "--key",
    "counted",
    metavar="KEY",
    multiple=True,
    callback=_codes,
    help="A key that is the button, e.g. KEY_VOLUMEUP, BTN_LEFT or 115; may be given again. [any]",
)
@click.option(
    "--wake-is-click",
    is_flag=True,
    help="For a button that sleeps and whose first press is lost: when it comes back and tells of "
    "no press within a second, that is a single click.",
)
@click.option("--list", "lists", is_flag=True, help="Show the input devices that have keys.")
@click.option(
    "--show",
    "shows",
    is_flag=True,
    help="Show which keys come, of all devices without --input; nothing is sent.",
)
@device_options
@takes_settings
def command(
    settings: Settings,
    wanted: str | None,
    counted: frozenset[int] | None,
    wake_is_click: bool,
    lists: bool,
    shows: bool,
    until_stdin_closes: bool,
) -> None:
    """Use a USB or Bluetooth button, shutter remote, presenter or foot switch as the button.

    It is pressed while any of its keys is held. No other program gets its keys meanwhile, so do not
    name the keyboard you type on. It may be absent, sleep, and come back.
    """
    if lists:
        _list()
        return
    if shows:
        show_keys(wanted or "*", counted=counted, until_stdin_closes=until_stdin_closes)
        return
    if not (wanted and wanted.strip("*? ")):
        raise click.UsageError("name the button with --input; --list shows what there is")
    driver = EvdevDriver(wanted, counted=counted, wake_is_click=wake_is_click)
    run(settings, driver, until_stdin_closes=until_stdin_closes)


def _list() -> None:
    found = [facts(device) for device in InputDevices().all()]
    if not found:
        say("no input device with keys is here; is it plugged in, or paired and awake?")
    for fact in found:
        if sys.stdout is not None and sys.stdout.isatty():
            mark = "" if fact["readable"] else "  (not readable: sudo usermod -aG input $USER)"
            click.echo(f"{fact['path']:<20}  {fact['address']:<17}  {fact['name']!r}{mark}")
        else:
            emit(fact)
