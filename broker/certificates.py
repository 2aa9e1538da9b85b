"""The TLS side of the broker: its own certificate, and which certificates of clients it takes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """The PEM files that a broker with TLS reads.

    `ca`: the CA of this installation, which signs the server's and the devices' certificates.
    `server`, `key`: the server's certificate and its private key. `crl`: what was revoked.
    """

    ca: Path
    server: Path
    key: Path
    crl: Path
