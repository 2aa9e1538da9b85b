"""The accounts of the broker, in one file, and what changes it.

Once there is an account, nobody is let in without one. The file has no password, only hashes.
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from iot_button.errors import IotButtonError
from iot_button.files import (
    FileLock,
    InUseError,
    StorageError,
    make_private_folder,
    write_private,
)
from iot_button.house import HOUSE_NAME, make_house
from iot_button.passwords import hash_for_mosquitto, hash_password

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_PATIENCE: Final = 5.0
"""Seconds to wait for another command that changes accounts at this moment."""


class Role(StrEnum):
    """What an account is for; `broker/access.py` and `dashboard/access.py` say what each may."""

    BUTTON = "button"
    FUNCTION = "function"
    DASHBOARD = "dashboard"
    OPERATOR = "operator"
    ADMIN = "admin"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account.

    `serial_number`: a button's. `password`: argon2id; None: it comes with a certificate alone.
    `mosquitto`: the same password as mosquitto reads it.
    """

    name: str
    role: Role
    serial_number: str | None = None
    password: str | None = None
    mosquitto: str | None = None

    def __repr__(self) -> str:
        return f"Account({self.name}, {self.role})"  # no hash in a log


Accounts = dict[str, Account]


class AccountError(IotButtonError):
    """An account that cannot be made, changed or found."""


class AccountFile:
    """The file with all accounts of an installation: `broker/accounts.json` in `state_dir`."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.path = state_dir / "broker" / "accounts.json"
        self._name = str(self.path)

    def stamp(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the file does; None: there is none. Cheap."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 - at each connection, and half the time
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def read(self) -> Accounts:
        """Return the accounts by name.

        Raises:
            StorageError: the file is there and cannot be read, or is damaged: that opens no door.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError.of(self.path, error) from error
        try:
            accounts = msgspec.json.decode(data, type=list[Account])
        except msgspec.DecodeError as error:
            mend = f"mend it, or remove it and make the accounts anew: {self.path}"
            raise StorageError(self.path, f"no list of accounts: {error}", mend=mend) from error
        return {account.name: account for account in accounts}

    def add(
        self, name: str, *, role: Role, serial_number: str | None = None, password: str | None
    ) -> None:
        """Make an account. With the first one comes that of the installation's own parts.

        Raises:
            AccountError: there is one, or the name cannot be used.
            StorageError: the file cannot be read or written.
        """
        if _NAME.fullmatch(name) is None:
            mend = "use 1 to 64 of A-Z a-z 0-9 _ . @ -, beginning with a letter or a digit"
            raise AccountError(f"{name[:70]!r} cannot be an account's name", mend=mend)
        account = _made(name, role, serial_number, password)

        def change(accounts: Accounts) -> None:
            if name in accounts:
                mend = f"remove it first: iot-button account remove {name}"
                raise AccountError(f"there is an account {name} already", mend=mend)
            if not accounts:
                house = make_house(self._state_dir)
                accounts[HOUSE_NAME] = _made(HOUSE_NAME, Role.ADMIN, None, house)
            accounts[name] = account

        self._change(change)

    def remove(self, name: str) -> bool:
        """Remove an account; return whether it was there.

        The installation's own stays when it is the last: an open door is nothing that comes by
        removing somebody.
        """
        found = False

        def change(accounts: Accounts) -> None:
            nonlocal found
            if name == HOUSE_NAME:
                raise AccountError(f"{name} is the account of this installation's own parts")
            found = accounts.pop(name, None) is not None

        self._change(change)
        return found

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password.

        Raises:
            AccountError: there is no such account.
        """

        def change(accounts: Accounts) -> None:
            old = accounts.get(name)
            if old is None or name == HOUSE_NAME:
                raise AccountError(
                    f"there is no account {name[:70]!r}", mend="see: iot-button account list"
                )
            accounts[name] = _made(name, old.role, old.serial_number, password)

        self._change(change)

    def _change(self, change: Callable[[Accounts], None]) -> None:
        make_private_folder(self.path.parent)
        with _locked(self.path):
            accounts = self.read()
            change(accounts)
            data = msgspec.json.format(msgspec.json.encode(list(accounts.values())))
            write_private(self.path, data)


def _made(name: str, role: Role, serial_number: str | None, password: str | None) -> Account:
    secret = password.encode() if password is not None else None
    return Account(
        name=name,
        role=role,
        serial_number=serial_number,
        password=hash_password(secret) if secret is not None else None,
        mosquitto=hash_for_mosquitto(secret) if secret is not None else None,
    )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock, deadline = FileLock(path), time.monotonic() + _PATIENCE
    while True:
        try:
            lock.acquire()
            break
        except InUseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.release()


class WatchedAccounts:
    """The accounts as they are now, for one who looks now and then.

    A file that cannot be read any more, or is damaged, leaves all as it was, and is said once.

    Raises:
        StorageError: it is so at the start.
    """

    def __init__(self, state_dir: Path) -> None:
        self._file = AccountFile(state_dir)
        self._problem = ""
        self._stamp = self._file.stamp()
        self.accounts: Accounts = self._file.read()

    def look(self) -> bool:
        """Read them anew if they have changed; whether they have. Cheap: it asks for a date."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return False
        try:
            self.accounts = self._file.read()
        except StorageError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("accounts stay as they were: %s", error)
            return False
        self._stamp, self._problem = stamp, ""
        return True
