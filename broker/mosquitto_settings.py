"""What the settings say of accounts and certificates, as mosquitto needs it."""

from pathlib import Path
from typing import TYPE_CHECKING

from broker.access import acl_file, password_file
from broker.mosquitto_files import AccessTexts, Accounts
from iot_button.accounts_file import AccountFile
from iot_button.settings import Settings

if TYPE_CHECKING:
    from broker.certificates import ServerCertificates


def accounts_of(settings: Settings) -> Accounts:
    """Return what reads the accounts of an installation, where their file has changed.

    It raises StorageError where they cannot be read: that opens no door.
    """
    file = AccountFile(Path(settings.state_dir))
    seen: object = None
    texts: AccessTexts | None = None

    def read() -> AccessTexts | None:
        nonlocal seen, texts
        try:
            status = file.path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            return None
        if stamp != seen:
            accounts = file.read()
            texts = None
            if accounts:
                texts = AccessTexts(
                    passwords=password_file(accounts.values()),
                    access=acl_file(accounts.values(), settings.topic_names),
                )
            seen = stamp
        return texts

    return read


def certificates_of(settings: Settings) -> "ServerCertificates | None":
    """Return the certificates for the ports with TLS, the dashboard's too; None: there are none.

    Raises: as `ServerCertificates.open` does.
    """
    ports, dashboard = (
        (settings.broker.tls_port, settings.broker.websocket_tls_port),
        settings.dashboard,
    )
    if ports == (None, None) and not dashboard.tls:
        return None
    from broker.certificates import ServerCertificates

    names = (*settings.broker.names, *(dashboard.names if dashboard.tls else ()))
    return ServerCertificates.open(Path(settings.state_dir), names=names)
