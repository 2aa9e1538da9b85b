"""`iot-button broker`: the MQTT broker alone."""

import gc
import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from broker.observing import observed
from iot_button.accounts_file import AccountFile
from iot_button.cli import LazyGroup, Table
from iot_button.console import say_ready
from iot_button.errors import IotButtonError, SettingError
from iot_button.hosts import in_url, reachable
from iot_button.house import make_house
from iot_button.lifetime import Lifetime
from iot_button.open_files import allow_most_open_files
from iot_button.options import (
    announce,
    metrics_port,
    mqtt_port,
    takes_settings,
    tls_port,
    until_stdin_closes,
    websocket_port,
    websocket_tls_port,
)
from iot_button.settings import Settings, is_loopback

if TYPE_CHECKING:
    from broker.embedded import EmbeddedBroker
    from broker.mosquitto import MosquittoBroker


log = logging.getLogger(__name__)

COMMANDS: Final[Table] = {
    "export": ("broker.export_command", "Write another broker's configuration."),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    invoke_without_command=True,
    epilog="Example: iot-button broker --broker mosquitto --port 1884",
)
@mqtt_port
@websocket_port
@tls_port
@websocket_tls_port
@metrics_port
@announce
@click.option(
    "--hold-clicks",
    is_flag=True,
    help="Hold clicks for a function runtime that has not connected yet (amqtt only; mosquitto "
    "holds them once it has been there). Without one, they fill the disk.",
)
@until_stdin_closes
@takes_settings
def command(settings: Settings, hold_clicks: bool, until_stdin_closes: bool) -> None:
    """Run the MQTT broker alone until Ctrl-C: on loopback, or with accounts beyond."""
    if click.get_current_context().invoked_subcommand is not None:
        _refuse_options()
        return
    if settings.broker.is_external:
        raise IotButtonError(
            f"{settings.broker.address} is a broker that runs already: there is nothing to start"
        )
    _check_origins(settings)
    _check_reach(settings)
    make_house(Path(settings.state_dir))  # our own parts use it from their start on
    allow_most_open_files()  # each connection is one; mosquitto has this from us
    failed = False
    with Lifetime(until_stdin_closes=until_stdin_closes) as lifetime:

        def on_failure() -> None:
            nonlocal failed
            failed = True
            lifetime.stop()

        with (
            _broker(settings, on_failure, hold_clicks=hold_clicks) as broker,
            observed(settings, broker) as more,
        ):
            # What the start made stays: each look through it for garbage would stop all for 30 ms.
            gc.collect()
            gc.freeze()
            _warn_of_pages(settings)
            say_ready("broker", **_addresses(broker), **more)
            lifetime.wait()
        if failed:
            raise IotButtonError("the broker ended; its reason is above")


def _refuse_options() -> None:
    """Refuse what stands before a subcommand: it would have no effect there."""
    context = click.get_current_context()
    for name in context.params:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"write the options after `{context.invoked_subcommand} ...`")


def _addresses(broker: "EmbeddedBroker | MosquittoBroker") -> dict[str, str]:
    ports = {
        "mqtt": ("mqtt", broker.port),
        "mqtts": ("mqtts", broker.tls_port),
        "websocket": ("ws", broker.websocket_port),
        "secureWebsocket": ("wss", broker.websocket_tls_port),
    }
    return {
        name: f"{scheme}://{in_url(reachable(broker.host))}:{port}"
        for name, (scheme, port) in ports.items()
        if port is not None
    }


def _check_origins(settings: Settings) -> None:
    """Refuse what no browser says of itself (RFC 6454, section 6.2)."""
    for origin in settings.broker.websocket_origins:
        if re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", origin) is None:
            raise SettingError(
                "broker.websocket_origins",
                f"broker.websocket_origins: {origin!r} is no web origin",
                mend="write it as the page's address up to the path: https://pages.example.com; "
                "in IOT_BUTTON_BROKER_WEBSOCKET_ORIGINS without quotes, several with commas",
            )


def _check_reach(settings: Settings) -> None:
    """Refuse to listen beyond loopback with an open door."""
    host = settings.broker.host
    if is_loopback(host):
        return
    if not AccountFile(Path(settings.state_dir)).read():
        raise SettingError(
            "broker.host",
            f"broker.host = {host!r} is beyond loopback, where everyone on the network could press "
            "buttons: accounts are needed",
            mend="make one: iot-button account add NAME --admin; or keep 127.0.0.1; or use a "
            "broker that has accounts: --broker mqtts://HOST:PORT",
        )
    log.warning(
        "without TLS, passwords cross the network in clear text; with it they do not: %s",
        "mqtts, beside it" if settings.broker.tls_port is not None else "--tls-port 8883",
    )


def _warn_of_pages(settings: Settings) -> None:
    """Say that web pages may come in: mosquitto 2.0.11 looks at no Origin, and knows none."""
    if settings.broker.use == "mosquitto" and not AccountFile(Path(settings.state_dir)).read():
        log.warning(
            "any web page that is open in a browser of this machine can press and read here, at "
            "the WebSocket port: mosquitto does not check a page's origin, and there are no "
            "accounts. Make one: iot-button account add NAME --admin; or leave --broker out: the "
            "broker of our own checks",
        )


def _broker(
    settings: Settings, on_failure: Callable[[], None], *, hold_clicks: bool
) -> AbstractContextManager["EmbeddedBroker | MosquittoBroker"]:
    from broker.mosquitto_settings import certificates_of

    # Only the one that runs is imported: amqtt is 85 ms and 15 MB.
    if settings.broker.use == "mosquitto":
        from broker.mosquitto import MosquittoBroker
        from broker.mosquitto_settings import accounts_of

        return MosquittoBroker(
            host=settings.broker.host,
            port=settings.broker.port,
            websocket_port=settings.broker.websocket_port,
            tls_port=settings.broker.tls_port,
            websocket_tls_port=settings.broker.websocket_tls_port,
            accounts=accounts_of(settings),
            certificates=certificates_of(settings),
            directory=Path(settings.state_dir) / "mosquitto",
            on_failure=on_failure,
        )
    from broker.account_door import AccountDoor
    from broker.embedded import EmbeddedBroker

    state_dir = Path(settings.state_dir)
    return EmbeddedBroker(
        host=settings.broker.host,
        port=settings.broker.port,
        websocket_port=settings.broker.websocket_port,
        tls_port=settings.broker.tls_port,
        websocket_tls_port=settings.broker.websocket_tls_port,
        certificates=certificates_of(settings),
        journal=state_dir / "broker" / "journal.db",
        door=AccountDoor(
            state_dir,
            settings.topic_names,
            open_without_accounts=is_loopback(settings.broker.host),
        ),
        websocket_origins=settings.broker.websocket_origins,
        hold={settings.functions_client_id: settings.topic_names.clicks} if hold_clicks else {},
        on_failure=on_failure,
    )
