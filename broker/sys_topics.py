"""`$SYS` topics: what users of mosquitto look at, of our own broker."""

import math
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Final

from broker.figures import Figures

_LOADS: Final = {
    "messages/received": "messages_received",
    "messages/sent": "messages_sent",
    "publish/received": "publish_received",
    "publish/sent": "publish_sent",
    "bytes/received": "bytes_received",
    "bytes/sent": "bytes_sent",
    "connections": "connections_total",
}
_SPANS: Final = {"1min": 60.0, "5min": 300.0, "15min": 900.0}


class SysTopics:
    """Figures as messages: retained, QoS 0.

    Args:
        figures: what the broker counts in.
        clock: seconds since 1970.
    """

    def __init__(self, figures: Figures, clock: Callable[[], float] = time.time) -> None:
        self._figures = figures
        self._clock = clock
        self._said: dict[str, bytes] = {}
        self._before = dict.fromkeys(_LOADS, 0)
        self._loads = {(name, span): 0.0 for name in _LOADS for span in _SPANS}
        self._at = figures.started_at
        self._version = version("iot-button")  # read now: later, files may all be taken

    def changes(self) -> list[tuple[str, bytes]]:
        """Return topics and payloads that are not as they were at the last call."""
        now = self._clock()
        self._measure(now)
        values = dict(self._values(now))
        changed = [(k, v) for k, v in values.items() if self._said.get(k) != v]
        self._said = values
        return changed

    def _measure(self, now: float) -> None:
        """Count what came a minute, weighted towards the latest: as mosquitto, exponentially."""
        passed = now - self._at
        if passed <= 0:
            return
        self._at = now
        for name, field in _LOADS.items():
            total: int = getattr(self._figures, field)
            rate = (total - self._before[name]) / passed * 60.0
            self._before[name] = total
            for span, seconds in _SPANS.items():
                weight = math.exp(-passed / seconds)
                self._loads[name, span] = rate + weight * (self._loads[name, span] - rate)

    def _values(self, now: float) -> Iterator[tuple[str, bytes]]:
        figures = self._figures
        numbers = {
            "clients/total": figures.sessions,
            "clients/connected": figures.connections,
            "clients/disconnected": figures.sessions - figures.connections,
            "clients/maximum": figures.connections_maximum,
            "messages/received": figures.messages_received,
            "messages/sent": figures.messages_sent,
            "publish/messages/received": figures.publish_received,
            "publish/messages/sent": figures.publish_sent,
            "publish/messages/dropped": figures.dropped.total(),
            "bytes/received": figures.bytes_received,
            "bytes/sent": figures.bytes_sent,
            "store/messages/count": figures.queued,
            "store/messages/bytes": figures.queued_bytes,
            "subscriptions/count": figures.subscriptions,
            "retained messages/count": figures.retained,
        }
        yield "$SYS/broker/version", f"iot-button version {self._version}".encode()
        yield "$SYS/broker/uptime", b"%d seconds" % max(0, now - figures.started_at)
        for name, number in numbers.items():
            yield f"$SYS/broker/{name}", b"%d" % max(0, number)
        for (name, span), load in self._loads.items():
            yield f"$SYS/broker/load/{name}/{span}", b"%.2f" % load
