"""`iot-button device install`: a button that starts with the machine."""

import grp
import os
import pwd
from pathlib import Path

import click

from device_sim.units import store
from device_sim.units.hardening import user_has_namespaces
from device_sim.units.order import read_order
from device_sim.units.systemctl import Systemctl
from device_sim.units.unit import GROUPS, Scope, Unit
from iot_button.console import say
from iot_button.errors import IotButtonError
from iot_button.files import make_private_folder

_LINGERING = Path("/var/lib/systemd/linger")  # a file for each user, see loginctl(1)


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Examples: iot-button device install --pin 17 --serial DOOR --broker mqtt://HOST:1883; "
    "iot-button device install serial --port /dev/ttyACM0",
)
@click.argument(
    "words", metavar="[DRIVER] OPTIONS...", nargs=-1, required=True, type=click.UNPROCESSED
)
@click.option(
    "--system", is_flag=True, help="A unit of the system, and not of this user; needs root."
)
@click.option(
    "--as-user",
    metavar="NAME",
    help="Who a unit of the system runs as. [a user of its own, that exists while it runs]",
)
@click.option("--force", is_flag=True, help="Replace a unit that this command did not write.")
@click.option("--no-start", is_flag=True, help="Write the unit, and do not start it.")
@click.option("--dry-run", is_flag=True, help="Print the unit, and do nothing.")
def command(
    words: tuple[str, ...],
    system: bool,
    as_user: str | None,
    force: bool,
    no_start: bool,
    dry_run: bool,
) -> None:
    """Start a button with the machine, by a systemd unit.

    What follows is the driver (gpio, where none is named) and its options, as for
    `iot-button device DRIVER`. The button is started at once. It runs with few rights: it cannot
    gain any, and writes to its own folder only.
    """
    scope = Scope.SYSTEM if system else Scope.USER
    _check_user(scope, as_user, dry_run=dry_run)
    order = read_order(words, parent=click.get_current_context())
    unit = Unit(
        order=order,
        scope=scope,
        as_user=as_user,
        groups=_groups(order.driver),
        has_namespaces=scope is Scope.SYSTEM or user_has_namespaces(),
    )
    text = unit.text()
    if dry_run:
        click.echo(text, nl=False)
        return
    if scope is Scope.USER:
        make_private_folder(unit.state_dir)  # it must be there to be made writable
    say(f"wrote {store.write(scope, unit.name, text, force=force)}")
    _start(unit, is_wanted=not no_start)
    _advise(unit)


def _check_user(scope: Scope, as_user: str | None, *, dry_run: bool) -> None:
    if as_user is not None and scope is Scope.USER:
        raise click.UsageError("--as-user belongs to --system: a user's own unit runs as that user")
    if as_user is not None:
        try:
            pwd.getpwnam(as_user)
        except KeyError as error:
            raise click.BadParameter(f"there is no user {as_user!r}") from error
    if dry_run:
        return
    if scope is Scope.SYSTEM and os.geteuid() != 0:
        raise IotButtonError(
            "a unit of the system is written by root",
            mend="put sudo before the command, with the full path of iot-button, or leave out "
            "--system",
        )
    if scope is Scope.USER and os.geteuid() == 0 and "SUDO_USER" in os.environ:
        raise IotButtonError(
            "with sudo, this would be a unit of root's own",
            mend="leave out sudo, or add --system",
        )


def _groups(driver: str) -> list[str]:
    there = {group.gr_name for group in grp.getgrall()}
    return [name for name in GROUPS[driver] if name in there]


def _start(unit: Unit, *, is_wanted: bool) -> None:
    systemctl = Systemctl(unit.scope)
    # `restart`, as `enable --now` leaves one that runs with its old options.
    steps = (("daemon-reload",), ("enable", unit.name), ("restart", unit.name))
    if not is_wanted or not systemctl.is_there():
        why = "not started" if not is_wanted else "no systemd runs here, so it was not started"
        say(f"{why}; to start it: {' && '.join(systemctl.line(*step) for step in steps)}")
        return
    for step in steps:
        systemctl.do(*step)
    say(f"started {unit.name}; it starts with the machine from now on")


def _advise(unit: Unit) -> None:
    is_user = unit.scope is Scope.USER
    say(f"its log: journalctl {'--user ' * is_user}-u {unit.name} -f")
    if not is_user:
        return
    user = _user()
    if not (_LINGERING / user).exists():
        say("so that it also runs while nobody is logged in: loginctl enable-linger")
    for group in unit.groups:
        if os.geteuid() != 0 and grp.getgrnam(group).gr_gid not in os.getgroups():
            say(f"{user} is not in the group {group}: sudo usermod -aG {group} {user}, and reboot")
    if not unit.has_namespaces:
        say("users may make no namespaces here, so the file system is not protected; with --system")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in some containers
        return str(os.geteuid())
