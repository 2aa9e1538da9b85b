"""What mosquitto counts, read from its `$SYS` topics (mosquitto(8), Broker Status)."""

from typing import Final, Self

from broker.figures import Figures
from iot_button.messages import Message
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress

_FIELDS: Final = {
    "clients/connected": "connections",
    "clients/maximum": "connections_maximum",
    "clients/total": "sessions",
    "subscriptions/count": "subscriptions",
    "retained messages/count": "retained",
    "store/messages/count": "queued",
    "store/messages/bytes": "queued_bytes",
    "messages/received": "messages_received",
    "messages/sent": "messages_sent",
    "publish/messages/received": "publish_received",
    "publish/messages/sent": "publish_sent",
    "bytes/received": "bytes_received",
    "bytes/sent": "bytes_sent",
}


class MosquittoFigures:
    """Keeps figures up to date while mosquitto runs. It tells them each 10 s, and no reasons.

    Of connections made it tells none; what it calls stored messages holds retained ones too.

    Args:
        address: of the mosquitto, with an account that may read `$SYS`.
        client_id: to connect with.
    """

    def __init__(self, address: BrokerAddress, *, client_id: str) -> None:
        self.figures = Figures()
        self._connection = Connection(address, client_id=client_id, on_message=self._on_message)

    def __enter__(self) -> Self:
        self._connection.subscribe("$SYS/broker/#", qos=0)
        self._connection.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.__exit__(*error)

    def _on_message(self, message: Message) -> None:
        name = message.topic.removeprefix("$SYS/broker/")
        field, payload = _FIELDS.get(name), bytes(message.payload)
        if field is not None and payload.isdigit():
            setattr(self.figures, field, int(payload))
        elif name == "publish/messages/dropped" and payload.isdigit():
            self.figures.dropped["queue full"] = int(payload)
