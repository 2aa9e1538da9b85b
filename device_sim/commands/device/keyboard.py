"""`iot-button device keyboard`: the space bar of this terminal."""

import click

from device_sim.commands.device.options import device_options
from device_sim.commands.device.running import run
from device_sim.drivers.keyboard import KeyboardDriver
from iot_button.options import takes_settings
from iot_button.settings import Settings


@click.command(epilog="Example: iot-button device keyboard --serial DESK")
@device_options
@takes_settings
def command(settings: Settings, until_stdin_closes: bool) -> None:
    """Use the space bar of this terminal as the button; `q` ends it.

    Where the terminal speaks the kitty keyboard protocol (kitty, foot, WezTerm, Ghostty, Alacritty,
    iTerm2; not within tmux), the bar is pressed as long as it is held. Elsewhere each space is one
    short press: two make a double click, and a held bar repeats itself. `d` is a double click and
    `l` a long one everywhere. The last line shows the light, in colour unless NO_COLOR is set.
    """
    if until_stdin_closes:
        raise click.UsageError(
            "--until-stdin-closes is not for the keyboard: standard input is where it presses"
        )
    run(settings, KeyboardDriver(bounce_time=settings.device.bounce_time))
