"""`iot-button broker export`: the settings as another broker's configuration."""

import shlex
from pathlib import Path

import click

from iot_button.console import say
from iot_button.options import mqtt_port, takes_settings, tls_port, websocket_port
from iot_button.settings import Settings


@click.group()
def command() -> None:
    """Write a folder from which another broker runs by itself, with the same settings."""


@command.command("mosquitto", epilog="Example: iot-button broker export mosquitto ./mosquitto")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--force",
    is_flag=True,
    help="Renew what an earlier export wrote there; its database stays.",
)
@mqtt_port
@websocket_port
@tls_port
@takes_settings
def mosquitto(settings: Settings, directory: Path, force: bool) -> None:
    """Write mosquitto.conf to DIR, with accounts and certificates, for a mosquitto of its own."""
    # Imported when it runs, and not to list it.
    from broker.mosquitto_configuration import Listeners, address_of
    from broker.mosquitto_export import export
    from broker.mosquitto_settings import accounts_of, certificates_of

    certificates = certificates_of(settings)
    export(
        directory,
        listeners=Listeners(
            address=address_of(settings.broker.host),
            port=settings.broker.port,
            websocket_port=settings.broker.websocket_port,
            tls_port=settings.broker.tls_port,
            websocket_tls_port=settings.broker.websocket_tls_port,
        ),
        accounts=accounts_of(settings)(),
        certificates=None if certificates is None else certificates.files,
        force=force,
    )
    file = shlex.quote(str(directory / "mosquitto.conf"))
    say(f"written; start it with: mosquitto -c {file}")
