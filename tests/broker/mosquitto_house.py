"""A mosquitto of ours in this process, accounts to change under it, and clients that are told."""

import base64
import hashlib
import queue
import secrets
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from broker.mosquitto_files import AccessTexts
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from tests.support import DEADLINE, eventually


class House:
    """Accounts, all of which may use every topic but `denied`, as mosquitto reads them."""

    def __init__(self, **passwords: str) -> None:
        self.passwords = passwords

    def __call__(self) -> AccessTexts:
        return AccessTexts(
            passwords="".join(f"{n}:{hashed(p)}\n" for n, p in self.passwords.items()),
            access="".join(
                f"user {name}\ntopic deny denied\ntopic readwrite #\n" for name in self.passwords
            ),
        )


_HASHES: dict[str, str] = {}


def hashed(password: str) -> str:
    """Hash as mosquitto_passwd(1) does; the same again for the same, as if kept in a file."""
    if password not in _HASHES:
        salt = secrets.token_bytes(12)
        digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
        encoded = (base64.b64encode(data).decode() for data in (salt, digest))
        _HASHES[password] = "$7$101${}${}".format(*encoded)
    return _HASHES[password]


def at(
    port: int,
    *,
    account: tuple[str, str] | None = None,
    certificate: Path | None = None,
    ca: Path | None = None,
) -> BrokerAddress:
    """Return an address on loopback; `certificate` has its key in the same file."""
    return BrokerAddress(
        host="127.0.0.1",
        port=port,
        tls=ca is not None,
        ca_file=None if ca is None else str(ca),
        certificate_file=None if certificate is None else str(certificate),
        username=None if account is None else account[0],
        password=None if account is None else account[1],
    )


class Visitor:
    """A client that notes what comes, and when its connection was lost."""

    def __init__(
        self,
        address: BrokerAddress,
        *filters: str,
        client_id: str | None = None,
        session: Session = Session.CLEAN,
    ) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        self.may_read = threading.Event()
        self.may_read.set()
        self.lost_at: float | None = None
        self.times_ready = 0
        self.connection = Connection(
            address,
            client_id=client_id or f"visitor-{secrets.token_hex(4)}",
            session=session,
            on_message=self._received,
            on_change=self._changed,
        )
        for topic_filter in filters:
            self.connection.subscribe(topic_filter)

    def __enter__(self) -> Self:
        self.connection.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self.may_read.set()
        self.connection.__exit__()

    def ready(self) -> Self:
        """Wait until it stands."""
        self.connection.wait_ready(DEADLINE)
        return self

    def next(self) -> bytes:
        """Return the next message's payload."""
        try:
            return self.messages.get(timeout=DEADLINE).payload
        except queue.Empty:
            pytest.fail("no message")

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait for the PUBACK."""
        self.connection.publish(topic, payload)
        self.connection.drain(DEADLINE)

    def wait_lost(self, since: float) -> float:
        """Wait until its connection was lost, and return how many seconds that took."""
        lost_at = eventually(lambda: self.lost_at, what="the connection is lost")
        assert lost_at is not None
        return lost_at - since

    @property
    def is_refused(self) -> bool:
        """Whether the broker has refused it."""
        return "refuses" in self.connection._problem  # noqa: SLF001 - what only a log line says

    def _received(self, message: Message) -> None:
        self.may_read.wait(DEADLINE)
        self.messages.put(message)

    def _changed(self, is_ready: bool) -> None:
        if is_ready:
            self.times_ready += 1
        else:
            self.lost_at = time.monotonic()
