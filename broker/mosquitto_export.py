"""A folder with all that a mosquitto needs that runs without us."""

import contextlib
import errno
import os
import shlex
import tempfile
from collections.abc import Collection
from pathlib import Path

from broker.mosquitto_configuration import AccessFiles, Listeners, configuration
from broker.mosquitto_files import AccessTexts, write_private
from broker.tls import CertificateFiles
from iot_button.errors import IotButtonError
from iot_button.files import StorageError, make_private_folder

_CONFIGURATION = "mosquitto.conf"
_MARK = "# Written by iot-button"
"""What an exported mosquitto.conf begins with."""
_SECRETS = {"passwords", "access", "certificates/server.key"}
"""What a later export without accounts, or without TLS, does not leave behind."""


def export(
    directory: Path,
    *,
    listeners: Listeners,
    accounts: AccessTexts | None,
    certificates: CertificateFiles | None,
    force: bool = False,
) -> None:
    """Write the folder, whole or not at all.

    Args:
        directory: where; made when missing, and its parents.
        listeners: where its mosquitto listens.
        accounts: who may come in; None: everyone, on loopback.
        certificates: copied, for the ports with TLS.
        force: write anew what an earlier export wrote, file by file. Its database stays, and so
            does whatever else lies there.

    Raises:
        IotButtonError: there is something already, a port is 0, or the network would be let in.
        StorageError: something cannot be read or written.
    """
    directory = directory.absolute()
    _check(directory, listeners, force=force)
    if accounts is None and not listeners.is_loopback:
        raise IotButtonError(
            f"broker.host: {listeners.address} is beyond loopback, and there are no accounts",
            mend="make one: iot-button account add NAME --admin",
        )
    texts = _texts(directory, listeners, accounts, certificates)
    place = directory.parent  # a name of ours for a while tells nobody anything
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{directory.name}."
        with tempfile.TemporaryDirectory(prefix=prefix, dir=directory.parent) as beside:
            whole = Path(beside) / directory.name
            _write(whole, texts)
            place = directory
            _move(whole, directory, names=texts, force=force)
    except StorageError:
        raise
    except OSError as error:
        raise _failure(place, error) from error


def _check(directory: Path, listeners: Listeners, *, force: bool) -> None:
    if not str(directory).isprintable():  # a line break would be another line of mosquitto.conf
        raise IotButtonError(f"the folder {str(directory)!r} has a control character in its name")
    for setting, port in listeners.all():
        if port == 0:
            raise IotButtonError(
                f"{setting} = 0 is another port at each start, and cannot be exported",
                mend=f"set {setting}, or leave it out",
            )
    if not _has_something(directory):
        return
    if not force:
        raise IotButtonError(
            f"{directory} is not empty", mend="name another folder, or add --force to renew it"
        )
    if not _is_export(directory):
        raise IotButtonError(
            f"{directory} is not empty, and was not exported by iot-button",
            mend="name another folder",
        )


def _has_something(directory: Path) -> bool:
    try:
        return any(directory.iterdir())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _failure(directory, error) from error


def _failure(place: Path, error: OSError) -> StorageError:
    """Name a folder that the user knows, and not one of ours, or state_dir."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError.of(place, error)
    mend = "name a folder where this user may write"
    return StorageError(place, error.strerror or str(error), mend=mend)


def _is_export(directory: Path) -> bool:
    try:
        return (directory / _CONFIGURATION).read_text("utf-8", "replace").startswith(_MARK)
    except OSError:
        return False


def _texts(
    directory: Path,
    listeners: Listeners,
    accounts: AccessTexts | None,
    certificates: CertificateFiles | None,
) -> dict[str, str]:
    """Return each file's text by its name in the folder. mosquitto wants whole paths."""
    texts: dict[str, str] = {}
    access, copies = None, None
    if accounts is not None:
        access = AccessFiles(passwords=directory / "passwords", access=directory / "access")
        texts |= {"passwords": accounts.passwords, "access": accounts.access}
    if certificates is not None:
        copies = CertificateFiles(
            ca=directory / "certificates" / "ca.pem",
            server=directory / "certificates" / "server.pem",
            key=directory / "certificates" / "server.key",
            crl=directory / "certificates" / "crl.pem",
        )
        for name in ("ca", "server", "key", "crl"):
            copy: Path = getattr(copies, name)
            texts[str(copy.relative_to(directory))] = _read(getattr(certificates, name))
    texts["README.txt"] = _readme(directory, listeners, certificates)
    # Last: what it names is there when it is.
    texts[_CONFIGURATION] = configuration(
        listeners=listeners, data=directory / "data", access=access, certificates=copies
    )
    return texts


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise StorageError.of(path, error) from error


def _write(folder: Path, texts: dict[str, str]) -> None:
    make_private_folder(folder)
    make_private_folder(folder / "data")
    for name, text in texts.items():
        make_private_folder((folder / name).parent)
        write_private(folder / name, text)


def _move(whole: Path, directory: Path, *, names: Collection[str], force: bool) -> None:
    """Put a written folder in its place: in one step where there is none, or an empty one."""
    with contextlib.suppress(OSError):
        whole.rename(directory)
        return
    if not force and _has_something(directory):  # since we looked
        raise IotButtonError(f"{directory} is not empty any more", mend="name another folder")
    # Not empty, a link, a disk of its own: each file in one step, and the database untouched.
    make_private_folder(directory / "data")
    for name in names:
        make_private_folder((directory / name).parent)
        os.replace(whole / name, directory / name)  # noqa: PTH105 - as rename, over an old one
    for name in _SECRETS - set(names):
        (directory / name).unlink(missing_ok=True)


def _readme(directory: Path, listeners: Listeners, certificates: CertificateFiles | None) -> str:
    ports = "\n".join(
        f"  {setting.removeprefix('broker.'):<20} {port}" for setting, port in listeners.all()
    )
    text = f"""\
A mosquitto broker (2.0 or newer) as `iot-button broker export mosquitto` wrote it. Start it with

  mosquitto -c {shlex.quote(str(directory / _CONFIGURATION))}

It listens at {listeners.address}:
{ports}

The paths in mosquitto.conf are whole ones: to move this folder, export it anew in the other place.
The files are for the user who exported them alone, and mosquitto must run as that user. Keep them
so: with them, one can try passwords, and be taken for this broker.

Accounts that change later are not known here. Export again with --force, and start mosquitto anew
(SIGTERM, then the command above; what waits is on disk). SIGHUP is not enough: mosquitto 2.0.11
then drops messages for clients that are away.
"""
    if certificates is None:
        return text
    return f"""\
{text}
Certificates: devices trust certificates/ca.pem. A device needs its own (`iot-button provision`) on
tls_port, and its serial number is its account.
certificates/crl.pem is good until {_end_of_list(certificates)}: after that no device is let in.
Export again before, with --force, and start mosquitto anew; likewise after a revocation.
"""


def _end_of_list(certificates: CertificateFiles) -> str:
    # Not needed, and so not imported, where there is no TLS.
    from broker.certificate_files import read_list

    end = read_list(certificates.crl).next_update_utc
    return f"{end:%Y-%m-%d}" if end is not None else "its end"
