"""Hashed passwords: argon2id for our own broker, and the form that mosquitto reads.

RFC 9106 is argon2. mosquitto 2.0 knows PBKDF2 with SHA-512 only, written `$7$rounds$salt$hash`
(mosquitto_passwd(1)); whoever gets that file can try passwords faster than against argon2id, which
is why a password that we make ourselves has 160 random bits.
"""

import base64
import functools
import hashlib
import hmac
import secrets
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_ROUNDS: Final = 25_000
"""mosquitto checks in its only thread: some 15 ms a connection, in which nobody else is served."""


def make_password() -> str:
    """Return a new password."""
    return secrets.token_hex(20)


@functools.cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # a broker without accounts needs none of it

    # OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane; a Raspberry Pi can do that.
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: bytes) -> str:
    """Return a password's argon2id hash, its parameters and salt in it."""
    return _hasher().hash(password)


def is_right(hashed: str | None, password: bytes) -> bool:
    """Whether a password is the one that was hashed. Takes some 20 ms, and 19 MiB meanwhile.

    Args:
        hashed: of an account; None where there is none of that name: it takes as long, so that
            nobody learns by the time which names there are.
        password: what somebody says.
    """
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        _hasher().verify(hashed or _of_nobody(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return hashed is not None


@functools.cache
def _of_nobody() -> str:
    return hash_password(secrets.token_bytes(16))


class KnownPasswords:
    """Passwords that were right, as keyed hashes in memory: for who sends theirs again and again.

    For any number of threads.

    Args:
        most: names that are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._key = secrets.token_bytes(32)
        self._known: dict[str, tuple[bytes, str]] = {}
        self._lock = threading.Lock()

    def has(self, name: str, hashed: str | None, password: bytes) -> bool:
        """Whether this was the right one for a name, whose account has this hash still."""
        known = self._known.get(name)
        if known is None or known[1] != hashed:
            return False
        return hmac.compare_digest(known[0], self._digest(password))

    def keep(self, name: str, hashed: str, password: bytes) -> None:
        """Remember one that was right, unless there are too many."""
        with self._lock:
            if name in self._known or len(self._known) < self._most:
                self._known[name] = self._digest(password), hashed

    def _digest(self, password: bytes) -> bytes:
        return hmac.digest(self._key, password, hashlib.sha256)


def hash_for_mosquitto(password: bytes) -> str:
    """Return the hash that mosquitto's password file has."""
    salt = secrets.token_bytes(12)
    hashed = hashlib.pbkdf2_hmac("sha512", password, salt, _ROUNDS)
    encoded = (base64.b64encode(part).decode() for part in (salt, hashed))
    return f"$7${_ROUNDS}${'$'.join(encoded)}"
