"""What the ways that bytes come have in common: TCP, TLS, and WebSocket.

`stream_link.py` and `websocket_link.py` are the two kinds; the gate does not know which it has.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

FIRST_PACKET_BYTES: Final = 72 * 1024
"""A CONNECT has five fields of up to 64 KiB each; a real one comes with one long will at most."""

MOST_BUFFERED: Final = 256 * 1024
"""Bytes written and not taken by the client's system: from here on it counts as slow."""

LINGER: Final = 2.0
"""Seconds that a closing connection has to take its last bytes."""


class Talker(Protocol):
    """What speaks MQTT on a link."""

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        ...

    def lost(self) -> None:
        """Hear that the link is gone."""
        ...

    def writable(self) -> None:
        """Hear that a slow client reads again."""
        ...


class Link(Protocol):
    """One connection's bytes."""

    address: str
    certificate: str | None
    is_slow: bool

    @property
    def is_revoked(self) -> bool:
        """Whether its certificate is one that was taken back."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes, in the background."""
        ...

    def read_on(self, wanted: bool) -> None:
        """Read on, or leave what comes to the client's system until later."""
        ...

    def welcome(self, packet_bytes: int) -> None:
        """Take larger packets from here on: the client was let in."""
        ...

    def close(self) -> None:
        """Close when what was written has gone out, or soon."""
        ...

    def abort(self) -> None:
        """Close now."""
        ...


MakeTalker = Callable[[Link], Talker]


class _Nobody:
    """Whom a link that is gone speaks with."""

    def feed(self, data: bytes) -> None:
        pass

    def lost(self) -> None:
        pass

    def writable(self) -> None:
        pass


NOBODY: Final = _Nobody()


class _Nowhere(asyncio.Transport):
    """Where a link that is gone leads."""

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        pass


NOWHERE: Final = _Nowhere()
