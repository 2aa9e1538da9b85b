"""`iot-button device forget`: a button leaves nothing behind on the broker."""

import secrets

import click

from device_sim.home_assistant import removal
from iot_button.console import say
from iot_button.mqtt import Connection
from iot_button.options import takes_settings
from iot_button.settings import Settings

TIMEOUT = 5.0


@click.command(epilog="Example: iot-button device forget --serial DOOR --broker mqtt://HOST:1883")
@click.option(
    "--serial", "device__serial_number", metavar="SERIAL", required=True, help="Which button."
)
@takes_settings
def command(settings: Settings) -> None:
    """Remove a button's retained status from the broker, and the button from Home Assistant.

    Its clicks, and its outbox on this machine, stay. A button that still runs comes back.
    """
    serial = str(settings.device.serial_number)
    retained = [(settings.topic_names.status(serial), b"")]
    announcement = removal(settings, serial)
    retained += [(announcement.topic, payload) for payload in announcement.payloads]
    client_id = f"iot-button-forget-{secrets.token_hex(4)}"
    with Connection(settings.broker.address, client_id=client_id) as connection:
        connection.wait_ready(TIMEOUT)
        for topic, payload in retained:
            connection.publish(topic, payload, retain=True)
        connection.drain(TIMEOUT)
    say(f"{settings.broker.address} has forgotten {serial}")
