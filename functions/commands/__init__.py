"""The commands that talk to a running function runtime, for the group `iot-button functions`."""

from typing import Final

import click

from functions.commands import deadletters, invoke, listing, logs, state

COMMANDS: Final[tuple[click.Command, ...]] = (
    listing.command,
    invoke.command,
    logs.command,
    state.throttle,
    state.pause,
    state.resume,
    deadletters.command,
)
