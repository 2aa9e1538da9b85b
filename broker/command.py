"""`iot-button broker`: the MQTT broker alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iot_button.console import say_ready
from iot_button.errors import IotButtonError
from iot_button.lifetime import Lifetime
from iot_button.open_files import allow_most_open_files
from iot_button.options import mqtt_port, takes_settings, until_stdin_closes, websocket_port
from iot_button.settings import Settings

if TYPE_CHECKING:
    from broker.embedded import EmbeddedBroker
    from broker.mosquitto import MosquittoBroker


@click.command(epilog="Example: iot-button broker --broker mosquitto --port 1884")
@mqtt_port
@websocket_port
@click.option(
    "--hold-clicks",
    is_flag=True,
    help="Hold clicks for a function runtime that has not connected yet (amqtt only; mosquitto "
    "holds them once it has been there). Without one, they fill the memory.",
)
@until_stdin_closes
@takes_settings
def command(settings: Settings, hold_clicks: bool, until_stdin_closes: bool) -> None:
    """Run the MQTT broker alone, on loopback, until Ctrl-C."""
    if settings.broker.is_external:
        raise IotButtonError(
            f"{settings.broker.address} is a broker that runs already: there is nothing to start"
        )
    allow_most_open_files()  # each connection is one; mosquitto has this from us
    failed = False
    with Lifetime(until_stdin_closes=until_stdin_closes) as lifetime:

        def on_failure() -> None:
            nonlocal failed
            failed = True
            lifetime.stop()

        with _broker(settings, on_failure, hold_clicks=hold_clicks) as broker:
            say_ready(
                "broker",
                mqtt=f"mqtt://{broker.host}:{broker.port}",
                websocket=f"ws://{broker.host}:{broker.websocket_port}",
            )
            lifetime.wait()
        if failed:
            raise IotButtonError("the broker ended; its reason is above")


def _broker(
    settings: Settings, on_failure: Callable[[], None], *, hold_clicks: bool
) -> AbstractContextManager["EmbeddedBroker | MosquittoBroker"]:
    # Only the one that runs is imported: amqtt is 85 ms and 15 MB.
    if settings.broker.use == "mosquitto":
        from broker.mosquitto import MosquittoBroker

        return MosquittoBroker(
            host=settings.broker.host,
            port=settings.broker.port,
            websocket_port=settings.broker.websocket_port,
            directory=Path(settings.state_dir) / "mosquitto",
            on_failure=on_failure,
        )
    from broker.embedded import EmbeddedBroker

    return EmbeddedBroker(
        host=settings.broker.host,
        port=settings.broker.port,
        websocket_port=settings.broker.websocket_port,
        journal=Path(settings.state_dir) / "broker" / "journal.db",
        websocket_origins=settings.broker.websocket_origins,
        hold={settings.functions_client_id: settings.topic_names.clicks} if hold_clicks else {},
        on_failure=on_failure,
    )
