"""What we have published and the broker has not fully acknowledged, in order (MQTT 3.1.1, 4.3).

QoS 1: until its PUBACK. QoS 2: the message until its PUBREC, and then its packet id until PUBCOMP.
"""

from collections.abc import Callable
from dataclasses import dataclass

from iot_button import packets
from iot_button.errors import IotButtonError

Callback = Callable[[], None]
Write = Callable[[bytes], None]

_LAST_PACKET_ID = 65_535
_MOST = 60_000


@dataclass(slots=True)
class Sent:
    """One message. `packet` is what is sent again; `on_received` marks QoS 2."""

    packet: bytes
    packet_id: int
    on_acknowledged: Callback
    on_received: Callback | None = None
    is_released: bool = False


class Outbox:
    """The messages on their way. One thread's.

    Args:
        write: sends a packet, or does nothing while there is no connection.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._sent: dict[int, Sent] = {}
        self._last_packet_id = 0

    def __len__(self) -> int:
        return len(self._sent)

    def next_packet_id(self) -> int:
        """Return a packet id that no message uses at this moment.

        Raises:
            IotButtonError: too many messages wait for the broker.
        """
        if len(self._sent) >= _MOST:
            raise IotButtonError(f"{len(self._sent)} messages wait for the broker already")
        packet_id = self._last_packet_id
        while True:
            packet_id = packet_id % _LAST_PACKET_ID + 1
            if packet_id not in self._sent:
                self._last_packet_id = packet_id
                return packet_id

    def send(self, sent: Sent) -> None:
        """Send a message and keep it."""
        self.keep(sent)
        self._write(sent.packet)

    def keep(self, sent: Sent) -> None:
        """Keep a message that is to be sent at the next connection."""
        self._sent[sent.packet_id] = sent

    def clear(self) -> None:
        """Forget all messages; their callbacks are not called."""
        self._sent.clear()

    def send_all_again(self, *, session_present: bool) -> None:
        """Send everything again (4.4); from the start to a broker that has forgotten us."""
        for sent in self._sent.values():
            if not session_present:
                sent.is_released = False
                self._write(sent.packet)
            elif sent.is_released:
                self._write(packets.acknowledgement(packets.PUBREL, sent.packet_id))
            else:
                self._write(bytes([sent.packet[0] | packets.DUPLICATE]) + sent.packet[1:])

    def take(self, kind: int, packet_id: int) -> None:
        """Take a PUBACK, PUBREC or PUBCOMP."""
        sent = self._sent.get(packet_id)
        if kind == packets.PUBREC:
            # Also for one that we do not know: it is a repeat, of what is done (4.3.3).
            self._write(packets.acknowledgement(packets.PUBREL, packet_id))
            if sent is not None and sent.on_received is not None and not sent.is_released:
                sent.is_released = True
                sent.on_received()
        elif sent is not None and (kind == packets.PUBACK) == (sent.on_received is None):
            del self._sent[packet_id]
            sent.on_acknowledged()
