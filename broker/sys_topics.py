"""`$SYS` topics of our own broker, as mosquitto has them (mosquitto(8), Broker Status)."""

import math
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from broker.figures import Figures

_ROOT: Final = "$SYS/broker/"
_COUNTS: Final[dict[str, Callable[[Figures], int]]] = {
    "clients/total": lambda figures: figures.sessions,
    "clients/connected": lambda figures: figures.connections,
    "clients/disconnected": lambda figures: figures.sessions - figures.connections,
    "clients/maximum": lambda figures: figures.connections_maximum,
    "messages/received": lambda figures: figures.messages_received,
    "messages/sent": lambda figures: figures.messages_sent,
    "publish/messages/received": lambda figures: figures.publish_received,
    "publish/messages/sent": lambda figures: figures.publish_sent,
    "publish/messages/dropped": lambda figures: figures.dropped.total(),
    "bytes/received": lambda figures: figures.bytes_received,
    "bytes/sent": lambda figures: figures.bytes_sent,
    "store/messages/count": lambda figures: figures.queued,
    "store/messages/bytes": lambda figures: figures.queued_bytes,
    "subscriptions/count": lambda figures: figures.subscriptions,
    "retained messages/count": lambda figures: figures.retained,
}
_OLD_NAMES: Final = {
    "clients/active": "clients/connected",
    "clients/inactive": "clients/disconnected",
    "messages/stored": "store/messages/count",
}
"""mosquitto 2.0 has these beside the new ones, and calls them deprecated."""
_LOADS: Final[dict[str, Callable[[Figures], int]]] = {
    "messages/received": _COUNTS["messages/received"],
    "messages/sent": _COUNTS["messages/sent"],
    "publish/received": _COUNTS["publish/messages/received"],
    "publish/sent": _COUNTS["publish/messages/sent"],
    "publish/dropped": _COUNTS["publish/messages/dropped"],
    "bytes/received": _COUNTS["bytes/received"],
    "bytes/sent": _COUNTS["bytes/sent"],
    # We count a connection when it is made, whether or not a CONNECT follows.
    "connections": lambda figures: figures.connections_total,
    "sockets": lambda figures: figures.connections_total,
}
_SPANS: Final = {"1min": 60.0, "5min": 300.0, "15min": 900.0}


def counts(figures: Figures) -> dict[str, bytes]:
    """Return topics and payloads of all that is no mean over time."""
    numbers = {name: max(0, count(figures)) for name, count in _COUNTS.items()}
    numbers |= {old: numbers[name] for old, name in _OLD_NAMES.items()}
    return {_ROOT + name: b"%d" % number for name, number in numbers.items()}


class SysTopics:
    """Figures as messages: retained, QoS 0. Made when the broker starts.

    Args:
        figures: what the broker counts in.
        clock: seconds since any moment. Not the time of day: a Raspberry Pi begins in the past,
            and jumps by years when it has found the network.
    """

    def __init__(self, figures: Figures, clock: Callable[[], float] = time.monotonic) -> None:
        self._figures = figures
        self._clock = clock
        self._said: dict[str, bytes] = {}
        self._before = dict.fromkeys(_LOADS, 0)
        self._loads = {(name, span): 0.0 for name in _LOADS for span in _SPANS}
        self._started_at = self._at = clock()
        self._version = version("iot-button")  # read now: later, files may all be taken

    def changes(self) -> list[tuple[str, bytes]]:
        """Return topics and payloads that are not as they were at the last call."""
        now = self._clock()
        self._measure(now)
        values = {
            f"{_ROOT}version": f"iot-button version {self._version}".encode(),
            f"{_ROOT}uptime": b"%d seconds" % (now - self._started_at),
            **counts(self._figures),
        }
        for (name, span), load in self._loads.items():
            values[f"{_ROOT}load/{name}/{span}"] = b"%.2f" % load
        changed = [(k, v) for k, v in values.items() if self._said.get(k) != v]
        self._said = values
        return changed

    def _measure(self, now: float) -> None:
        """Count what came a minute, weighted towards the latest: as mosquitto, exponentially."""
        passed = now - self._at
        if passed <= 0:
            return
        self._at = now
        for name, count in _LOADS.items():
            total = count(self._figures)
            rate = (total - self._before[name]) / passed * 60.0
            self._before[name] = total
            for span, seconds in _SPANS.items():
                weight = math.exp(-passed / seconds)
                self._loads[name, span] = rate + weight * (self._loads[name, span] - rate)
