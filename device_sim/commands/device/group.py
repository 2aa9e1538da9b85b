"""`iot-button device`: a real button on this machine, one subcommand per driver."""

from typing import Final

import click

from iot_button.cli import LazyGroup, Table

_HERE = "device_sim.commands.device"
COMMANDS: Final[Table] = {
    "gpio": (f"{_HERE}.gpio", "A push button on a Raspberry Pi's pin."),
    "serial": (f"{_HERE}.serial", "A microcontroller on USB."),
    "keyboard": (f"{_HERE}.keyboard", "The space bar of this terminal."),
    "evdev": (f"{_HERE}.evdev", "A USB or Bluetooth button that is a Linux input device."),
    "simulated": (f"{_HERE}.simulated", "A button that presses itself."),
    "replay": (f"{_HERE}.replay", "Recorded edges: what gestures they are, or their clicks."),
    "outbox": (f"{_HERE}.outbox", "Show the clicks that a button still has on its disk."),
    "forget": (f"{_HERE}.forget", "Take a button off the broker and out of Home Assistant."),
    "install": (f"{_HERE}.install", "Start a button with the machine, by systemd."),
    "uninstall": (f"{_HERE}.uninstall", "Start it with the machine no more."),
}


@click.group(
    cls=LazyGroup, table=COMMANDS, epilog="Example: iot-button device gpio --pin 17 --serial DOOR"
)
def command() -> None:
    """Run a real button on this machine, until Ctrl-C.

    A click is on this machine's disk before the light says that it was taken, and stays there until
    a function has processed it.
    """
