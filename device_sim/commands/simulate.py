"""`iot-button simulate`: many simulated buttons, for load and for demos."""

import sys

import click

from device_sim.fleet import Fleet
from device_sim.schedule import presses
from device_sim.tally import Tally
from iot_button.console import emit, say, say_ready
from iot_button.errors import IotButtonError
from iot_button.lifetime import Lifetime
from iot_button.options import finite, takes_settings, until_stdin_closes
from iot_button.settings import Settings

MOST_PER_SECOND = 10_000
LONGEST = 30 * 86400.0


@click.command(epilog="Example: iot-button simulate --devices 20 --rate 50 --duration 10")
@click.option(
    "--devices",
    metavar="N",
    default=5,
    show_default=True,
    type=click.IntRange(1, 9999),
    help="How many buttons.",
)
@click.option(
    "--rate",
    metavar="CLICKS_PER_S",
    type=click.FloatRange(min=0, min_open=True, max=MOST_PER_SECOND),
    callback=finite,
    help="Clicks per second of all buttons together. [one click of each in 5 s]",
)
@click.option(
    "--duration",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True, max=LONGEST),
    callback=finite,
    help="Without it, until Ctrl-C.",
)
@click.option("--seed", metavar="K", type=int, help="The same seed presses the same buttons again.")
@click.option(
    "--settle",
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, max=3600),
    callback=finite,
    help="Seconds to wait, at the end, for clicks that are under way.",
)
@click.option(
    "--client-id",
    metavar="ID",
    help="Names the session at the broker, so that a restart takes it over. [random]",
)
@until_stdin_closes
@takes_settings
def command(
    settings: Settings,
    devices: int,
    rate: float | None,
    duration: float | None,
    seed: int | None,
    settle: float,
    client_id: str | None,
    until_stdin_closes: bool,
) -> None:
    """Let simulated buttons click at random (Poisson), with batteries that run down.

    Ends with a summary on standard output: sent, acknowledged, processed, and the latency from
    sending to the processed click. Exit status 1 when a click was acknowledged and never processed.
    """
    fleet = Fleet(
        settings,
        presses=presses(devices=devices, rate=rate or devices / 5, seed=seed),
        client_id=client_id,
        on_progress=_show if sys.stderr.isatty() else lambda _tally: None,
    )
    with Lifetime(until_stdin_closes=until_stdin_closes) as lifetime:
        fleet.run(
            lifetime,
            duration=duration,
            settle=settle,
            on_ready=lambda: say_ready("simulate", broker=str(settings.broker.address)),
        )
        if sys.stderr.isatty():
            _show(fleet.tally)
            say("")
        emit(fleet.tally.summary())
        if fleet.tally.lost and not lifetime.is_over:
            raise IotButtonError(
                f"{fleet.tally.lost} clicks were acknowledged and not processed",
                mend="is the function running? iot-button doctor",
            )


def _show(tally: Tally) -> None:
    summary = tally.summary()
    p50, p99 = (
        "-" if value is None else f"{value:.1f} ms"
        for value in (summary["latencyP50Ms"], summary["latencyP99Ms"])
    )
    sys.stderr.write(
        f"\r\x1b[Ksent {tally.sent:,}  acknowledged {tally.acknowledged:,}  "
        f"processed {tally.processed:,}  under way {tally.under_way:,}  p50 {p50}  p99 {p99}"
    )
    sys.stderr.flush()
