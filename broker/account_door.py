"""The door of a broker that has accounts: by password, or by certificate."""

import asyncio
import functools
import hashlib
import hmac
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.access import Rights, rights_of
from broker.accounts import Account, AccountFile, Accounts, Role
from broker.door import Anyone, Credentials, Guest, RefusedError
from broker.passwords import hash_password, is_right
from broker.patience import Patience
from iot_button.topics import Topics

log = logging.getLogger(__name__)

_UNAVAILABLE: Final = 3
_NOT_AUTHORIZED: Final = 5
_MOST_CHECKS: Final = 200
"""Passwords that wait to be checked, some 20 ms each; beyond, clients are told to come later."""
_MOST_KNOWN: Final = 20_000


@dataclass(frozen=True, slots=True)
class AccountGuest:
    """One who was let in with an account."""

    account: Account
    rights: Rights

    @property
    def name(self) -> str | None:
        """The account's name."""
        return self.account.name

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish on a topic."""
        return self.rights.may_publish(topic)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether it may subscribe with a filter."""
        return self.rights.may_subscribe(topic_filter)


class AccountDoor:
    """Lets in who has an account; without any accounts, and if told so, everyone.

    Passwords are checked in a thread, one at a time: argon2id takes 19 MiB and 20 ms on purpose.
    One that was right is remembered (as a keyed hash, in memory), so that thousands of devices
    come back at once; who was wrong several times waits, and is not checked meanwhile.
    """

    def __init__(
        self,
        state_dir: Path,
        topics: Topics,
        *,
        open_without_accounts: bool,
        patience: Patience | None = None,
    ) -> None:
        self._file = AccountFile(state_dir)
        self._topics = topics
        self._opens = open_without_accounts
        self._stamp = self._file.stamp()
        self._accounts: Accounts = self._file.read()
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._known: dict[str, tuple[bytes, str]] = {}
        self._patience = patience or Patience()

    def refresh(self) -> bool:
        """Hear of accounts that have changed since; whether any has."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return False
        self._accounts, self._stamp = self._file.read(), stamp
        return True

    def is_welcome(self, guest: Guest) -> bool:
        """Whether one who is in may stay: its account is there, unchanged."""
        if isinstance(guest, AccountGuest):
            return self._accounts.get(guest.account.name) == guest.account
        return self._opens and not self._accounts

    async def admit(self, credentials: Credentials) -> Guest:
        """Let one in.

        Raises:
            RefusedError: it has no account, or not this one.
        """
        self.refresh()
        if not self._accounts and self._opens:
            return Anyone()
        account = self._by_certificate(credentials) or await self._by_password(credentials)
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
        hashed = account.password if account is not None else None
        digest = hmac.digest(self._key, password, hashlib.sha256)
        known = self._known.get(name)
        if account is not None and known is not None and known[1] == hashed:
            is_theirs = hmac.compare_digest(known[0], digest)
            if is_theirs:
                return account
        if self._patience.is_over((credentials.address, name), (credentials.address, "")):
            raise RefusedError(_NOT_AUTHORIZED, "too many wrong passwords")
        # Nobody learns by the time that it takes which names there are.
        is_theirs = await self._check(hashed, password)
        if account is None or hashed is None or not is_theirs:
            self._patience.hear((credentials.address, name), (credentials.address, ""))
            raise self._refused(credentials, name)
        if len(self._known) < _MOST_KNOWN:
            self._known[name] = digest, hashed
        if self._accounts.get(name) != account:  # it was changed meanwhile
            raise RefusedError(_NOT_AUTHORIZED, "wrong account or password")
        return account

    async def _check(self, hashed: str | None, password: bytes) -> bool:
        if self._waiting >= _MOST_CHECKS:
            raise RefusedError(_UNAVAILABLE, "busy")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._checks, _is_right, hashed, password)
        finally:
            self._waiting -= 1

    def _refused(self, credentials: Credentials, name: str) -> RefusedError:
        log.warning("refused %r from %s: wrong account or password", name[:64], credentials.address)
        return RefusedError(_NOT_AUTHORIZED, "wrong account or password")


@functools.cache
def _of_nobody() -> str:
    return hash_password(secrets.token_bytes(16))


def _is_right(hashed: str | None, password: bytes) -> bool:
    return is_right(hashed or _of_nobody(), password) and hashed is not None
