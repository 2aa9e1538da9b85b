"""`iot-button up`: broker, functions and dashboard in one go."""

from collections.abc import Iterator, Mapping

import click

from iot_button.console import is_verbose, say_ready
from iot_button.lifetime import Lifetime
from iot_button.options import (
    CONFIG,
    PORT,
    announce,
    finite,
    functions_port,
    metrics_port,
    mqtt_port,
    takes_settings,
    tls_port,
    websocket_port,
)
from iot_button.settings import ENVIRONMENT_PREFIX, Settings, as_environment
from iot_button.supervisor import READY_TIMEOUT, Plan, Supervisor

CONNECTS_PER_SECOND = 50
"""Connections that any broker makes, far fewer than ours do: 150/s and more, measured on amqtt."""


@click.command(epilog="Example: iot-button up --simulate 5")
@click.option(
    "--simulate",
    metavar="N",
    type=click.IntRange(1, 10_000),
    help="Also let N simulated buttons click.",
)
@click.option(
    "--rate",
    metavar="CLICKS_PER_S",
    type=click.FloatRange(min=0, min_open=True, max=10_000),
    callback=finite,
    help="Clicks per second of all simulated buttons. [one click of each in 5 s]",
)
@click.option("--no-dashboard", is_flag=True, help="Leave the dashboard out.")
@mqtt_port
@websocket_port
@tls_port
@metrics_port
@announce
@click.option(
    "--functions",
    "functions__manifest",
    metavar="PATH",
    help="Run the functions of a serverless.yml, a SAM template, or a folder with one. [our own]",
)
@functions_port
@click.option(
    "--dashboard-port",
    "dashboard__port",
    type=PORT,
    metavar="PORT",
    help="For the dashboard; 0: any free one. [8080]",
)
@takes_settings
def command(
    settings: Settings, simulate: int | None, rate: float | None, no_dashboard: bool
) -> None:
    """Start everything, on loopback, and keep it running until Ctrl-C.

    Each part is a process of its own. One that dies is started again.
    """
    options = ["--until-stdin-closes", *(["-v"] if is_verbose() else [])]
    config = click.get_current_context().meta[CONFIG]
    if config is not None:
        options += ["--config", str(config)]
    supervisor = Supervisor(as_environment(settings), options=options)
    with Lifetime(on_asked=supervisor.ask_to_stop), supervisor:
        addresses: dict[str, str] = {}
        for plan in _plans(settings, simulate, rate, no_dashboard=no_dashboard):
            found = supervisor.start(plan)
            if found is None:
                return
            addresses |= _worth_saying(plan, found)
            # A part that was told port 0 keeps, when it is started again, the port it found.
            supervisor.environment |= _found_ports(found)
        if settings.broker.is_external:
            addresses["mqtt"] = str(settings.broker.address)
        say_ready("up", **dict(sorted(addresses.items())))
        supervisor.watch()


def _plans(
    settings: Settings, simulate: int | None, rate: float | None, *, no_dashboard: bool
) -> Iterator[Plan]:
    """Yield the parts in the order of their start: each needs the ones before it."""
    if not settings.broker.is_external:
        yield Plan("broker", ["broker", "--hold-clicks"])
    yield Plan("functions", ["functions"])
    if not no_dashboard:
        yield Plan("dashboard", ["dashboard"])
    if settings.bridge:
        yield Plan("bridge", ["bridge"])
    if simulate is not None:
        client_id = settings.client_id_of("simulate")
        more = [] if rate is None else ["--rate", str(rate)]
        yield Plan(
            "simulate",
            ["simulate", "--devices", str(simulate), "--client-id", client_id, *more],
            ready_timeout=READY_TIMEOUT + simulate / CONNECTS_PER_SECOND,
        )


def _worth_saying(plan: Plan, addresses: Mapping[str, str]) -> dict[str, str]:
    if plan.name == "functions":
        return {"functions": addresses["http"]}
    if plan.name == "bridge":
        return {"bridge": addresses["to"]}
    return dict(addresses) if plan.name in ("broker", "dashboard") else {}


def _found_ports(addresses: Mapping[str, str]) -> dict[str, str]:
    variables = {
        "mqtt": "BROKER_PORT",
        "websocket": "BROKER_WEBSOCKET_PORT",
        "mqtts": "BROKER_TLS_PORT",
        "secureWebsocket": "BROKER_WEBSOCKET_TLS_PORT",
        "metrics": "BROKER_METRICS_PORT",
        "dashboard": "DASHBOARD_PORT",
        "http": "FUNCTIONS_PORT",
    }
    return {
        ENVIRONMENT_PREFIX + variables[name]: address.rpartition(":")[2]
        for name, address in addresses.items()
        if name in variables
    }
