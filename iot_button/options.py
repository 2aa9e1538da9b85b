"""The options that all commands share, and how they become settings.

An option whose parameter is named `section__key` sets that setting; the others reach the command
under their own names.
"""

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from iot_button.configuration import load
from iot_button.console import start_logging

Command = Callable[..., None]
CONFIG = "iot_button.config"
"""Where a command's context keeps the settings file that was named, if one was."""
PORT = click.IntRange(0, 65535)


def finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Refuse NaN, which compares false with every limit."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no usable number")
    return value


def _or_of_the_group(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Return the option's value or, where it stood before the subcommand, the group's."""
    parent = context.parent
    while value is None and parent is not None:
        value = parent.params.get(option.name or "")
        parent = parent.parent
    return value


mqtt_port = click.option(
    "--port", "broker__port", type=PORT, metavar="PORT", help="For MQTT; 0: any free one. [1883]"
)
websocket_port = click.option(
    "--websocket-port",
    "broker__websocket_port",
    type=PORT,
    metavar="PORT",
    help="For MQTT over WebSocket; 0: any free one. [9001]",
)
tls_port = click.option(
    "--tls-port",
    "broker__tls_port",
    type=PORT,
    metavar="PORT",
    help="Also listen for MQTT over TLS, usually on 8883; 0: any free one. [no TLS]",
)
websocket_tls_port = click.option(
    "--websocket-tls-port",
    "broker__websocket_tls_port",
    type=PORT,
    metavar="PORT",
    help="Also listen for MQTT over WebSocket over TLS; 0: any free one. [no TLS]",
)
metrics_port = click.option(
    "--metrics-port",
    "broker__metrics_port",
    type=PORT,
    metavar="PORT",
    help="Show Prometheus the broker's figures there, on loopback; 0: any free one. [not at all]",
)
announce = click.option(
    "--announce",
    "broker__announce",
    is_flag=True,
    default=None,
    help="Tell the local network where the broker is, by mDNS.",
)
functions_port = click.option(
    "--functions-port",
    "functions__port",
    type=PORT,
    metavar="PORT",
    callback=_or_of_the_group,
    help="For the function runtime's HTTP endpoints; 0: any free one. [3000]",
)
until_stdin_closes = click.option(
    "--until-stdin-closes",
    is_flag=True,
    help="Stop when standard input ends: for a supervisor, whose death then stops this part too.",
)


def takes_settings(command: Command) -> Command:
    """Give a command the shared options; it gets the `Settings` as its first argument."""

    @functools.wraps(command)
    def with_settings(
        config: Path | None, state_dir: str | None, verbose: bool, **parameters: Any
    ) -> None:
        start_logging(verbose=verbose)
        click.get_current_context().meta[CONFIG] = config
        options: dict[str, dict[str, Any]] = {}
        for name in [name for name in parameters if "__" in name]:
            value = parameters.pop(name)
            if value is not None:
                section, key = name.split("__")
                options.setdefault(section, {})[key] = value
        if state_dir is not None:
            options[""] = {"state_dir": state_dir}
        command(load(config=config, environ=os.environ, options=options), **parameters)

    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Say more about what happens."),
        click.option(
            "--state-dir", metavar="DIR", help="Where state is kept. [~/.local/state/iot-button]"
        ),
        click.option(
            "--config",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Settings file. [iot-button.toml, if there is one]",
        ),
        click.option(
            "--broker",
            "broker__use",
            metavar="BROKER",
            help="amqtt, mosquitto, or the address of one that runs: mqtt[s]://HOST:PORT. [amqtt]",
        ),
    ):
        with_settings = option(with_settings)
    return with_settings
