"""`iot-button device uninstall`: a button that no longer starts with the machine."""

import os

import click

from device_sim.units import store
from device_sim.units.store import Installed
from device_sim.units.systemctl import Systemctl
from device_sim.units.unit import PREFIX, Scope
from iot_button.console import say
from iot_button.errors import IotButtonError


@click.command(epilog="Example: iot-button device uninstall --serial DOOR")
@click.argument("name", required=False)
@click.option("--serial", metavar="SERIAL", help="The button's serial number, in place of NAME.")
@click.option("--system", is_flag=True, help="A unit of the system, and not of this user.")
def command(name: str | None, serial: str | None, system: bool) -> None:
    """Stop a button that was installed, and start it with the machine no more.

    NAME is that of its unit; where only one is installed, none is needed. The clicks that still
    wait are kept, and the command says where.
    """
    if name is not None and serial is not None:
        raise click.UsageError("give a NAME or --serial, not both")
    scope = Scope.SYSTEM if system else Scope.USER
    unit = _chosen(store.installed(scope), scope, serial or name)
    if scope is Scope.SYSTEM and os.geteuid() != 0:
        raise IotButtonError("a unit of the system is removed by root", mend="put sudo before it")
    systemctl = Systemctl(scope)
    is_there = systemctl.is_there()
    if is_there:
        systemctl.do("disable", "--now", f"{unit.name}.service")
    store.remove(unit)
    if is_there:
        systemctl.do("daemon-reload")
    say(f"removed {unit.path}" if is_there else f"removed {unit.path}; no systemd runs here")
    say(f"clicks that still wait are kept in {unit.state}")


def _chosen(units: list[Installed], scope: Scope, wanted: str | None) -> Installed:
    label = None if wanted is None else wanted.removesuffix(".service").removeprefix(PREFIX)
    found = [unit for unit in units if label in (None, unit.label, unit.name.removeprefix(PREFIX))]
    if len(found) == 1:
        return found[0]
    if not units:
        other = "without --system" if scope is Scope.SYSTEM else "with --system"
        raise IotButtonError(
            f"no button is installed in {store.folder(scope)}", mend=f"perhaps {other}"
        )
    names = ", ".join(unit.name for unit in units)
    problem = "several buttons are installed" if wanted is None else f"there is no unit {wanted!r}"
    raise IotButtonError(problem, mend=f"name one of: {names}")
