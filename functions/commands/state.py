"""`iot-button functions throttle`, `pause` and `resume`: how much of a function may run."""

import re
from typing import Any

import click

from functions.commands.client import Client
from functions.commands.output import clean, print_json
from iot_button.console import say
from iot_button.options import functions_port, takes_settings
from iot_button.settings import Settings

MOST = 10_000


def _concurrency(_context: click.Context, _argument: click.Parameter, value: str) -> int | None:
    if value.lower() == "none":
        return None
    if not (value.isascii() and value.isdecimal() and int(value[:6]) <= MOST):
        raise click.BadParameter(f"{value!r} is neither a number from 0 to {MOST} nor none")
    return int(value)


class _TakesNegative(click.Command):
    """Takes -1 for an argument, to say what is wrong with it, and not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let what is no option through only where there is a negative number."""
        ctx.ignore_unknown_options = any(re.fullmatch("-[0-9]+", each) for each in args)
        return super().parse_args(ctx, args)


@click.command(
    "throttle", cls=_TakesNegative, epilog="Example: iot-button functions throttle enrich 0"
)
@click.argument("name")
@click.argument("concurrency", metavar="N|none", callback=_concurrency)
@functions_port
@takes_settings
def throttle(settings: Settings, name: str, concurrency: int | None) -> None:
    """Let at most N of a function's events run at a time; the others wait.

    0 is AWS's kill switch: events go straight to the dead letters. none: what the manifest says.
    """
    _tell(_post(settings, name, "throttle", {"concurrency": concurrency}))


@click.command("pause", epilog="Example: iot-button functions pause enrich")
@click.argument("name")
@functions_port
@takes_settings
def pause(settings: Settings, name: str) -> None:
    """Keep a function's events on disk until `resume`."""
    _tell(_post(settings, name, "pause"))


@click.command("resume", epilog="Example: iot-button functions resume enrich")
@click.argument("name")
@functions_port
@takes_settings
def resume(settings: Settings, name: str) -> None:
    """Run a paused function's events, in the order in which they came."""
    _tell(_post(settings, name, "resume"))


def _post(
    settings: Settings, name: str, what: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    client = Client(settings.functions)
    return client.administer("POST", "functions", name, what, body=body)


def _tell(function: dict[str, Any]) -> None:
    """Print the function as it is now, and say what that means."""
    print_json(function)
    means = {
        "active": f"runs up to {function['concurrencyLimit']} events at a time",
        "paused": "is paused: its events are kept on disk until resume",
        "killed": "is off: its events go straight to the dead letters",
    }
    state = function["state"]
    say(f"{clean(function['name'])} {means.get(state, clean(str(state)))}")
