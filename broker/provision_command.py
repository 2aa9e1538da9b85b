"""`iot-button provision`: certificates for buttons, so that each is known and can be shut out."""

import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from iot_button.console import emit, say
from iot_button.errors import IotButtonError
from iot_button.events import SERIAL_NUMBER, format_instant
from iot_button.files import StorageError, make_private_folder, write_private
from iot_button.hosts import in_url
from iot_button.options import takes_settings
from iot_button.settings import Settings

if TYPE_CHECKING:
    from broker.bundle import Identity

_EXAMPLE = """\b
Example:
  iot-button provision KITCHEN-1 --bundle
  iot-button provision --revoke KITCHEN-1
"""
_TLS_PORT = 8883


def _serial_number(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str | None:
    if value is not None and SERIAL_NUMBER.fullmatch(value) is None:
        raise click.BadParameter(f"{value[:70]!r} is no serial number: 1 to 64 of A-Z a-z 0-9 _ -")
    if value is not None and value.lower() == "ca":
        raise click.BadParameter("a button's files would be named as the CA's")
    return value


@click.command(epilog=_EXAMPLE)
@click.argument("serial", required=False, callback=_serial_number)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are put. [provisioned/SERIAL in the state directory]",
)
@click.option(
    "--bundle",
    is_flag=True,
    help="Also write SERIAL.tar, with a settings file, for a computer, and SERIAL.p12 for a phone.",
)
@click.option(
    "--qr",
    is_flag=True,
    help="Also show it all as a QR code, for an app, and write SERIAL.svg: JSON with url, id, and "
    "ca, cert and key in base64.",
)
@click.option("--list", "is_list", is_flag=True, help="Print what was given out, revoked or not.")
@click.option(
    "--revoke",
    metavar="SERIAL",
    callback=_serial_number,
    help="Shut a button out; it can be given a new one.",
)
@takes_settings
def command(
    settings: Settings,
    serial: str | None,
    out: Path | None,
    bundle: bool,
    qr: bool,
    is_list: bool,
    revoke: str | None,
) -> None:
    """Give a button a certificate of its own: ca.pem, SERIAL.pem and SERIAL.key, to copy there.

    It prints one JSON line that says what was made. The certificate's name is the button's
    account at the broker. Its key is in these files and nowhere else.
    """
    if sum((serial is not None, is_list, revoke is not None)) != 1:
        raise click.UsageError("give one of SERIAL, --list and --revoke SERIAL")
    if serial is None and (out is not None or bundle or qr):
        raise click.UsageError("--out, --bundle and --qr go with SERIAL")
    if serial is not None:
        _provision(settings, serial, out=out, bundle=bundle, qr=qr)
    elif revoke is not None:
        _revoke(settings, revoke)
    else:
        _list(settings)


def _provision(
    settings: Settings, serial: str, *, out: Path | None, bundle: bool, qr: bool
) -> None:
    # cryptography takes 0.2 s to import: not for --help.
    from broker.bundle import new_passphrase, svg
    from broker.certificate_forms import Issued

    folder = out or Path(settings.state_dir) / "provisioned" / serial
    identity = _issue(settings, serial, folder)
    files = identity.files()
    passphrase = new_passphrase()
    if bundle:
        files[f"{serial}.tar"] = identity.archive()
        files[f"{serial}.p12"] = identity.pkcs12(passphrase)
    if qr:
        files[f"{serial}.svg"] = svg(identity.code())
    paths = _write(folder, files)
    issued = Issued.of(identity.certificate)
    emit(
        {
            "serialNumber": serial,
            "fingerprint": issued.fingerprint,
            "notAfter": format_instant(issued.not_after),
            "broker": identity.address,
            "files": paths,
            **({"passphrase": passphrase} if bundle else {}),
        }
    )
    if qr:
        _show(identity)
    say(
        f"{serial}: its certificate and key are in {folder}, and the key is nowhere else; they are "
        f"for {identity.address}"
    )
    _warn_of_name(_host(settings))
    if settings.broker.tls_port is None and not settings.broker.is_external:
        say(f"  let the broker listen there: iot-button up --tls-port {_TLS_PORT}")


def _issue(settings: Settings, serial: str, folder: Path) -> "Identity":
    """Make a button's account and certificate; first of all see that they can be put there."""
    from broker.bundle import Identity
    from broker.certificates import open_authority
    from broker.device_accounts import make_account

    authority = open_authority(Path(settings.state_dir), names=settings.broker.names)
    _check_folder(folder, authority.folder / "ca.pem")
    make_account(settings, serial)
    certificate, key = authority.issue(serial)
    return Identity(
        serial_number=serial,
        certificate=certificate,
        key=key,
        ca=authority.certificate,
        address=_address(settings),
        prefix=settings.topics.prefix,
    )


def _revoke(settings: Settings, serial: str) -> None:
    from broker.certificates import open_authority
    from broker.device_accounts import remove_account

    count = open_authority(Path(settings.state_dir), names=settings.broker.names).revoke(serial)
    was_there = remove_account(settings, serial)
    if not (count or was_there):
        raise IotButtonError(
            f"{serial} has no certificate", mend="iot-button provision --list shows who has one"
        )
    emit({"serialNumber": serial, "revoked": count})
    say(f"{serial} is shut out: its certificate is revoked and its account removed")


def _list(settings: Settings) -> None:
    from broker.certificates import open_authority
    from broker.tls import certificates_folder

    state_dir = Path(settings.state_dir)
    if not (certificates_folder(state_dir) / "ca.pem").exists():
        say("no certificate was given out yet: iot-button provision SERIAL makes one")
        return
    for one in open_authority(state_dir).issued():
        emit(
            {
                "serialNumber": one.serial_number,
                "fingerprint": one.fingerprint,
                "notAfter": format_instant(one.not_after),
                "revoked": one.revoked,
            }
        )


def _address(settings: Settings) -> str:
    """Return where buttons find the broker."""
    return f"mqtts://{in_url(_host(settings))}:{settings.broker.tls_port or _TLS_PORT}"


def _host(settings: Settings) -> str:
    """Return the first of the broker's names that is set, or the machine's own."""
    from broker.machine_names import host_name

    return next(iter(settings.broker.names), f"{host_name()}.local")


def _warn_of_name(host: str) -> None:
    """Say where a name leads nowhere. A .local one the local network knows, and we perhaps not."""
    from broker.machine_names import is_known

    if not host.endswith(".local") and not is_known(host):
        say(
            f"  {host} leads nowhere from this machine, and buttons look for the broker there: "
            'set broker.names in the settings file, ["broker.example.com"] or an address, or '
            "IOT_BUTTON_BROKER_NAMES, and provision again"
        )


def _check_folder(folder: Path, ca: Path) -> None:
    """Make the folder, before anything is signed; refuse one that has another CA's files."""
    make_private_folder(folder)
    there = folder / "ca.pem"
    try:
        is_another = there.exists() and there.read_bytes() != ca.read_bytes()
    except OSError as error:
        raise StorageError.of(there, error) from error
    if is_another:
        raise IotButtonError(
            f"{there} is another CA's, and would be overwritten", mend="name another --out DIR"
        )


def _write(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    for name, data in files.items():
        write_private(folder / name, data)
    return [str(folder / name) for name in files]


def _show(identity: "Identity") -> None:
    from broker.bundle import columns, drawn

    code = identity.code()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    width = get_terminal_size().columns
    if is_terminal and width < columns(code):
        say(
            f"the code is {columns(code)} columns wide, and this terminal {width}: "
            f"open {identity.serial_number}.svg instead"
        )
        return
    say(drawn(code, in_color=is_terminal))
