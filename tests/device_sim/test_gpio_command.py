"""`iot-button device gpio`: its options."""

import signal

import click
import pytest

from device_sim.commands.device.gpio import command
from tests.conftest import Start

PIN = ("--pin", "17")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--pull", "down"),
        ("--pull", "floating", "--active", "high"),
        ("--led-rgb", "22, 27,GPIO23", "--led-active-low"),
        ("--led-red", "22", "--led-green", "27", "--led-amber", "23", "--led-white", "24"),
        ("--battery", "2900mV"),
        ("--battery", "mcp3008:3", "--battery-divider", "2", "--battery-reference", "5"),
    ],
)
def test_what_goes_together_is_taken(options: tuple[str, ...]) -> None:
    assert command.make_context("gpio", [*PIN, *options]).params["pin"] == "17"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "Missing parameter: pin"),
        (("--pin", "seventeen"), "'seventeen' is no pin"),
        (("--pin", "-1"), "'-1' is no pin"),
        ((*PIN, "--led-red", ""), "'' is no pin"),
        ((*PIN, "--led-red", "GPIO17"), "pin GPIO17 is given to the button and to the red LED"),
        ((*PIN, "--led-red", "22", "--led-white", "22"), "the red LED and to the white LED"),
        ((*PIN, "--led-rgb", "22,27"), "is not three pins"),
        ((*PIN, "--led-rgb", "22,27,x"), "'x' is no pin"),
        ((*PIN, "--led-rgb", "22,27,22"), "the red LED and to the blue LED"),
        ((*PIN, "--led-rgb", "22,27,23", "--led-white", "24"), "takes the place of single LEDs"),
        ((*PIN, "--active", "high"), "belongs to --pull floating"),
        ((*PIN, "--pull", "floating"), "belongs to --pull floating"),
        ((*PIN, "--battery", "solar"), "--battery: 'solar' is none of"),
        ((*PIN, "--battery-divider", "2"), "belong to mcp3008"),
        ((*PIN, "--battery", "mcp3008:0", "--battery-divider", "nan"), "no usable number"),
        ((*PIN, "--battery", "mcp3008:0", "--battery-reference", "0"), "not in the range"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(options: tuple[str, ...], reason: str) -> None:
    with pytest.raises(click.UsageError, match=reason):
        command.make_context("gpio", list(options))


def test_wrong_usage_ends_with_status_2(start: Start) -> None:
    program = start("device", "gpio", *PIN, "--led-green", "17")
    assert program.end() == 2
    assert program.said[-1] == "Error: pin 17 is given to the button and to the green LED"


def test_the_command_runs_on_gpiozeros_own_fake_pins_and_stops_when_asked(start: Start) -> None:
    program = start(
        "device",
        "gpio",
        *PIN,
        "--led-rgb",
        "22,27,23",
        "--battery",
        "mcp3008:0",
        GPIOZERO_PIN_FACTORY="mock",
    )
    program.wait_for("^ready device .*driver=gpio17")
    program.send(signal.SIGTERM)
    assert program.end() == 0
    assert not [line for line in program.said if "gpiozero" in line]
