"""`iot-button device gpio`: a push button on a Raspberry Pi's pin."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from device_sim.commands.device.options import device_options
from device_sim.commands.device.running import run
from device_sim.drivers.gpio import GpioDriver, Pull
from device_sim.drivers.gpio_battery import parse_battery
from device_sim.drivers.gpio_light import GpioLight, Lamp
from iot_button.options import finite, takes_settings
from iot_button.settings import Settings

Command = Callable[..., None]
_PIN = re.compile(r"(GPIO|BCM|WPI|BOARD|[A-Z]+[0-9]*:)?[0-9]{1,3}", re.IGNORECASE)
"""The forms of names in gpiozero's `PinInfo.names`; which of them there are, the board knows."""
_VOLTS = click.FloatRange(min=0, min_open=True, max=5.5)


def _pin(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and _PIN.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is no pin; write e.g. 17, GPIO17 or BOARD11")
    return None if value is None else value.upper()


def _rgb(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    if value is None:
        return None
    pins = tuple(str(_pin(context, option, pin.strip())) for pin in value.split(","))
    if len(pins) != 3:
        raise click.BadParameter(f"{value!r} is not three pins; write e.g. 22,27,23")
    return pins


def _led(colour: str, more: str = "", article: str = "A") -> Callable[[Command], Command]:
    return click.option(
        f"--led-{colour}", metavar="PIN", callback=_pin, help=f"{article} {colour} LED{more}."
    )


class _Command(click.Command):
    """Checks what options say together when they are read, so that a unit is checked so, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            _driver(ctx.params)
        return rest


@click.command(
    cls=_Command,
    epilog="Example: iot-button device gpio --pin 17 --led-red 22 --led-green 27",
)
@click.option(
    "--pin",
    metavar="PIN",
    required=True,
    callback=_pin,
    help="The button's pin, by any name that gpiozero takes: 17, GPIO17, BOARD11.",
)
@click.option(
    "--pull",
    default=Pull.UP.value,
    show_default=True,
    type=click.Choice([pull.value for pull in Pull]),
    help="The Pi's own resistor. up: the button is between the pin and ground; down: between the "
    "pin and 3.3 V; floating: the circuit has its own resistor.",
)
@click.option(
    "--active",
    type=click.Choice(["high", "low"]),
    help="What the pin is while the button is pressed; with --pull floating, and only there.",
)
@click.option(
    "--led-rgb",
    metavar="RED,GREEN,BLUE",
    callback=_rgb,
    help="The three pins of an RGB LED, in place of single LEDs.",
)
@_led("red")
@_led("green")
@_led("amber", article="An")
@_led("white", ", or one of any other colour; it alone can say everything, by rhythm")
@click.option(
    "--led-active-low",
    is_flag=True,
    help="The LEDs are on while their pins are low: common anode.",
)
@click.option(
    "--battery",
    metavar="WHAT",
    default="mains",
    show_default=True,
    help="mains; a known voltage, e.g. 2900mV; or mcp3008:CHANNEL, measured by an MCP3008 on the "
    "SPI pins 8 to 11.",
)
@click.option(
    "--battery-divider",
    metavar="RATIO",
    type=click.FloatRange(min=1, max=100),
    callback=finite,
    help="Battery voltage by voltage at the channel, e.g. 2 for two equal resistors. [1]",
)
@click.option(
    "--battery-reference",
    metavar="VOLTS",
    type=_VOLTS,
    callback=finite,
    help="The voltage at the MCP3008's VREF pin. [3.3]",
)
@device_options
@takes_settings
def command(settings: Settings, until_stdin_closes: bool, **options: Any) -> None:
    """Run a push button on a Raspberry Pi's pin, with or without LEDs.

    The light: blinks white without a broker; amber when the click is on this machine's disk; blinks
    green when the broker has it; steady green when a function has processed it; red when it was
    refused or given up.
    """
    run(settings, _driver(options), until_stdin_closes=until_stdin_closes)


def _driver(options: Mapping[str, Any]) -> GpioDriver:
    """Return the driver that the options describe.

    Raises:
        click.UsageError: they do not go together.
    """
    pull, active = Pull(options["pull"]), options["active"]
    if (active is None) == (pull is Pull.FLOATING):
        raise click.UsageError("--active high or low belongs to --pull floating, and only there")
    leds = _leds(options)
    _check_pins(
        {"the button": options["pin"], **{f"the {lamp} LED": p for lamp, p in leds.items()}}
    )
    try:
        battery = parse_battery(
            options["battery"],
            divider=options["battery_divider"],
            reference=options["battery_reference"],
        )
    except ValueError as error:
        raise click.UsageError(f"--battery: {error}") from error
    return GpioDriver(
        options["pin"],
        pull=pull,
        active_high=None if active is None else active == "high",
        light=GpioLight(leds, active_high=not options["led_active_low"]),
        battery=battery,
    )


def _leds(options: Mapping[str, Any]) -> dict[Lamp, str]:
    singles = {lamp: options.get(f"led_{lamp}") for lamp in Lamp}
    leds = {lamp: pin for lamp, pin in singles.items() if pin is not None}
    rgb = options["led_rgb"]
    if rgb and leds:
        raise click.UsageError("--led-rgb takes the place of single LEDs: leave one of both out")
    return dict(zip((Lamp.RED, Lamp.GREEN, Lamp.BLUE), rgb, strict=True)) if rgb else leds


def _check_pins(users: Mapping[str, str]) -> None:
    """Refuse a pin that has two uses; other names of the same pin are told apart by gpiozero."""
    used: dict[str, str] = {}
    for user, pin in users.items():
        name = re.sub(r"^(GPIO|BCM)", "", pin)
        if name in used:
            raise click.UsageError(f"pin {pin} is given to {used[name]} and to {user}")
        used[name] = user
