"""`iot-button dashboard`: the web dashboard alone."""

import click

from dashboard import create_app
from dashboard.gate import Gate
from dashboard.ingest import Ingest, connection_for, hub_for, store_for
from dashboard.live import MAX_CLIENTS
from dashboard.server import listen, raise_descriptor_limit, serving, url
from iot_button.console import say_ready
from iot_button.lifetime import Lifetime
from iot_button.options import PORT, takes_settings, until_stdin_closes
from iot_button.settings import Settings

START_TIMEOUT = 5.0
"""Seconds that the broker has to answer at the start; later it may be away as long as it likes."""

OTHER_DESCRIPTORS = 200
"""What is kept free of watching browsers: for requests, for MQTT, for Python itself."""


@click.command(name="dashboard", epilog="Example: iot-button dashboard --port 8081")
@click.option(
    "--port",
    "dashboard__port",
    type=PORT,
    metavar="PORT",
    help="Where the web page is; 0: any free port. [8080]",
)
@until_stdin_closes
@takes_settings
def command(settings: Settings, *, until_stdin_closes: bool) -> None:
    """Run the web dashboard alone. It needs a broker that runs."""
    with Lifetime(until_stdin_closes=until_stdin_closes) as lifetime:
        run(settings, lifetime)


def run(settings: Settings, lifetime: Lifetime) -> None:
    """Run until the lifetime is over.

    Raises:
        PortTakenError: when another process listens on our port.
        SettingError: one has to log in here, and there is no account for it.
        BrokerUnreachableError: when no broker answers within `START_TIMEOUT`.
    """
    gate = Gate(settings)
    spare = raise_descriptor_limit(MAX_CLIENTS + OTHER_DESCRIPTORS) - OTHER_DESCRIPTORS
    with listen(settings.dashboard) as listener, store_for(settings, lifetime.stop) as store:
        hub = hub_for(store, max_clients=max(1, min(MAX_CLIENTS, spare)))
        connection = connection_for(settings, hub, Ingest(store, settings.topic_names))
        with connection:
            connection.wait_ready(START_TIMEOUT, unless=lambda: lifetime.is_over)
            if lifetime.is_over:
                return
            app = create_app(settings, hub=hub, connection=connection, store=store, gate=gate)
            address = url(settings.dashboard, listener)
            # Left from the inside out: browsers are told first, while their threads still run.
            with serving(app, listener), hub, gate:
                say_ready("dashboard", dashboard=address)
                lifetime.wait()
