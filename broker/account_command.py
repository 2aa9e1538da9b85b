"""`iot-button account`: who may connect to the broker."""

import json
import sys
from pathlib import Path

import click

from broker.device_accounts import certificates_of, revoke_certificates
from iot_button.accounts_file import AccountError, AccountFile, Role
from iot_button.console import say
from iot_button.events import SERIAL_NUMBER
from iot_button.house import HOUSE_NAME
from iot_button.options import takes_settings
from iot_button.passwords import make_password
from iot_button.settings import Settings

_MOST_BYTES = 1024
password_stdin = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input, in place of making one.",
)


@click.group(epilog="Example: iot-button account add door --button DOOR")
def command() -> None:
    """Say who may connect to the broker.

    Without accounts everyone on this machine may, and the broker listens on loopback only. With the
    first account, nobody may connect without one; this installation's own parts have theirs.
    A running broker hears of changes within a second.
    """


@command.command("add", epilog="Example: iot-button account add door --button DOOR")
@click.argument("name")
@click.option("--button", "serial", metavar="SERIAL", help="For one button: its own topics only.")
@click.option("--function", is_flag=True, help="For a function runtime.")
@click.option("--dashboard", is_flag=True, help="For a dashboard, or someone who looks at one.")
@click.option("--operator", is_flag=True, help="For someone who also presses and redrives there.")
@click.option("--admin", is_flag=True, help="For someone who may do everything.")
@password_stdin
@takes_settings
def add(
    settings: Settings, name: str, serial: str | None, password_stdin: bool, **roles: bool
) -> None:
    """Make an account. Prints its name and password as one JSON line, this once."""
    chosen = [Role(role) for role, is_chosen in roles.items() if is_chosen]
    if len(chosen) + (serial is not None) != 1:
        raise click.UsageError(
            "say what it is for: one of --button SERIAL, --function, --dashboard, --operator, "
            "--admin"
        )
    if serial is not None and SERIAL_NUMBER.fullmatch(serial) is None:
        raise click.UsageError(f"{serial[:70]!r} is no serial number: 1 to 64 of A-Z a-z 0-9 _ -")
    if serial != name and certificates_of(settings, name):
        raise AccountError(
            f"{name} is the name of a certificate that was given out: it would open this account",
            mend=f"take another name, or revoke it first: iot-button provision --revoke {name}",
        )
    password = _password(from_stdin=password_stdin)
    _file(settings).add(
        name, role=chosen[0] if chosen else Role.BUTTON, serial_number=serial, password=password
    )
    _show(name, password, is_secret=password_stdin)


@command.command("list", epilog="Example: iot-button account list")
@takes_settings
def list_(settings: Settings) -> None:
    """Print the accounts, one JSON line each."""
    accounts = _file(settings).read()
    if not accounts:
        click.echo("there are none; make one: iot-button account add NAME --admin", err=True)
    for account in accounts.values():
        fields = {"name": account.name, "role": account.role.value}
        if account.serial_number is not None:
            fields["serialNumber"] = account.serial_number
        fields["login"] = "certificate" if account.password is None else "password"
        if account.name != HOUSE_NAME:
            click.echo(json.dumps(fields))


@command.command("remove", epilog="Example: iot-button account remove door")
@click.argument("name")
@takes_settings
def remove(settings: Settings, name: str) -> None:
    """Remove an account; who is connected with it is disconnected within a second.

    A certificate of that name is revoked.
    """
    file = _file(settings)
    if name not in file.read():
        raise AccountError(
            f"there is no account {name[:70]!r}", mend="see: iot-button account list"
        )
    revoked = revoke_certificates(settings, name) if name != HOUSE_NAME else 0
    file.remove(name)
    say(f"removed {name}" + (", and revoked its certificate" if revoked else ""))


@command.command("passwd", epilog="Example: iot-button account passwd door")
@click.argument("name")
@password_stdin
@takes_settings
def passwd(settings: Settings, name: str, password_stdin: bool) -> None:
    """Give an account a new password; who is connected with the old one is disconnected."""
    password = _password(from_stdin=password_stdin)
    _file(settings).set_password(name, password)
    _show(name, password, is_secret=password_stdin)


def _file(settings: Settings) -> AccountFile:
    return AccountFile(Path(settings.state_dir))


def _password(*, from_stdin: bool) -> str:
    if not from_stdin:
        return make_password()
    data = sys.stdin.buffer.read(_MOST_BYTES + 1)
    try:
        password = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise AccountError("the password on standard input is not UTF-8") from error
    if not 8 <= len(password) <= _MOST_BYTES or not password.isprintable():
        raise AccountError(
            "the password on standard input cannot be used",
            mend=f"give one line of 8 to {_MOST_BYTES} characters",
        )
    return password


def _show(name: str, password: str, *, is_secret: bool) -> None:
    fields = {"username": name} if is_secret else {"username": name, "password": password}
    click.echo(json.dumps(fields))
