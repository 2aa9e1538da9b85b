"""`iot-button functions list`: the functions of a running runtime."""

from typing import Any

import click

from functions.commands.client import Client
from functions.commands.output import is_terminal, print_json, print_table
from iot_button.options import functions_port, takes_settings
from iot_button.settings import Settings

_HEADS = ("NAME", "STATE", "RUNNING", "WAITING", "DEAD LETTERS", "EVENTS")


@click.command("list", epilog="Example: iot-button functions list --json | jq .name")
@click.option("--json", "as_json", is_flag=True, help="One JSON line each, on a terminal too.")
@functions_port
@takes_settings
def command(settings: Settings, as_json: bool) -> None:
    """Show the functions of the running runtime, and how each is.

    A table on a terminal, one JSON line for each function otherwise.
    """
    found = Client(settings.functions).functions()
    if is_terminal() and not as_json:
        print_table(_HEADS, [_row(function) for function in found])
        return
    for function in found:
        print_json(function)


def _row(function: dict[str, Any]) -> list[str]:
    schedules, rules = function["schedules"], function["rules"]
    events = [*function["routes"], *schedules, *rules]
    return [
        function["name"],
        function["state"],
        f"{function['running']} of {function['concurrencyLimit']}",
        str(function["waiting"]),
        str(function["deadLetters"]),
        ", ".join(events) or "-",
    ]
