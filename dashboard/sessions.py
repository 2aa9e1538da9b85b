"""Sessions: a signed cookie that says who logged in and when, and which of them have ended.

The cookie is all there is of a session, but for a list of those that were logged out, which lies
beside the key: a copy of a cookie ends with its session, also across a restart.
"""

import contextlib
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from iot_button.files import StorageError, make_private_folder, write_private
from iot_button.secret_files import make_secret

_MOST_BYTES: Final = 1024
"""Of a cookie; ours has some 300."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a cookie says.

    `id`: random, of this session alone. `name`: whose it is; empty: nobody's yet, at the login.
    `account`: the account's fingerprint then. `since`, `seen`: seconds since 1970.
    """

    id: str
    name: str = ""
    account: str = ""
    since: int
    seen: int


class Sessions:
    """Makes and reads the cookies of an installation; for any number of threads.

    Args:
        folder: where the key is, or will be made.
        idle: seconds without a request after which a session is over.
        age: seconds after which it is over in any case.
        clock: seconds since 1970.

    Raises:
        StorageError: the key cannot be read or written.
    """

    def __init__(
        self, folder: Path, *, idle: float, age: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.age = age
        self.idle = idle
        self._clock = clock
        self._ended_file = folder / "ended-sessions.json"
        self.key = make_secret(folder / "session.key").encode()
        self._signer = Signer(
            self.key, salt="iot-button session", key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._lock = threading.Lock()
        self._ended = self._read_ended()

    def start(self, *, name: str = "", account: str = "") -> Ticket:
        """Return a new session, under an id that nobody had before."""
        now = int(self._clock())
        return Ticket(id=secrets.token_urlsafe(18), name=name, account=account, since=now, seen=now)

    def read(self, cookie: str) -> Ticket | None:
        """Return a session that a cookie shows; None: it is not ours, or is over."""
        if len(cookie) > _MOST_BYTES:
            return None
        try:
            data = base64_decode(self._signer.unsign(cookie))
            ticket = msgspec.json.decode(data, type=Ticket)
        except (BadSignature, ValueError):
            return None
        return ticket if self.is_alive(ticket) else None

    def is_alive(self, ticket: Ticket, *, is_used: bool = False) -> bool:
        """Whether a session is not over. `is_used`: a socket is open on it: it is not idle."""
        now = self._clock()
        is_idle = not is_used and now - ticket.seen > self.idle
        return ticket.id not in self._ended and now - ticket.since <= self.age and not is_idle

    def seen_again(self, ticket: Ticket) -> Ticket | None:
        """Return the session with a newer date; None: it is new enough for a cookie to stay."""
        now = int(self._clock())
        if now - ticket.seen <= self.idle / 50:
            return None
        return msgspec.structs.replace(ticket, seen=now)

    def write(self, ticket: Ticket) -> str:
        """Return the cookie of a session."""
        return self._signer.sign(base64_encode(msgspec.json.encode(ticket))).decode()

    def token(self, ticket: Ticket) -> str:
        """Return what a request that changes something shows beside the cookie (CSRF)."""
        return hmac.digest(self.key, b"form " + ticket.id.encode(), hashlib.sha256).hex()

    def is_token(self, ticket: Ticket, token: str) -> bool:
        """Whether a token is that of a session."""
        return hmac.compare_digest(self.token(ticket).encode(), token.encode("utf-8", "replace"))

    def end(self, ticket: Ticket) -> None:
        """End a session, for every copy of its cookie.

        None is forgotten before its cookie is worth nothing anyway: another's logout cannot have it
        live again.
        """
        with self._lock:
            now = self._clock()
            self._ended = {i: until for i, until in self._ended.items() if until > now}
            self._ended[ticket.id] = ticket.since + self.age
            # A full disk keeps nobody logged in: the memory knows it.
            with contextlib.suppress(StorageError):
                make_private_folder(self._ended_file.parent)
                write_private(self._ended_file, msgspec.json.encode(self._ended))

    def _read_ended(self) -> dict[str, float]:
        try:
            return msgspec.json.decode(self._ended_file.read_bytes(), type=dict[str, float])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            mend = (
                f"remove it; whoever logged out has then to change the password: {self._ended_file}"
            )
            raise StorageError(
                self._ended_file, f"it cannot be read: {error}", mend=mend
            ) from error
