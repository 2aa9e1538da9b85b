"""`iot-button device outbox`: what a button still has on its disk."""

from pathlib import Path

import click

from device_sim.device import outbox_path
from device_sim.moments import Moments
from device_sim.outbox import Outbox
from iot_button.console import emit, say
from iot_button.errors import IotButtonError
from iot_button.files import InUseError
from iot_button.options import takes_settings
from iot_button.settings import Settings


@click.command(epilog="Example: iot-button device outbox --serial DOOR --retry")
@click.option(
    "--serial", "device__serial_number", metavar="SERIAL", help="Which button. [the only one]"
)
@click.option("--retry", is_flag=True, help="Let the clicks that were given up wait once more.")
@click.option("--drop", is_flag=True, help="Remove the clicks that were given up.")
@takes_settings
def command(settings: Settings, retry: bool, drop: bool) -> None:
    """Show the clicks that wait, and those that were given up, as one JSON line each.

    The button must not run meanwhile. While it runs, its status topic has their numbers.
    """
    if retry and drop:
        raise click.UsageError("--retry and --drop exclude each other")
    path = _path(settings)
    moments = Moments()
    try:
        with Outbox(path, size=settings.device.outbox_size, moments=moments) as outbox:
            if retry or drop:
                number = outbox.take_back() if retry else outbox.drop_given_up()
                outbox.commit()  # before anyone is told
                say(_done(number, retry=retry))
            else:
                _show(outbox)
    except InUseError as error:
        raise IotButtonError(
            f"the button {path.stem} runs",
            mend="stop it first; its status topic says how many clicks wait",
        ) from error


def _show(outbox: Outbox) -> None:
    for is_given_up in (False, True):
        for kept in outbox.entries(given_up=is_given_up):
            emit({"state": "givenUp" if is_given_up else "waiting", **outbox.event(kept)})
    say(f"{len(outbox)} wait, {outbox.given_up} were given up: {outbox.path}")


def _done(number: int, *, retry: bool) -> str:
    clicks = "1 click" if number == 1 else f"{number} clicks"
    if not retry:
        return f"{clicks} removed"
    return f"{clicks} {'waits' if number == 1 else 'wait'} once more"


def _path(settings: Settings) -> Path:
    serial = settings.device.serial_number
    if serial is not None:
        path = outbox_path(settings, serial)
        if not path.is_file():
            raise IotButtonError(f"there is no outbox {path}", mend=_mend(path.parent))
        return path
    folder = outbox_path(settings, "any").parent
    paths = sorted(folder.glob("*.db"))
    if len(paths) != 1:
        raise IotButtonError(
            "several buttons have an outbox" if paths else f"there is no outbox in {folder}",
            mend=_mend(folder),
        )
    return paths[0]


def _mend(folder: Path) -> str:
    serials = ", ".join(sorted(path.stem for path in folder.glob("*.db")))
    return f"name one with --serial: {serials}" if serials else "no button has run here yet"
