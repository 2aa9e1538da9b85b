"""From bytes to packets: messages and acknowledgements go a short way, the rest goes to paho."""

from collections.abc import Callable

from iot_button import packets
from iot_button.messages import Delivery, Message
from iot_button.properties import span

_KNOWN_TOPICS = 4096


class Reader:
    """Takes what one connection reads, in pieces of any size.

    Args:
        connection_number: of the connection, for the deliveries.
        on_message: gets each message.
        on_acknowledgement: gets kind, packet id and reason code, which is 0 at MQTT 3.1.1.
        on_other: gets any other packet; returns False when that has ended the connection.
        is_5: whether MQTT 5 is spoken.
    """

    def __init__(
        self,
        connection_number: int,
        *,
        on_message: Callable[[Message], None],
        on_acknowledgement: Callable[[int, int, int], None],
        on_other: Callable[[bytes], bool],
        is_5: bool = False,
    ) -> None:
        self.connection_number = connection_number
        self._is_5 = is_5
        self._on_message = on_message
        self._on_acknowledgement = on_acknowledgement
        self._on_other = on_other
        self._rest = bytearray()
        self._needed = 0
        self._topics: dict[bytes, str] = {}

    def feed(self, data: bytes) -> None:
        """Take bytes, and hand on every whole packet; what is left waits for more.

        Raises:
            ValueError: they break the protocol.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
        position, end, self._needed = 0, len(data), 0
        while end - position >= 2:
            start, length = position + 2, data[position + 1]
            if length < 128:  # most packets: 1 byte of length
                stop = start + length
            elif (body := packets.frame_at(data, position)) is not None:
                start, stop = body
            else:
                break
            if stop > end:
                self._needed = stop - position
                break
            if not self._take(data, position, start, stop):
                return
            position = stop
        self._rest = bytearray(data[position:])

    def _take(self, data: bytes, position: int, start: int, stop: int) -> bool:
        header = data[position]
        kind = header & 0xF0
        if kind == packets.PUBLISH:
            self._on_message(self._message(data, header, start, stop))
        elif kind in (packets.PUBACK, packets.PUBREC, packets.PUBCOMP):
            if stop - start < 2:
                raise ValueError("an acknowledgement without a packet id")
            reason = data[start + 2] if stop - start > 2 and self._is_5 else 0
            self._on_acknowledgement(kind, data[start] << 8 | data[start + 1], reason)
        else:
            return self._on_other(data[position:stop])
        return True

    def _message(self, data: bytes, header: int, start: int, stop: int) -> Message:
        qos = header >> 1 & 3
        payload_at = start + 2 + (data[start] << 8 | data[start + 1]) if stop - start >= 2 else stop
        packet_id = 0
        name = data[start + 2 : payload_at]
        if qos:
            if payload_at + 2 > stop:
                raise ValueError("a message shorter than its topic")
            packet_id = data[payload_at] << 8 | data[payload_at + 1]
            payload_at += 2
        elif payload_at > stop:
            raise ValueError("a message shorter than its topic")
        properties = b""
        if self._is_5:
            if payload_at < stop and not data[payload_at]:  # most have none
                payload_at += 1
            else:
                begin, payload_at = span(data, payload_at, stop)
                properties = data[begin:payload_at]
        return Message(
            self._topic(name),
            data[payload_at:stop],
            qos,
            bool(header & packets.RETAIN),
            bool(header & packets.DUPLICATE),
            Delivery(self.connection_number, packet_id),
            properties,
        )

    def _topic(self, name: bytes) -> str:
        topic = self._topics.get(name)
        if topic is None:
            topic = name.decode()
            if len(self._topics) < _KNOWN_TOPICS:
                self._topics[name] = topic
        return topic
