"""`iot-button functions deadletters`: failed invocations, and running them again."""

import click

from functions.commands.client import Client
from functions.commands.output import print_json, timestamp
from iot_button.errors import IotButtonError
from iot_button.options import functions_port, takes_settings
from iot_button.settings import Settings


@click.group("deadletters", epilog="Example: iot-button functions deadletters list enrich")
def command() -> None:
    """Show failed invocations, and run them again."""


@command.command("list", epilog="Example: iot-button functions deadletters list enrich | jq .id")
@click.argument("name")
@click.option(
    "--limit", metavar="N", default=100, show_default=True, type=click.IntRange(1, 10_000)
)
@functions_port
@takes_settings
def list_command(settings: Settings, name: str, limit: int) -> None:
    """Print a function's newest dead letters, oldest first, one JSON line each.

    `record` is what AWS Lambda sends to an on-failure destination.
    """
    client = Client(settings.functions)
    path = ("functions", name, "dead-letters")
    answer = client.administer("GET", *path, query={"limit": limit})
    for letter in answer["deadLetters"]:
        at = timestamp(letter["moment"])
        print_json({"id": letter["id"], "timestamp": at, "record": letter["record"]})


@command.command("redrive", epilog="Example: iot-button functions deadletters redrive enrich")
@click.argument("name")
@click.option(
    "--id", "letter", metavar="ID", type=click.IntRange(0, 2**53), help="Only this one. [all]"
)
@functions_port
@takes_settings
def redrive_command(settings: Settings, name: str, letter: int | None) -> None:
    """Queue the original events of a function's dead letters again; print how many."""
    client = Client(settings.functions)
    mend = f"`iot-button functions deadletters list {name}` shows those it has"
    try:
        answer = client.administer("POST", "functions", name, "redrive", body={"id": letter})
    except IotButtonError as error:
        if letter is None or error.mend:
            raise
        raise IotButtonError(error.problem, mend=mend) from error
    if letter is not None and not answer["redriven"]:
        raise IotButtonError(f"{name!r} has no dead letter {letter}", mend=mend)
    print_json({"redriven": answer["redriven"]})
