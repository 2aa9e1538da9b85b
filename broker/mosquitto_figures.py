"""What mosquitto counts, read from its `$SYS` topics (mosquitto(8), Broker Status)."""

import time
from typing import Final, Self

from broker.figures import Figures
from iot_button.messages import Message
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress

UNTOLD: Final = frozenset({"connections_total", "queued_bytes", "refused"})
"""What mosquitto does not tell. Its bytes of stored messages are those of retained ones, too."""
_FIELDS: Final = {
    "clients/connected": "connections",
    "clients/maximum": "connections_maximum",
    "clients/total": "sessions",
    "subscriptions/count": "subscriptions",
    "messages/received": "messages_received",
    "messages/sent": "messages_sent",
    "publish/messages/received": "publish_received",
    "publish/messages/sent": "publish_sent",
    "bytes/received": "bytes_received",
    "bytes/sent": "bytes_sent",
}
_ANOTHER_START: Final = 15.0
"""Seconds between two starts that are told apart: mosquitto tells its uptime each 10 s."""


class MosquittoFigures:
    """Keeps figures up to date while mosquitto runs. It tells them each 10 s, and no reasons.

    A message that waits for several clients is counted once, other than in our own broker.

    Args:
        address: of the mosquitto, with an account that may read `$SYS`.
        client_id: to connect with.
    """

    def __init__(self, address: BrokerAddress, *, client_id: str) -> None:
        self.figures = Figures()
        self._stored = 0
        self._connection = Connection(address, client_id=client_id, on_message=self._on_message)

    def __enter__(self) -> Self:
        self._connection.subscribe("$SYS/broker/#", qos=0)
        self._connection.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.__exit__(*error)

    def _on_message(self, message: Message) -> None:
        name = message.topic.removeprefix("$SYS/broker/")
        number = bytes(message.payload).removesuffix(b" seconds")
        if not number.isdigit() or len(number) > 18:
            return
        self._take(name, int(number))

    def _take(self, name: str, number: int) -> None:
        figures = self.figures
        if name in _FIELDS:
            setattr(figures, _FIELDS[name], number)
        elif name == "publish/messages/dropped":
            figures.dropped["queue full"] = number
        elif name == "store/messages/count":
            self._stored = number
        elif name == "retained messages/count":
            figures.retained = number
        elif name == "uptime":
            started_at = time.time() - number
            if abs(started_at - figures.started_at) > _ANOTHER_START:
                figures.started_at = started_at
        # What is stored are the retained messages, and those that wait (seen with 2.0.11).
        figures.queued = max(0, self._stored - figures.retained)
