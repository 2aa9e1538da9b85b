"""Who may come in, and what they may do here."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client says of itself at CONNECT.

    `address`: its IP address. `certificate`: the common name of its verified TLS certificate.
    """

    address: str
    client_id: str
    username: str | None = None
    password: bytes | None = None
    certificate: str | None = None


class Guest(Protocol):
    """One who was let in. `name`: the account's; None where there are no accounts."""

    @property
    def name(self) -> str | None:
        """The account's name."""
        ...

    @property
    def is_button(self) -> bool:
        """Whether the account is a button's: it needs one session, and no more than a few."""
        ...

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish on a topic."""
        ...

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether it may subscribe with a filter: all that it matches must be readable."""
        ...


class Door(Protocol):
    """Lets clients in, or not."""

    async def admit(self, credentials: Credentials) -> Guest:
        """Let one in.

        Raises:
            RefusedError: with the return code for its CONNACK.
        """
        ...

    def is_welcome(self, guest: Guest) -> bool:
        """Whether one who is in may stay: its account is there, unchanged."""
        ...

    def knows(self, name: str) -> bool:
        """Whether there is an account of that name, or none at all."""
        ...

    def refresh(self) -> bool:
        """Hear of accounts that have changed since; whether any has."""
        ...


class RefusedError(Exception):
    """A client is not let in. `return_code`: MQTT 3.1.1, table 3.1; `reason`: one word or two."""

    def __init__(self, return_code: int, reason: str) -> None:
        super().__init__(reason)
        self.return_code = return_code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Anyone:
    """A guest where nobody is asked."""

    name: str | None = None
    is_button: bool = False

    def may_publish(self, topic: str) -> bool:  # noqa: ARG002 - a guest's form
        """Say yes."""
        return True

    def may_subscribe(self, topic_filter: str) -> bool:  # noqa: ARG002 - a guest's form
        """Say yes."""
        return True
