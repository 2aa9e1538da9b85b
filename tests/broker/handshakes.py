"""TLS handshakes without a network: a client and a server that pass each other their bytes."""

import datetime
import ssl
from pathlib import Path

from broker.certificate_files import key_pem, pem
from broker.certificates import CertificateFiles, open_authority


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime.datetime.now(datetime.UTC)

    def __call__(self) -> datetime.datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += datetime.timedelta(**time)


class Tls:
    """A client and a server that have shaken hands, or an `ssl.SSLError` of the server's."""

    def __init__(
        self,
        server: ssl.SSLContext,
        client: ssl.SSLContext,
        *,
        name: str = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> None:
        upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(upward, downward, server_side=True)
        self.client = client.wrap_bio(downward, upward, server_hostname=name, session=session)
        waiting = [self.client, self.server]
        while waiting:
            side = waiting.pop(0)
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(side)

    def exchange(self) -> None:
        """Send a line in each direction."""
        for source, target in ((self.client, self.server), (self.server, self.client)):
            source.write(b"hello")
            assert target.read(5) == b"hello"


def client_context(
    files: CertificateFiles,
    certificate: Path | None = None,
    *,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """Return a client's context that trusts our CA alone, as strictly as OpenSSL can."""
    context = ssl.create_default_context(cafile=files.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.minimum_version = context.maximum_version = version
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


def button(state_dir: Path, serial_number: str = "BUTTON-1") -> Path:
    """Give a button its certificate; return one file with it and its key."""
    certificate, key = open_authority(state_dir).issue(serial_number)
    path = state_dir / f"{serial_number}-and-key.pem"
    path.write_bytes(pem(certificate) + key_pem(key))
    return path
