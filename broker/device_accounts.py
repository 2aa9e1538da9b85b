"""The account that goes with a button's certificate: its name is the certificate's."""

from pathlib import Path

from broker.tls import certificates_folder
from iot_button.accounts_file import Account, AccountError, AccountFile, Role
from iot_button.house import HOUSE_NAME
from iot_button.settings import Settings


def make_account(settings: Settings, serial_number: str) -> None:
    """Make a button's account, without a password; one that is there is kept.

    Raises:
        AccountError: there is another account of that name, which the certificate would open.
        StorageError: the accounts cannot be read or written.
    """
    file = AccountFile(Path(settings.state_dir))
    known = file.read().get(serial_number)
    if known is None and serial_number != HOUSE_NAME:
        file.add(serial_number, role=Role.BUTTON, serial_number=serial_number, password=None)
    elif known is None or not _is_of(known, serial_number):
        raise AccountError(
            f"{serial_number} is the name of an account that is no button's: its certificate would "
            "open that one",
            mend="give the button another serial number",
        )


def remove_account(settings: Settings, serial_number: str) -> bool:
    """Remove a button's account; return whether there was one. Raises as `make_account` does."""
    file = AccountFile(Path(settings.state_dir))
    known = file.read().get(serial_number)
    return known is not None and _is_of(known, serial_number) and file.remove(serial_number)


def certificates_of(settings: Settings, name: str) -> int:
    """Return how many certificates of a name were given out, and are not revoked."""
    folder = certificates_folder(Path(settings.state_dir))
    if not (folder / "ca.pem").exists():
        return 0
    from broker.certificate_files import device_files  # cryptography takes 0.2 s to import

    return len(list(device_files(folder / "devices", name)))


def revoke_certificates(settings: Settings, name: str) -> int:
    """Revoke all certificates of a name; return how many. Raises as the CA does."""
    if not certificates_of(settings, name):
        return 0
    from broker.certificates import open_authority

    return open_authority(Path(settings.state_dir), names=settings.broker.names).revoke(name)


def _is_of(account: Account, serial_number: str) -> bool:
    return account.role is Role.BUTTON and account.serial_number == serial_number
