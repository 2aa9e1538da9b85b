"""`iot-button tail`: processed clicks as they come, one JSON line each."""

import secrets

import click
import msgspec

from iot_button.console import emit, say
from iot_button.events import decode_processed_click
from iot_button.lifetime import Lifetime
from iot_button.messages import Message
from iot_button.mqtt import Connection
from iot_button.options import takes_settings
from iot_button.settings import Settings


@click.command(epilog="Example: iot-button tail | jq .clickType")
@takes_settings
def command(settings: Settings) -> None:
    """Print processed clicks as they come, one JSON line each, until Ctrl-C."""
    topics = settings.topic_names
    broken_pipe = False
    with Lifetime() as lifetime:

        def on_message(message: Message) -> None:
            nonlocal broken_pipe
            try:
                if message.retained:
                    raise ValueError("a retained message is no event")
                decode_processed_click(message.payload)
                emit(msgspec.json.decode(message.payload))
            except (ValueError, RecursionError) as error:
                say(f"left out: {error}")
            except BrokenPipeError:
                broken_pipe = True
                lifetime.stop()

        def on_change(is_ready: bool) -> None:
            say(
                f"ready tail broker={settings.broker.address} topic={topics.processed}"
                if is_ready
                else "lost the broker; waiting for it to come back"
            )

        connection = Connection(
            settings.broker.address,
            client_id=f"iot-button-tail-{secrets.token_hex(4)}",
            on_message=on_message,
            on_change=on_change,
        )
        connection.subscribe(topics.processed)
        with connection:
            connection.wait_ready(10.0, unless=lambda: lifetime.is_over)
            lifetime.wait()
    if broken_pipe:
        raise BrokenPipeError
