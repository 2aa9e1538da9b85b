"""The CA of an installation: signs the broker's certificate and the devices', and revokes."""

import datetime
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificate_forms as forms
from broker.certificate_files import (
    device_file,
    device_files,
    key_pem,
    locked,
    pem,
    read_certificate,
    read_key,
    read_list,
)
from iot_button.errors import IotButtonError
from iot_button.files import (
    DamagedFileError,
    StorageError,
    make_private_folder,
    sync_folder,
    write_private,
)

log = logging.getLogger(__name__)

Clock = Callable[[], datetime.datetime]
_EARLIEST = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""Before this program was: a clock that says so has not been set."""


def utc_now() -> datetime.datetime:
    """Return the time."""
    return datetime.datetime.now(datetime.UTC)


class CertificateAuthority:
    """The CA of an installation, in a folder of its own.

    Args:
        folder: where its files lie.
        certificate: its own.
        clock: returns the time.
    """

    def __init__(self, folder: Path, certificate: x509.Certificate, *, clock: Clock) -> None:
        self.folder = folder
        self.certificate = certificate
        self._clock = clock

    @classmethod
    def open(cls, folder: Path, *, dns_names: Sequence[str], clock: Clock = utc_now) -> Self:
        """Read the CA, or make it on first use, for `dns_names` beside those of local domains.

        Raises:
            DamagedFileError: it cannot be read, or is gone while devices have certificates of it.
            StorageError: the files cannot be read or written.
            IotButtonError: the clock is not set.
        """
        with locked(folder):
            try:
                certificate = read_certificate(folder / "ca.pem")
            except FileNotFoundError:
                certificate = _new_ca(folder, dns_names, _sane(clock()))
        return cls(folder, certificate, clock=clock)

    def sign_server(
        self, public_key: ec.EllipticCurvePublicKey, names: Sequence[str]
    ) -> x509.Certificate:
        """Return a new certificate of the broker. Raises as `open` does."""
        now = self._now()
        return forms.server_certificate(
            public_key, self.certificate, self._key(), names=names, now=now
        )

    def issue(self, serial_number: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """Give out a button's certificate: the key is the caller's, and nowhere else.

        Raises:
            IotButtonError: it has one already; and as `open` does.
        """
        with locked(self.folder):
            if any(device_files(self.folder / "devices", serial_number)):
                raise IotButtonError(
                    f"{serial_number} has a certificate already; its key is not kept here",
                    mend=f"lost it? iot-button provision --revoke {serial_number}, then again",
                )
            key = forms.new_key()
            certificate = forms.device_certificate(
                key.public_key(),
                self.certificate,
                self._key(),
                serial_number=serial_number,
                now=self._now(),
            )
            make_private_folder(self.folder / "devices")
            path = self.folder / "devices" / device_file(serial_number, certificate)
            write_private(path, pem(certificate))
        return certificate, key

    def revoke(self, serial_number: str) -> int:
        """Revoke all certificates of a button, and return how many those were.

        Raises:
            StorageError: they cannot be moved, or the list cannot be written.
        """
        with locked(self.folder):
            make_private_folder(self.folder / "revoked")
            paths = [path for path, _ in device_files(self.folder / "devices", serial_number)]
            moment = self._clock().timestamp()
            for path in paths:
                try:
                    os.utime(path, (moment, moment))  # the date of its revocation
                    path.replace(self.folder / "revoked" / path.name)
                except OSError as error:
                    raise StorageError.of(path, error) from error
            if paths:
                sync_folder(self.folder / "revoked")
                self._write_list()
        return len(paths)

    def issued(self) -> list[forms.Issued]:
        """Return what was given out, by serial number; revoked ones too.

        Raises:
            DamagedFileError: one of them cannot be read.
        """
        with locked(self.folder):
            return sorted(
                (
                    forms.Issued.of(read_certificate(path), revoked=part == "revoked")
                    for part in ("devices", "revoked")
                    for path, _ in device_files(self.folder / part)
                ),
                key=lambda one: (one.serial_number, one.not_after),
            )

    def keep_list_fresh(self) -> None:
        """Write the list of revoked certificates anew when half its time is over, or it is wrong.

        Raises:
            StorageError: it cannot be written; and as `open` does.
        """
        with locked(self.folder):
            crl = self._list()
            if (
                crl is None
                or {one.serial_number for one in crl} != set(self._revoked())
                or not forms.is_fresh(crl, self._clock())
            ):
                self._write_list()

    def _write_list(self) -> None:
        new = forms.revocation_list(
            self.certificate,
            self._key(),
            revoked=self._revoked(),
            before=self._list(),
            now=self._now(),
        )
        write_private(self.folder / "crl.pem", pem(new))

    def _revoked(self) -> dict[int, datetime.datetime]:
        """Return what lies in `revoked/`, by serial: that is what counts, should the list go.

        All of it for ever: a device's certificate ends with the CA.
        """
        return {
            serial: datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
            for path, serial in device_files(self.folder / "revoked")
        }

    def _list(self) -> x509.CertificateRevocationList | None:
        try:
            found = read_list(self.folder / "crl.pem")
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            log.warning("%s; it is written anew", error.problem)
            return None
        return found if found.issuer == self.certificate.subject else None

    def _key(self) -> ec.EllipticCurvePrivateKey:
        """Read the CA's key: only when something is to be signed, and not kept."""
        path = self.folder / "ca.key"
        try:
            key = read_key(path)
        except FileNotFoundError:
            raise DamagedFileError(path, "it is gone", mend=_mend(self.folder)) from None
        if key.public_key() != self.certificate.public_key():
            raise DamagedFileError(path, "it is not the key of ca.pem", mend=_mend(self.folder))
        return key

    def _now(self) -> datetime.datetime:
        now = _sane(self._clock())
        if now + forms.BACKDATED >= self.certificate.not_valid_after_utc:
            raise IotButtonError(
                f"the CA in {self.folder} has ended: it was good for ten years",
                mend=_mend(self.folder),
            )
        return now


def _new_ca(folder: Path, dns_names: Sequence[str], now: datetime.datetime) -> x509.Certificate:
    if any(device_files(folder / "devices")):
        raise DamagedFileError(folder / "ca.pem", "it is gone", mend=_mend(folder))
    key = forms.new_key()
    certificate = forms.ca_certificate(
        key, name=f"iot-button {token_hex(4)}", dns_names=dns_names, now=now
    )
    write_private(folder / "ca.key", key_pem(key))  # first: a CA without its key is of no use
    write_private(folder / "ca.pem", pem(certificate))
    return certificate


def _sane(now: datetime.datetime) -> datetime.datetime:
    if now < _EARLIEST:
        raise IotButtonError(
            f"this machine's clock says {now:%Y-%m-%d}: certificates of that time are of no use",
            mend="set the clock: sudo timedatectl set-ntp true",
        )
    return now


def _mend(folder: Path) -> str:
    return (
        f"put it back from a backup; or move {folder} away, and give each device a new "
        "certificate with `iot-button provision SERIAL`"
    )
