"""`iot-button device simulated`: one button with everything of a real one, but the hardware."""

import click

from device_sim.commands.device.options import device_options
from device_sim.commands.device.running import run
from device_sim.drivers.simulated import SimulatedDriver
from device_sim.finger import Finger
from iot_button.options import finite, takes_settings
from iot_button.settings import Settings


@click.command(epilog="Example: iot-button device simulated --rate 0.5 --seed 1 --presses 10")
@click.option(
    "--rate",
    metavar="CLICKS_PER_S",
    default=0.5,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=100),
    callback=finite,
    help="Clicks per second, in the mean. One finger manages about one.",
)
@click.option("--seed", metavar="K", type=int, help="The same seed presses the same way again.")
@click.option(
    "--presses",
    metavar="N",
    type=click.IntRange(min=1),
    help="End after so many clicks; a double is one. [until Ctrl-C]",
)
@device_options
@takes_settings
def command(
    settings: Settings,
    rate: float,
    seed: int | None,
    presses: int | None,
    until_stdin_closes: bool,
) -> None:
    """Run a button that presses itself at random: it has an outbox, a light and a battery.

    For many buttons, and for load: iot-button simulate.
    """
    finger = Finger(
        rate=rate,
        seed=seed,
        bounce_time=settings.device.bounce_time,
        double_window=settings.device.double_window,
        hold_time=settings.device.hold_time,
    )
    driver = SimulatedDriver(finger, seed=seed, clicks=presses)
    run(settings, driver, until_stdin_closes=until_stdin_closes)
