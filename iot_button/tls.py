"""TLS contexts of listeners, and the files that they are made of.

This module imports nothing that signs: who only needs to know where the files are has it cheap.
"""

import enum
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """The PEM files that a server with TLS reads.

    `ca`: the CA of this installation, which signs the server's and the devices' certificates.
    `server`, `key`: the server's certificate and its private key. `crl`: what was revoked.
    """

    ca: Path
    server: Path
    key: Path
    crl: Path

    @classmethod
    def of(cls, state_dir: Path) -> Self:
        """Return where they are, or will be, in a state directory."""
        folder = certificates_folder(state_dir)
        return cls(
            ca=folder / "ca.pem",
            server=folder / "server.pem",
            key=folder / "server.key",
            crl=folder / "crl.pem",
        )


def certificates_folder(state_dir: Path) -> Path:
    """Return the folder of all certificates in a state directory."""
    return state_dir / "broker" / "certificates"


class ClientCertificates(enum.Enum):
    """Whether a client must show a certificate. One that it shows must be good in any case."""

    NONE = ssl.CERT_NONE
    """It is not asked: browsers would ask their user which one to show."""
    OPTIONAL = ssl.CERT_OPTIONAL
    REQUIRED = ssl.CERT_REQUIRED


def server_context(
    files: CertificateFiles, *, clients: ClientCertificates = ClientCertificates.OPTIONAL
) -> ssl.SSLContext:
    """Return a context for a listener: TLS 1.2 or newer, certificates of our CA, none revoked.

    Raises:
        OSError: a file cannot be read, or is not what it should be (`ssl.SSLError`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session that is taken up again skips the check of the certificate: it may be revoked since.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.load_cert_chain(files.server, files.key)
    context.verify_mode = clients.value
    if clients is not ClientCertificates.NONE:
        context.load_verify_locations(files.ca)
        context.load_verify_locations(files.crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    return context


def renew(context: ssl.SSLContext, files: CertificateFiles) -> None:
    """Load the files into a context that is in use: for handshakes from now on, and no others.

    Raises:
        OSError: as `server_context`; the context is as before.
    """
    context.load_cert_chain(files.server, files.key)
    if context.verify_mode is not ssl.CERT_NONE:
        context.load_verify_locations(files.crl)  # of several, OpenSSL takes the newest
