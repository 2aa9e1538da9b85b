"""The options that all drivers share, and how a device runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from iot_button.options import until_stdin_closes

Command = Callable[..., None]
RECORD = "device_sim.record"
"""Where a command's context keeps the file that edges are to be written to, if any."""


def device_options(command: Command) -> Command:
    """Give a driver's command the shared options: each is a setting of the section `device`.

    It stands above `takes_settings`, which puts them into the settings.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return until_stdin_closes(command)


def _setting(*names: str, kind: Any = None, metavar: str | None = None, help: str) -> Any:  # noqa: A002
    key = names[0].removeprefix("--").replace("-", "_")
    return click.option(*names, f"device__{key}", type=kind, metavar=metavar, help=help)


def _keep(context: click.Context, _option: click.Parameter, value: Path | None) -> None:
    context.meta[RECORD] = value


_OPTIONS = (
    click.option(
        "--serial",
        "device__serial_number",
        metavar="SERIAL",
        help="The button's serial number. [made from this machine's name and the driver]",
    ),
    _setting("--name", metavar="NAME", help="What people call the button. [its serial number]"),
    _setting(
        "--bounce-time",
        kind=float,
        metavar="SECONDS",
        help="After a change, the contact is not listened to for so long. [0.02]",
    ),
    _setting(
        "--double-window",
        kind=float,
        metavar="SECONDS",
        help="A second press so soon after the first makes it double; 0: never. [0.4]",
    ),
    _setting(
        "--hold-time",
        kind=float,
        metavar="SECONDS",
        help="A press that is held longer is long. [1.5]",
    ),
    _setting(
        "--long-at",
        kind=click.Choice(["threshold", "release"]),
        help="When a long press is reported: while it is held, or at its end. [threshold]",
    ),
    click.option(
        "--extended/--no-extended",
        "device__extended",
        default=None,
        help="Count presses beyond two, and send their number as `presses`. [no]",
    ),
    _setting(
        "--done-at",
        kind=click.Choice(["receipt", "broker"]),
        help="A click is done when a function has processed it, or when the broker has it. "
        "[receipt]",
    ),
    click.option(
        "--home-assistant/--no-home-assistant",
        "device__home_assistant",
        default=None,
        help="Announce the button to Home Assistant. [no]",
    ),
    click.option(
        "--record",
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=_keep,
        expose_value=False,
        help="Write down the contact's edges, for iot-button device replay.",
    ),
)
