"""The door of a broker that has accounts: by password, or by certificate."""

import asyncio
import hmac
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.access import Rights, rights_of
from broker.door import Anyone, Credentials, Guest, RefusedError
from iot_button.accounts_file import Account, Accounts, Role, WatchedAccounts
from iot_button.files import StorageError
from iot_button.house import HOUSE_NAME, read_house
from iot_button.passwords import KnownPasswords, is_right
from iot_button.patience import Patience
from iot_button.topics import Topics

log = logging.getLogger(__name__)

_IDENTIFIER_REJECTED: Final = 2
_UNAVAILABLE: Final = 3
_NOT_AUTHORIZED: Final = 5
_MOST_CHECKS: Final = 200
"""Passwords that wait to be checked, some 20 ms each; beyond, clients are told to come later."""
_MOST_KNOWN: Final = 20_000
_PARTS: Final = tuple(
    f"iot-button-{part}" for part in ("functions", "dashboard", "bridge", "metrics", "device-")
)
"""What the client ids of our own parts begin with (`Settings.client_id_of`)."""


@dataclass(frozen=True, slots=True)
class AccountGuest:
    """One who was let in with an account."""

    account: Account
    rights: Rights

    @property
    def name(self) -> str | None:
        """The account's name."""
        return self.account.name

    @property
    def is_button(self) -> bool:
        """Whether the account is a button's."""
        return self.account.role is Role.BUTTON

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish on a topic."""
        return self.rights.may_publish(topic)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether it may subscribe with a filter."""
        return self.rights.may_subscribe(topic_filter)


class AccountDoor:
    """Lets in who has an account; without any accounts, and if told so, everyone.

    Passwords are checked in a thread, one at a time: argon2id takes 19 MiB and 20 ms on purpose.
    One that was right is remembered, so that thousands of devices come back at once; who was wrong
    several times waits, and is not checked meanwhile.
    """

    def __init__(
        self,
        state_dir: Path,
        topics: Topics,
        *,
        open_without_accounts: bool,
        patience: Patience | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._watched = WatchedAccounts(state_dir)
        self._topics = topics
        self._opens = open_without_accounts and not self._accounts
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._has_news = False
        self._known = KnownPasswords(_MOST_KNOWN)
        self._patience = patience or Patience()

    def knows(self, name: str) -> bool:
        """Whether there is an account of that name, or none at all."""
        return not self._accounts or name in self._accounts

    def refresh(self) -> bool:
        """Hear of accounts that have changed since; whether any has.

        A file that cannot be read, or is damaged, leaves all as it was, and is said once.
        """
        self._read_anew()
        has_news, self._has_news = self._has_news, False
        return has_news

    def _read_anew(self) -> None:
        if self._watched.look():
            self._opens = self._opens and not self._accounts
            self._has_news = True

    @property
    def _accounts(self) -> Accounts:
        return self._watched.accounts

    def is_welcome(self, guest: Guest) -> bool:
        """Whether one who is in may stay: its account is there, unchanged."""
        if isinstance(guest, AccountGuest):
            return self._accounts.get(guest.account.name) == guest.account
        return self._opens

    async def admit(self, credentials: Credentials) -> Guest:
        """Let one in.

        Raises:
            RefusedError: it has no account, or not this one.
        """
        self._read_anew()  # and `refresh` tells of it: others have to leave
        if self._opens:
            return Anyone()
        account = self._by_certificate(credentials) or await self._by_password(credentials)
        if not _may_be_called(credentials.client_id, account, self._topics):
            raise RefusedError(_IDENTIFIER_REJECTED, "client id of another")
        return AccountGuest(account, rights_of(account, self._topics))

    def _by_certificate(self, credentials: Credentials) -> Account | None:
        name = credentials.certificate
        if name is None:
            return None
        account = self._accounts.get(name)
        if account is None or account.serial_number != name or account.role is not Role.BUTTON:
            raise self._refused(credentials, name)  # a certificate is a button's, and only that
        return account

    async def _by_password(self, credentials: Credentials) -> Account:
        name, password = credentials.username, credentials.password
        if name is None or password is None:
            raise RefusedError(_NOT_AUTHORIZED, "no account")
        account = self._accounts.get(name)
        if name == HOUSE_NAME and account is not None and self._is_of_the_house(password):
            return account
        hashed = account.password if account is not None else None
        if not self._known.has(name, hashed, password):
            await self._check(credentials, name, hashed, password)
            if hashed is not None:
                self._known.keep(name, hashed, password)
        if account is None or self._accounts.get(name) != account:  # it was changed meanwhile
            raise RefusedError(_NOT_AUTHORIZED, "wrong account or password")
        return account

    def _is_of_the_house(self, password: bytes) -> bool:
        try:
            house = read_house(self._state_dir)
        except StorageError:
            return False
        return house is not None and hmac.compare_digest(house.encode(), password)

    async def _check(
        self, credentials: Credentials, name: str, hashed: str | None, password: bytes
    ) -> None:
        """Check a password when it is its turn; `hashed`: None: there is none, it is wrong.

        Raises:
            RefusedError: it is wrong, or there are too many of those.
        """
        loop, address = asyncio.get_running_loop(), credentials.address
        self._check_patience(address, name)
        if self._waiting >= _MOST_CHECKS:
            raise RefusedError(_UNAVAILABLE, "busy")
        self._waiting += 1
        try:
            async with self._turn:
                self._check_patience(address, name)  # again: a burst is heard of while it waits
                if await loop.run_in_executor(self._checks, is_right, hashed, password):
                    return
                self._patience.hear(address, name)
        finally:
            self._waiting -= 1
        raise self._refused(credentials, name)

    def _check_patience(self, address: str, name: str) -> None:
        if self._patience.is_over(address, name):
            raise RefusedError(_NOT_AUTHORIZED, "too many wrong passwords")

    def _refused(self, credentials: Credentials, name: str) -> RefusedError:
        log.warning("refused %r from %s: wrong account or password", name[:64], credentials.address)
        return RefusedError(_NOT_AUTHORIZED, "wrong account or password")


def _may_be_called(client_id: str, account: Account, topics: Topics) -> bool:
    """Whether a client id is not that of a part of ours, or of another button (3.1.3.1).

    A session is its account's alone: a button that came first could keep the dashboard out.
    """
    if account.role is not Role.BUTTON or not client_id.startswith(_PARTS):
        return True
    under = f"-{topics.prefix}" if topics.prefix else ""
    return client_id == f"iot-button-device-{account.serial_number}{under}"
