"""What a client may take of the broker, and what this process may give."""

import resource
from dataclasses import dataclass
from typing import Final

from broker.listening import MAX_PACKET_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take.

    Args:
        packet_bytes: of one packet.
        connect_timeout: seconds from a connection to its CONNECT.
        connections: at a time.
        newcomers: connections at a time that are not let in yet; beyond, the oldest of them goes,
            so that those who connect and say nothing keep nobody else out.
        sessions: that one account may have kept.
        button_sessions: that a button's account may have kept. Each of its receipts is written to
            the disk for each of them, so that the password of one could be everybody's burden.
        session_days: after which a session that nobody came back to is forgotten.
    """

    packet_bytes: int = MAX_PACKET_BYTES
    connect_timeout: float = 10.0
    connections: int = 20_000
    newcomers: int = 2_000
    sessions: int = 20_000
    button_sessions: int = 10
    session_days: float = 60.0


_RESERVE: Final = 100
"""Open files that clients leave to the broker itself."""


def limits_here() -> Limits:
    """Return the limits, lower where this process may not have so many open files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Limits()
    usable = max(10, soft - _RESERVE)
    usual = Limits()
    return Limits(
        connections=min(usual.connections, usable), newcomers=min(usual.newcomers, usable // 2)
    )
