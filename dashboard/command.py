"""`iot-button dashboard`: the web dashboard alone."""

import logging

import click

from dashboard.gate import Gate
from dashboard.server import listen, serving, url
from dashboard.tls import certificate_of
from dashboard.work import at_work
from iot_button.console import say_ready
from iot_button.errors import IotButtonError
from iot_button.lifetime import Lifetime
from iot_button.options import PORT, takes_settings, until_stdin_closes
from iot_button.settings import Settings, is_loopback

log = logging.getLogger(__name__)


@click.command(name="dashboard", epilog="Example: iot-button dashboard --port 8081")
@click.option(
    "--port",
    "dashboard__port",
    type=PORT,
    metavar="PORT",
    help="Where the web page is; 0: any free port. [8080]",
)
@click.option(
    "--server",
    "dashboard__server",
    metavar="SERVER",
    help="werkzeug, in this process, or gunicorn, which starts its worker again. [werkzeug]",
)
@until_stdin_closes
@takes_settings
def command(settings: Settings, *, until_stdin_closes: bool) -> None:
    """Run the web dashboard alone. It needs a broker that runs."""
    ours = settings.dashboard
    if not (is_loopback(ours.host) or ours.has_tls or ours.proxies):
        log.warning("passwords cross the network in the clear: set dashboard.tls = true")
    if settings.dashboard.server == "gunicorn":
        run_gunicorn(settings, until_stdin_closes=until_stdin_closes)
        return
    with Lifetime(until_stdin_closes=until_stdin_closes) as lifetime:
        run(settings, lifetime)


def run(settings: Settings, lifetime: Lifetime) -> None:
    """Run until the lifetime is over.

    Raises:
        PortTakenError: when another process listens on our port.
        SettingError: one has to log in here, and there is no account for it; or there is no
            certificate where there has to be one.
        BrokerUnreachableError: when no broker answers at the start.
    """
    gate, certificate = Gate(settings), certificate_of(settings)
    with (
        listen(settings.dashboard) as listener,
        at_work(settings, gate, stop=lifetime.stop, is_over=lambda: lifetime.is_over) as work,
    ):
        if lifetime.is_over:
            return
        address = url(settings.dashboard, listener)
        # Left from the inside out: browsers are told first, while their threads still run.
        with serving(work.app, listener, certificate=certificate), work.hub, gate:
            say_ready("dashboard", dashboard=address)
            lifetime.wait()


def run_gunicorn(settings: Settings, *, until_stdin_closes: bool) -> None:
    """Run under gunicorn until somebody stops it. Raises as `run`."""
    try:
        from dashboard.gunicorn_server import Server
    except ModuleNotFoundError as error:
        mend = "pip install 'iot-button[gunicorn]'"
        raise IotButtonError("dashboard.server = 'gunicorn' needs gunicorn", mend=mend) from error
    Gate(settings)  # here, where a refusal ends us, and not in a worker
    with listen(settings.dashboard) as listener:
        Server(settings, listener, until_stdin_closes=until_stdin_closes).run()
