"""`iot-button device replay`: what gestures recorded edges are, or their clicks."""

from typing import BinaryIO

import click

from device_sim.bounce import Edge
from device_sim.commands.device.options import device_options
from device_sim.commands.device.running import run
from device_sim.drivers.replay import ReplayDriver
from device_sim.edges import read_edges
from device_sim.gestures import Gesture
from device_sim.recognizer import gestures_of
from iot_button.console import emit, say
from iot_button.options import finite, takes_settings
from iot_button.settings import DeviceSettings, Settings

_DIGITS = 6  # of a second


@click.command(epilog="Example: iot-button device replay edges.txt --double-window 0.3")
@click.argument("file", type=click.File("rb"))
@click.option("--publish", is_flag=True, help="Be a button that says these edges, in real time.")
@click.option(
    "--speed",
    metavar="FACTOR",
    type=click.FloatRange(min=1, max=1000),
    callback=finite,
    help="With --publish: so many times faster than recorded. [1]",
)
@device_options
@takes_settings
def command(
    settings: Settings,
    file: BinaryIO,
    publish: bool,
    speed: float | None,
    until_stdin_closes: bool,
) -> None:
    """Print the gestures in FILE as JSON lines, moments in seconds of the file; no broker is asked.

    FILE has one edge a line: `1.250 D` where the contact closed, `1.380 U` where it opened. `#`
    begins a comment; `-` is standard input. After its last edge the contact stays as it is.
    """
    if speed is not None and not publish:
        raise click.UsageError("--speed is for --publish: without it all is printed at once")
    is_stdin = file.name == "<stdin>"
    if is_stdin and until_stdin_closes:
        raise click.UsageError("--until-stdin-closes needs a file: standard input has the edges")
    edges = read_edges(file, source="standard input" if is_stdin else str(file.name))
    if publish:
        driver = ReplayDriver(edges, speed=speed or 1.0)
        run(settings, driver, until_stdin_closes=until_stdin_closes)
    else:
        _print(edges, settings.device)


def _print(edges: list[Edge], settings: DeviceSettings) -> None:
    gestures = _gestures(edges, settings)
    for gesture in gestures:
        emit(
            {
                "clickType": gesture.click_type.value,
                "presses": gesture.presses,
                "pressedAt": round(gesture.pressed_at, _DIGITS),
                "moment": round(gesture.moment, _DIGITS),
            }
        )
    say(f"{len(edges)} edges, {len(gestures)} gestures")


def _gestures(edges: list[Edge], settings: DeviceSettings) -> list[Gesture]:
    recognised = gestures_of(settings)
    found = [gesture for edge in edges for gesture in recognised.edge(*edge)]
    return found + recognised.advance(float("inf"))
