"""Who a client's certificate says it is; the TLS contexts are in `iot_button/tls.py`."""

from collections.abc import Mapping
from typing import Any

from iot_button.tls import (
    CertificateFiles,
    ClientCertificates,
    certificates_folder,
    renew,
    server_context,
)

__all__ = [
    "CertificateFiles",
    "ClientCertificates",
    "certificates_folder",
    "common_name",
    "renew",
    "server_context",
]


def common_name(peer: Mapping[str, Any] | None) -> str | None:
    """Return the common name in what `getpeercert()` says; None where there is no certificate."""
    names = [
        value
        for part in (peer or {}).get("subject", ())
        for kind, value in part
        if kind == "commonName"
    ]
    return names[0] if len(names) == 1 else None
