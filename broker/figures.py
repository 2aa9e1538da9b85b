"""What a broker counts: for `$SYS` topics, and for Prometheus."""

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Figures:
    """Running totals since the start, and what is now. Bytes are those of whole MQTT packets.

    `queued`: messages at QoS 1 and 2 that wait for sessions, those in flight among them.
    `dropped`: messages that were not delivered, by reason; none of them was acknowledged at QoS 1
    or 2 for the session that misses it.
    `refused`: connections that were not let in, or were ended by us, by reason.
    """

    started_at: float = field(default_factory=time.time)
    connections: int = 0
    connections_maximum: int = 0
    connections_total: int = 0
    sessions: int = 0
    subscriptions: int = 0
    retained: int = 0
    queued: int = 0
    queued_bytes: int = 0
    messages_received: int = 0
    messages_sent: int = 0
    publish_received: int = 0
    publish_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
