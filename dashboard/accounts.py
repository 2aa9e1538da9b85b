"""The accounts that may log in: read anew when their file changes, checked at little cost."""

import hashlib
import hmac
import logging
import threading
from pathlib import Path
from typing import Final

import msgspec

from dashboard.access import may_log_in
from iot_button.accounts_file import Account, WatchedAccounts
from iot_button.errors import IotButtonError
from iot_button.passwords import KnownPasswords, is_right
from iot_button.patience import Patience

log = logging.getLogger(__name__)

_AT_A_TIME: Final = 2
"""Passwords checked at a time: 20 ms of a core and 19 MiB each."""
_MOST_WAITING: Final = 20
"""Beyond, one is told to come later: each that waits is a thread."""
_MOST_KNOWN: Final = 1000


class LoginError(IotButtonError):
    """Somebody was not let in. `status`: HTTP's number for it."""

    status = 401


class WrongPasswordError(LoginError):
    """There is no such account, or its password is another: which, nobody is told."""

    def __init__(self) -> None:
        super().__init__("that name and password do not go together")


class TooManyAttemptsError(LoginError):
    """Too many were wrong, or too many wait."""

    status = 429

    def __init__(self) -> None:
        super().__init__("too many attempts; wait half a minute, and try again")


class AccountBook:
    """The accounts of an installation, for any number of threads.

    Passwords that were right are remembered, for programs that send theirs each time.
    """

    def __init__(self, state_dir: Path, *, patience: Patience | None = None) -> None:
        self._watched = WatchedAccounts(state_dir)
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(_AT_A_TIME)
        self._waiting = 0
        self._known = KnownPasswords(_MOST_KNOWN)

    def refresh(self) -> None:
        """Hear of accounts that have changed."""
        self._watched.look()

    def has_someone(self) -> bool:
        """Whether anybody can log in."""
        return any(may_log_in(account) for account in self._watched.accounts.values())

    def find(self, name: str) -> Account | None:
        """Return an account that may log in."""
        self.refresh()
        account = self._watched.accounts.get(name)
        return account if account is not None and may_log_in(account) else None

    def check(self, name: str, password: str, *, address: str) -> Account:
        """Return the account of a name and its password.

        Raises:
            WrongPasswordError: they do not go together.
            TooManyAttemptsError: too many did not, or too many are checked at this moment.
        """
        account, secret = self.find(name), password.encode("utf-8", "surrogatepass")
        hashed = account.password if account is not None else None
        if not self._known.has(name, hashed, secret):
            self._check(address, name, hashed, secret)
            if hashed is not None:
                self._known.keep(name, hashed, secret)
        if account is None or self.find(name) != account:  # it was changed meanwhile
            raise WrongPasswordError
        return account

    def _check(self, address: str, name: str, hashed: str | None, secret: bytes) -> None:
        self._take_place(address, name)
        try:
            with self._turns:
                self._check_patience(address, name)  # again: a burst is heard of while it waits
                if is_right(hashed, secret):
                    return
                with self._lock:
                    self._patience.hear(address, name)
        finally:
            with self._lock:
                self._waiting -= 1
        log.warning("refused %r from %s: wrong account or password", name[:64], address)
        raise WrongPasswordError

    def _take_place(self, address: str, name: str) -> None:
        self._check_patience(address, name)
        with self._lock:
            if self._waiting >= _MOST_WAITING:
                raise TooManyAttemptsError
            self._waiting += 1

    def _check_patience(self, address: str, name: str) -> None:
        with self._lock:
            if self._patience.is_over(address, name):
                raise TooManyAttemptsError


def fingerprint(account: Account, key: bytes) -> str:
    """Return what an account is known by in a session: another password, role or account differs.

    Keyed, so that a cookie says nothing about a hash.
    """
    return hmac.digest(key, msgspec.json.encode(account), hashlib.sha256).hex()[:32]
