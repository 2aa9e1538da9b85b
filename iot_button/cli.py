"""The `iot-button` command. It finds each subcommand by name and imports it only when it runs."""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from iot_button.console import say
from iot_button.errors import IotButtonError
from iot_button.lifetime import INTERRUPTED

Table = Mapping[str, tuple[str, str]]

COMMANDS: Final[Table] = {
    "up": ("iot_button.commands.up", "Start broker, functions and dashboard in one go."),
    "press": ("device_sim.commands.press", "Press a button once and wait for its processed click."),
    "simulate": ("device_sim.commands.simulate", "Let many simulated buttons click."),
    "device": ("device_sim.commands.device.group", "Run a real button on this machine."),
    "tail": ("iot_button.commands.tail", "Print processed clicks as they come."),
    "broker": ("broker.command", "Run the MQTT broker alone."),
    "provision": ("broker.provision_command", "Give a button a certificate, or revoke it."),
    "account": ("broker.account_command", "Say who may connect to the broker."),
    "bridge": ("broker.bridge_command", "Forward topics to and from another broker."),
    "functions": ("functions.command", "Run the function runtime alone."),
    "rule": ("functions.rule_command", "Try an AWS IoT rule on a message."),
    "dashboard": ("dashboard.command", "Run the web dashboard alone."),
    "doctor": ("iot_button.commands.doctor", "Check what works here, and name the mend."),
}
"""Subcommand -> the module whose `command` it is, and one line of help (no import needed)."""


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when it is run, not to list it.

    `table`: subcommand -> the module whose `command` it is, and one line of help.
    """

    def __init__(self, *arguments: Any, table: Table, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand."""
        if cmd_name not in self._table:
            return super().get_command(ctx, cmd_name)
        command: click.Command = importlib.import_module(self._table[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands with their one line each."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in self._table.items()])


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: iot-button up --simulate 5",
)
@click.version_option(package_name="iot-button", prog_name="iot-button")
def root() -> None:
    """Run a self-hosted IoT button: clicks over MQTT, a Lambda-style function, a live dashboard."""


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        status = root.main(prog_name="iot-button", standalone_mode=False)
        sys.exit(status)  # a number after ctx.exit(), otherwise None
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except IotButtonError as error:
        say(f"iot-button: {error}")
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more may be written when Python flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        say(f"iot-button: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
