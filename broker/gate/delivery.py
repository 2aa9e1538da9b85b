"""A message on its way to one client, and the way itself."""

from typing import Protocol

import msgspec

from broker.gate.journal import RETAIN


class Delivery(msgspec.Struct, gc=False):
    """A message for one session. Its packet id follows from its number, also after a restart."""

    number: int
    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    was_sent: bool = False
    is_released: bool = False
    is_on_disk: bool = True

    @property
    def packet_id(self) -> int:
        """Return what names it on the wire, as long as it is under way."""
        return self.number % 65_535 + 1

    @property
    def flags(self) -> int:
        """Return how the journal keeps it."""
        return self.qos | (RETAIN if self.retain else 0)


class Line(Protocol):
    """The way to the client, while it is connected."""

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        ...

    def reply(self, packet: bytes) -> None:
        """Send an answer."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether the client reads what it is sent."""
        ...

    def end(self, reason: str) -> None:
        """Close the connection."""
        ...
