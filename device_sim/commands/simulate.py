"""`iot-button simulate`: many simulated buttons, for load and for demos."""

import logging
import sys
import time
from typing import Any

import click

from device_sim.faults import Fault, Faults, check_faults, parse_fault
from device_sim.fleet import MOST_DEVICES, Fleet
from device_sim.schedule import Mix, presses
from iot_button.console import emit, is_verbose, say, say_ready
from iot_button.errors import IotButtonError
from iot_button.lifetime import Lifetime
from iot_button.mqtt import Stream
from iot_button.options import finite, takes_settings, until_stdin_closes
from iot_button.settings import Settings

MOST_PER_SECOND = 10_000
LONGEST = 30 * 86400.0
_SAY_EVERY = 5.0


def _faults(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> Any:
    try:
        faults = [parse_fault(text) for text in texts]
        check_faults(faults)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return faults


@click.command(epilog="Example: iot-button simulate --devices 20 --rate 50 --duration 10")
@click.option(
    "--devices",
    metavar="N",
    default=5,
    show_default=True,
    type=click.IntRange(1, MOST_DEVICES),
    help="How many buttons, each with its own connection.",
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
@click.option(
    "--mix",
    type=click.Choice([mix.value for mix in Mix]),
    default=Mix.PEOPLE.value,
    show_default=True,
    help="Busy and rarely pressed buttons and impatient people; or all alike.",
)
@click.option("--seed", metavar="K", type=int, help="The same seed presses the same buttons again.")
@click.option(
    "--fault",
    "faults",
    metavar="KIND=SHARE[:SECONDS]",
    multiple=True,
    callback=_faults,
    help="Let drop, freeze, duplicate, reorder or corrupt come with that share of the clicks; "
    "KIND@N,N: at those. May be given several times.",
)
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
    help="Names the session that reads processed clicks, so that a restart takes it over. [random]",
)
@until_stdin_closes
@takes_settings
def command(
    settings: Settings,
    devices: int,
    rate: float | None,
    duration: float | None,
    mix: str,
    seed: int | None,
    faults: list[Fault],
    settle: float,
    client_id: str | None,
    until_stdin_closes: bool,
) -> None:
    """Let simulated buttons click at random, with batteries that run down.

    Ends with a summary on standard output: sent, acknowledged, processed, and the latency from
    sending to the processed click. Exit status 1 when a click was acknowledged and never processed,
    or a damaged one became no dead letter.
    """
    if not is_verbose():
        # Of a broker that is away the fleet tells once; each of its buttons need not.
        logging.getLogger(Stream.__module__).setLevel(logging.ERROR)
    fleet = Fleet(
        settings,
        devices=devices,
        presses=presses(devices=devices, rate=rate or devices / 5, seed=seed, mix=Mix(mix)),
        faults=Faults(faults, seed=seed),
        client_id=client_id,
        on_progress=_Progress(),
    )
    with Lifetime(until_stdin_closes=until_stdin_closes, on_asked=fleet.ask_to_stop) as lifetime:
        fleet.run(
            duration=duration,
            settle=settle,
            on_ready=lambda: say_ready("simulate", broker=str(settings.broker.address)),
        )
        if sys.stderr.isatty():
            _show(fleet)
            say("")
        emit(fleet.summary())
        if not lifetime.is_over:
            _check(fleet)


def _check(fleet: Fleet) -> None:
    """Raise where something was acknowledged and did not come out."""
    problems = []
    if fleet.tally.lost:
        problems.append(f"{fleet.tally.lost} clicks were acknowledged and not processed")
    if fleet.damaged.lost:
        problems.append(f"{fleet.damaged.lost} damaged ones did not become dead letters")
    if problems:
        mend = "is the function running? iot-button doctor"
        raise IotButtonError("; ".join(problems), mend=mend)


class _Progress:
    """Shows how far a fleet is: on a terminal all the time, elsewhere while it connects."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, fleet: Fleet) -> None:
        if sys.stderr.isatty():
            _show(fleet)
        elif not fleet.has_begun and time.monotonic() - self._said_at >= _SAY_EVERY:
            self._said_at = time.monotonic()
            say(f"connected {fleet.connected:,} of {fleet.devices:,}")


def _show(fleet: Fleet) -> None:
    tally = fleet.tally
    summary = tally.summary()
    p50, p99 = (
        "-" if value is None else f"{value:.1f} ms"
        for value in (summary["latencyP50Ms"], summary["latencyP99Ms"])
    )
    sys.stderr.write(
        f"\r\x1b[Kconnected {fleet.connected:,} of {fleet.devices:,}  sent {tally.sent:,}  "
        f"acknowledged {tally.acknowledged:,}  processed {tally.processed:,}  "
        f"under way {tally.under_way:,}  p50 {p50}  p99 {p99}"
    )
    sys.stderr.flush()
