"""The account that goes with a button's certificate: its name is the certificate's."""

from pathlib import Path

from broker.accounts import Account, AccountError, AccountFile, Role
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


def _is_of(account: Account, serial_number: str) -> bool:
    return account.role is Role.BUTTON and account.serial_number == serial_number
