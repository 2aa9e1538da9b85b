"""Where the certificates of an installation lie, and how they are written.

- `ca.pem`, `ca.key`: the CA, made on first use.
- `server.pem`, `server.key`: the broker's own.
- `crl.pem`: what was revoked.
- `devices/`, `revoked/`: each certificate that was given out; the keys are with the devices.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from iot_button.files import (
    DamagedFileError,
    StorageError,
    make_private_folder,
    open_private,
)

_DEVICE = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9a-f]{1,40})\.pem")
"""How a device's certificate is called: by its button's serial number, and by its own in X.509."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder if need be, and wait until no other process changes certificates there.

    Raises:
        StorageError: the folder, or the lock file in it, cannot be made.
    """
    make_private_folder(folder.parent)
    make_private_folder(folder)
    descriptor = open_private(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield
    finally:
        os.close(descriptor)


def device_files(folder: Path, serial_number: str | None = None) -> Iterator[tuple[Path, int]]:
    """Return the certificates of all buttons in a folder, or of one, each with its X.509 serial."""
    for path in sorted(folder.glob("*.pem")):
        match = _DEVICE.fullmatch(path.name)
        if match and serial_number in (None, match[1]):
            yield path, int(match[2], 16)


def device_file(serial_number: str, certificate: x509.Certificate) -> str:
    """Return the name of the file for a button's certificate."""
    return f"{serial_number}.{certificate.serial_number:x}.pem"


def pem(thing: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """Return a certificate or a list as PEM."""
    return thing.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM (PKCS #8), without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_certificate(path: Path) -> x509.Certificate:
    """Read a certificate.

    Raises:
        FileNotFoundError: there is none.
        DamagedFileError: it is none. StorageError: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise _damaged(path, "certificate") from error


def read_list(path: Path) -> x509.CertificateRevocationList:
    """Read a list of revoked certificates. Raises as `read_certificate` does."""
    try:
        return x509.load_pem_x509_crl(_read(path))
    except ValueError as error:
        raise _damaged(path, "list of revoked certificates") from error


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a private key on an elliptic curve. Raises as `read_certificate` does."""
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise _damaged(path, "private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged(path, "private key on an elliptic curve")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError.of(path, error) from error


def _damaged(path: Path, what: str) -> DamagedFileError:
    return DamagedFileError(
        path,
        f"it is no {what} that can be read",
        mend="put it back from a backup; or move it away, where it is not ca.pem or ca.key",
    )
