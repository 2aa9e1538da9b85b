"""`iot-button functions`: the function runtime alone."""

import click

from functions.handlers import enrich
from functions.runtime.invocation import Function
from functions.runtime.worker import Worker
from iot_button.console import say_ready
from iot_button.lifetime import Lifetime
from iot_button.messages import Session
from iot_button.mqtt import Connection
from iot_button.options import takes_settings, until_stdin_closes
from iot_button.settings import Settings

CONNECT_TIMEOUT = 5.0
DRAIN_TIMEOUT = 1.0


@click.command(epilog="Example: iot-button functions --broker mqtt://127.0.0.1:1884")
@until_stdin_closes
@takes_settings
def command(settings: Settings, until_stdin_closes: bool) -> None:
    """Run the function runtime alone: `enrich` on every click, until Ctrl-C.

    It subscribes to iotbutton/+ and publishes to iotprocessed; what is no click goes to
    deadletter/enrich.
    """
    topics = settings.topic_names
    worker = Worker(Function("enrich", enrich.lambda_handler), topics=topics)
    connection = Connection(
        settings.broker.address,
        client_id=settings.functions_client_id,
        session=Session.KEPT,
        on_message=lambda message: worker.on_message(connection, message),
        acknowledge_by_hand=True,
    )
    connection.subscribe(topics.clicks)
    with Lifetime(until_stdin_closes=until_stdin_closes) as lifetime, connection:
        connection.wait_ready(CONNECT_TIMEOUT, unless=lambda: lifetime.is_over)
        if lifetime.is_over:
            return
        say_ready("functions", input=topics.clicks, output=topics.processed)
        lifetime.wait()
        worker.stop()
        if connection.is_ready:
            connection.drain(DRAIN_TIMEOUT)
