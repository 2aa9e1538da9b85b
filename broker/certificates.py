"""The TLS side of the broker: its own certificate, and which certificates of clients it takes."""

import contextlib
import logging
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from broker import certificate_forms as forms
from broker.certificate_authority import CertificateAuthority, Clock, utc_now
from broker.certificate_files import (
    key_pem,
    locked,
    pem,
    read_certificate,
    read_key,
    read_list,
)
from broker.machine_names import addresses, host_name
from broker.tls import (
    CertificateFiles,
    ClientCertificates,
    certificates_folder,
    common_name,
    renew,
    server_context,
)
from iot_button.errors import SettingError
from iot_button.files import DamagedFileError, write_private

__all__ = [
    "CertificateFiles",
    "ClientCertificates",
    "ServerCertificates",
    "common_name",
    "open_authority",
    "server_context",
]

log = logging.getLogger(__name__)

RENEWED_BEFORE = 30 * 86_400.0
"""Seconds before its end that the broker's certificate is made anew."""
_LOOKED_EVERY = 60.0
"""Seconds after which `refresh` looks again at what this machine is called, and at the time."""


def open_authority(
    state_dir: Path, *, names: Sequence[str] = (), clock: Clock = utc_now
) -> CertificateAuthority:
    """Return the CA of an installation, made on first use.

    Args:
        state_dir: the installation's state directory.
        names: the setting `broker.names`: the CA made is good for these and this machine's own.
        clock: returns the time.

    Raises: as `CertificateAuthority.open` does.
    """
    dns_names = [name.lower() for name in (host_name(), *names) if not forms.is_address(name)]
    folder = certificates_folder(state_dir)
    return CertificateAuthority.open(folder, dns_names=dns_names, clock=clock)


class ServerCertificates:
    """The broker's certificate and the list of revoked ones, kept fresh in contexts that are used.

    `context` asks clients for a certificate and lets come who has none; `websocket_context` does
    not ask. `files` is what mosquitto reads.

    Args:
        authority: the CA.
        files: where the certificates are.
        names: the setting `broker.names`.
        clock: returns the time.
    """

    context: ssl.SSLContext
    websocket_context: ssl.SSLContext

    def __init__(
        self,
        authority: CertificateAuthority,
        files: CertificateFiles,
        *,
        names: Sequence[str],
        clock: Clock,
    ) -> None:
        self.files = files
        self._authority = authority
        self._names = names
        self._clock = clock
        self._revoked: frozenset[int] = frozenset()
        self._state: tuple[object, ...] = ()
        self._looked = 0.0

    @classmethod
    def open(cls, state_dir: Path, *, names: Sequence[str] = (), clock: Clock = utc_now) -> Self:
        """Make what is missing, renew what is due, and load it.

        Raises:
            SettingError: one of the names is none that the CA may vouch for.
            IotButtonError: the clock is not set, a file is damaged or cannot be written.
        """
        authority = open_authority(state_dir, names=names, clock=clock)
        opened = cls(authority, CertificateFiles.of(state_dir), names=names, clock=clock)
        opened._prepare()
        opened._state = opened._state_of_files()
        opened._revoked = opened._revoked_serials()
        opened.context = server_context(opened.files)
        opened.websocket_context = server_context(opened.files, clients=ClientCertificates.NONE)
        return opened

    def refresh(self) -> bool:
        """Renew what is due, load what has changed; return whether anything has.

        Cheap enough for once a second: it reads the files' dates, and each minute the files.

        Raises:
            IotButtonError, OSError: as `open`; what was loaded stays so, and good until it ends.
        """
        is_changed = self._state_of_files() != self._state
        if is_changed or time.monotonic() - self._looked >= _LOOKED_EVERY:
            self._prepare()
        state = self._state_of_files()  # before they are read: a change after that is seen again
        if state == self._state:
            return False
        self._revoked = self._revoked_serials()
        for context in (self.context, self.websocket_context):
            renew(context, self.files)
        self._state = state
        return True

    def is_revoked(self, certificate: bytes) -> bool:
        """Whether a client's certificate (DER) was revoked, also since its handshake.

        A TLS 1.2 session that is taken up again brings the certificate of then, unchecked.
        """
        return x509.load_der_x509_certificate(certificate).serial_number in self._revoked

    def _prepare(self) -> None:
        self._looked = time.monotonic()
        wanted = self._wanted()
        with locked(self._authority.folder):
            if not self._is_good(wanted):
                self._write(wanted)
        self._authority.keep_list_fresh()

    def _wanted(self) -> list[str]:
        """Return what the certificate must name, beginning with what a person would say."""
        ca = self._authority.certificate
        for name in self._names:
            if not forms.may_vouch(ca, name):
                raise SettingError(
                    "broker.names",
                    f"broker.names: the CA was made without {name!r}, and may not vouch for it",
                    mend=f"move {self._authority.folder} away, and give each device a new "
                    "certificate with `iot-button provision SERIAL`",
                )
        host = host_name()
        # The machine's name may have changed; under `local` it can be found in any case.
        own = [name for name in (f"{host}.local", host) if forms.may_vouch(ca, name)]
        names = (*self._names, *own, "localhost", "127.0.0.1", "::1", *map(str, addresses()))
        return list(dict.fromkeys(name.lower() for name in names))

    def _is_good(self, wanted: Sequence[str]) -> bool:
        ca = self._authority.certificate
        try:
            found = read_certificate(self.files.server)
            key = read_key(self.files.key)
            found.verify_directly_issued_by(ca)
        except (FileNotFoundError, DamagedFileError, ValueError, InvalidSignature):
            return False
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        now = self._clock()
        left = (found.not_valid_after_utc - now).total_seconds()
        return (
            key.public_key() == found.public_key()
            and {forms.general_name(name) for name in wanted} <= set(names)
            and found.not_valid_before_utc <= now
            # In the CA's last days there is no later end to be had.
            and (left > RENEWED_BEFORE or found.not_valid_after_utc == ca.not_valid_after_utc)
        )

    def _write(self, names: Sequence[str]) -> None:
        """Sign a new certificate, for the same key: two files cannot be changed at one moment."""
        try:
            key = read_key(self.files.key)
        except (FileNotFoundError, DamagedFileError):
            key = forms.new_key()
            write_private(self.files.key, key_pem(key))
        certificate = self._authority.sign_server(key.public_key(), names)
        write_private(self.files.server, pem(certificate))
        end = certificate.not_valid_after_utc
        log.info("the broker has a new certificate, until %s: %s", f"{end:%Y-%m-%d}", names)

    def _revoked_serials(self) -> frozenset[int]:
        return frozenset(one.serial_number for one in read_list(self.files.crl))

    def _state_of_files(self) -> tuple[object, ...]:
        state: list[object] = []
        for path in (self.files.server, self.files.key, self.files.crl):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                state.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(state)
