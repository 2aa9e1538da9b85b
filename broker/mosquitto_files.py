"""What one mosquitto reads: written from the accounts and the certificates, and kept up to date."""

import enum
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from broker.mosquitto_configuration import AccessFiles, Listeners, configuration
from broker.tls import CertificateFiles
from iot_button.files import StorageError, make_private_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTexts:
    """The accounts as mosquitto reads them: hashed passwords, and rights."""

    passwords: str
    access: str


NOBODY = AccessTexts(passwords="", access="")
"""Accounts are asked for, and there is none."""

Accounts = Callable[[], AccessTexts | None]
"""Reads the accounts; None: there are none, and everyone is let in. Called often: cheap where
nothing has changed."""


class Certificates(Protocol):
    """The certificates of a broker that runs."""

    @property
    def files(self) -> CertificateFiles:
        """Where they lie."""
        ...

    def refresh(self) -> bool:
        """Renew what is due, and hear of revoked certificates; whether anything has changed."""
        ...


class Change(enum.IntEnum):
    """How soon a running mosquitto needs to hear of a change."""

    NOTHING = 0
    SOON = 1
    """Someone is new, or the server's own certificate is."""
    NOW = 2
    """Someone may not do any more what he might before."""


class MosquittoFiles:
    """The folder of one mosquitto.

    Args:
        directory: where its configuration and its database lie; made when missing.
        accounts: reads who may come in.
        certificates: for the ports with TLS; None: there are no such ports.
    """

    def __init__(
        self, directory: Path, *, accounts: Accounts, certificates: Certificates | None
    ) -> None:
        self.configuration = directory / "mosquitto.conf"
        self._directory = directory
        self._access_files = AccessFiles(
            passwords=directory / "passwords", access=directory / "access"
        )
        self._accounts = accounts
        self._certificates = certificates
        self._written: dict[Path, str] = {}
        self._texts: AccessTexts | None = None
        self._stamps: tuple[object, ...] = ()
        self._revoked: frozenset[int] = frozenset()
        self._due = Change.NOTHING

    def write(self, listeners: Listeners) -> Change:
        """Write what is not as it should be, and return what a mosquitto has not read of it yet.

        Raises:
            StorageError: something cannot be read or written.
        """
        make_private_folder(self._directory)
        self._write_access(listeners)
        self._look_at_certificates()
        text = configuration(
            listeners=listeners,
            data=self._directory,
            access=None if self._texts is None else self._access_files,
            certificates=None if self._certificates is None else self._certificates.files,
        )
        self._write(self.configuration, text)
        return self._due

    def are_read(self) -> None:
        """Note that a mosquitto has been started with them as they are."""
        self._due = Change.NOTHING

    def _write_access(self, listeners: Listeners) -> None:
        texts = self._accounts()
        if texts is None and (self._texts is not None or not listeners.is_loopback):
            texts = NOBODY  # what was closed is not opened while it runs, nor ever to a network
        if texts is None:
            return
        if self._texts is None or _is_less(self._texts, texts):
            self._due = Change.NOW
        self._texts = texts
        self._write(self._access_files.passwords, texts.passwords)
        self._write(self._access_files.access, texts.access)

    def _look_at_certificates(self) -> None:
        if self._certificates is None:
            return
        self._certificates.refresh()
        files = self._certificates.files
        stamps = tuple(_stamp(path) for path in (files.crl, files.ca, files.server, files.key))
        if stamps == self._stamps:
            return
        revoked = self._revoked if self._stamps[:1] == stamps[:1] else _revoked(files.crl)
        self._due = max(self._due, Change.NOW if revoked - self._revoked else Change.SOON)
        self._stamps, self._revoked = stamps, revoked

    def _write(self, path: Path, text: str) -> None:
        if self._written.get(path) != text:
            write_private(path, text)
            self._written[path] = text
            self._due = max(self._due, Change.SOON)


def _is_less(before: AccessTexts, now: AccessTexts) -> bool:
    """Whether an account, its password or a right of it is gone."""
    if before == now:
        return False
    old, new = set(_rights(before.access)), set(_rights(now.access))
    return bool(
        set(before.passwords.splitlines()) - set(now.passwords.splitlines())
        or old - new
        or any(" deny " in line for _, line in new - old)
    )


def _rights(access: str) -> Iterator[tuple[str, str]]:
    """Return each line of an acl_file (mosquitto.conf(5)) with the account that it is for."""
    account = ""
    for line in access.splitlines():
        if line.startswith("user "):
            account = line
        yield account, line


def write_private(path: Path, text: str) -> None:
    """Write a file, mode 0600; mosquitto, which may read it now, finds the old one or the new one.

    Raises:
        StorageError: it cannot be written; the old one is untouched.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError.of(path, error) from error


def _stamp(path: Path) -> tuple[int, int, int]:
    """Return what tells that a file has been replaced."""
    try:
        status = path.stat()
    except OSError as error:
        raise StorageError.of(path, error) from error
    return status.st_ino, status.st_mtime_ns, status.st_size


def _revoked(path: Path) -> frozenset[int]:
    # Not needed, and so not imported, where there is no TLS: 40 ms.
    from broker.certificate_files import read_list

    return frozenset(entry.serial_number for entry in read_list(path))
