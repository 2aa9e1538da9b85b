"""The MQTT connection for many messages: driven by a loop of the caller's, on one thread.

paho connects, speaks TLS, subscribes, keeps alive and disconnects. PUBLISH and its acknowledgements
take a short path of ours: one read, all the packets in it, one write. (On the same machine paho
alone took 70-80 microseconds a message in and out, this path about 10.)

Exactly once: a message published at QoS 2 is the sender's until PUBREC, and then its packet id is
(MQTT 3.1.1, 4.3.3). Who keeps both on disk can carry on after a crash with `resume`.
"""

import functools
import logging
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from iot_button.errors import IotButtonError
from iot_button.loop import READ, WRITE, Loop, Timer
from iot_button.messages import Delivery, Message
from iot_button.mqtt import packets
from iot_button.mqtt.client import RECONNECT_LATEST, RECONNECT_SOONEST, new_client
from iot_button.mqtt.wire import Wire
from iot_button.settings import BrokerAddress

log = logging.getLogger(__name__)

Callback = Callable[[], None]
_LAST_PACKET_ID = 65_535
_MOST_OUTSTANDING = 60_000
_CONNACK_TIMEOUT = 5.0
_CHECK_EVERY = 1.0
_REFUSED = 0x80  # SUBACK's failure code, 3.9.3
_KNOWN_TOPICS = 4096


@dataclass(slots=True)
class _Sent:
    """A message that the broker has not fully acknowledged; `packet` is what is sent again."""

    packet: bytes
    packet_id: int
    on_received: Callback | None
    on_acknowledged: Callback
    is_released: bool = False


class Stream:
    """A connection with a kept session that comes back by itself, from `open` to `close`.

    All methods and callbacks are the loop's thread's. Nothing is written before the loop's end of
    turn calls `flush`: what has to be on disk before it is sent goes there first.

    Args:
        on_message: gets each message; the broker keeps it until `acknowledge`.
        on_change: gets True when the connection and all subscriptions stand, False when it is lost.
        keep_alive: seconds of silence after which either side takes the other for gone.
    """

    def __init__(
        self,
        loop: Loop,
        address: BrokerAddress,
        *,
        client_id: str,
        on_message: Callable[[Message], None],
        on_change: Callable[[bool], None],
        keep_alive: int = 30,
    ) -> None:
        self.address = address
        self.problem = "no answer"
        self.is_ready = False
        self._loop = loop
        self._on_message = on_message
        self._on_change = on_change
        self._filters: list[str] = []
        self._sent: dict[int, _Sent] = {}
        self._last_packet_id = 0
        self._connection_number = 0
        self._is_connected = False
        self._is_closing = False
        self._wire: Wire | None = None
        self._interest = 0
        self._rest = bytearray()
        self._needed = 0
        self._failures = 0
        self._timer: Timer | None = None
        self._topics: dict[bytes, str] = {}
        self._client = self._new_client(client_id)
        self._client.connect_async(address.host, address.port, keep_alive)

    def open(self) -> None:
        """Begin to connect. paho connects while it waits, so that is done on another thread."""
        threading.Thread(target=self._connect, name="connect", daemon=True).start()

    def subscribe(self, topic_filter: str) -> None:
        """Subscribe at QoS 1, before `open`; again at each connection."""
        self._filters.append(topic_filter)

    @property
    def outstanding(self) -> int:
        """How many of our messages the broker has not yet fully acknowledged."""
        return len(self._sent)

    def next_packet_id(self) -> int:
        """Return a packet id that no message of ours uses at this moment.

        Raises:
            IotButtonError: too many messages wait for the broker.
        """
        if len(self._sent) >= _MOST_OUTSTANDING:
            raise IotButtonError(f"{len(self._sent)} messages wait for {self.address} already")
        packet_id = self._last_packet_id
        while True:
            packet_id = packet_id % _LAST_PACKET_ID + 1
            if packet_id not in self._sent:
                self._last_packet_id = packet_id
                return packet_id

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        on_acknowledged: Callback,
        qos: int = 1,
        retain: bool = False,
    ) -> None:
        """Publish at QoS 0 or 1; while disconnected, QoS 1 waits in memory and QoS 0 is lost.

        `on_acknowledged` is called once: at the PUBACK, or at once for QoS 0.
        """
        packet_id = self.next_packet_id() if qos else 0
        packet = packets.publish(
            topic.encode(), payload, qos=qos, packet_id=packet_id, retain=retain
        )
        if qos:
            self._sent[packet_id] = _Sent(packet, packet_id, None, on_acknowledged)
        if self._is_connected and self._wire is not None:
            self._wire.write(packet)
        if not qos:
            on_acknowledged()

    def publish_once(
        self,
        topic: str,
        payload: bytes,
        *,
        packet_id: int,
        on_received: Callback,
        on_acknowledged: Callback,
    ) -> None:
        """Publish at QoS 2, under a packet id from `next_packet_id`.

        `on_received` is called at the PUBREC: from then on the message must not be sent again, only
        released. `on_acknowledged` at the PUBCOMP: it is done, and the packet id free.
        """
        packet = packets.publish(topic.encode(), payload, qos=2, packet_id=packet_id)
        self._sent[packet_id] = _Sent(packet, packet_id, on_received, on_acknowledged)
        if self._is_connected and self._wire is not None:
            self._wire.write(packet)

    def resume(
        self,
        topic: str,
        payload: bytes,
        *,
        packet_id: int,
        is_released: bool,
        on_received: Callback,
        on_acknowledged: Callback,
    ) -> None:
        """Carry on, before `open`, with a QoS 2 message of the process before us."""
        packet = packets.publish(topic.encode(), payload, qos=2, packet_id=packet_id)
        self._sent[packet_id] = _Sent(packet, packet_id, on_received, on_acknowledged, is_released)

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge a message, or do nothing where its connection is gone: it comes again."""
        if delivery.connection_number == self._connection_number and delivery.packet_id:
            assert self._wire is not None  # noqa: S101 - it is this connection's
            self._wire.write(packets.acknowledgement(packets.PUBACK, delivery.packet_id))

    def flush(self) -> None:
        """Write what was gathered in this turn."""
        wire = self._wire
        if wire is None or self._is_closing:
            return
        if self._client.want_write():  # what paho sends from inside a callback waits until now
            self._client.loop_write()
        try:
            is_done = wire.flush()
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        interest = READ if is_done else READ | WRITE
        if interest != self._interest:
            self._interest = interest
            self._loop.watch(wire.fileno(), interest, self._ready_to_read)

    def reconnect(self, why: str) -> None:
        """Drop this connection, which has gone silent, for a new one."""
        if self._wire is not None:
            self._lose(why)

    def close(self) -> None:
        """Say goodbye, so that no will is published; the session stays."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        wire = self._wire
        if wire is not None:
            self._client.disconnect()  # DISCONNECT goes into the wire; closing the wire sends it
            wire.close()

    # Connecting, on a thread of its own and then on the loop's.

    def _new_client(self, client_id: str) -> paho.Client:
        client = new_client(self.address, client_id, clean_session=False, acknowledge_by_hand=True)
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        return client

    def _connect(self) -> None:
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error)
            self._loop.call_from_thread(functools.partial(self._not_connected, problem))
        else:
            self._loop.call_from_thread(self._opened)

    def _socket_opened(self, client: paho.Client, _data: object, connection: object) -> None:
        assert isinstance(connection, socket.socket)  # noqa: S101 - what paho gives without a proxy
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The one private name of paho's that we use, watched by a test.
        client._sock = self._wire = Wire(connection)  # type: ignore[assignment]  # noqa: SLF001

    def _opened(self) -> None:
        if self._is_closing:
            return
        self._rest.clear()
        self._needed = self._interest = 0
        self._timer = self._loop.call_later(_CONNACK_TIMEOUT, self._no_connack)
        self.flush()

    def _not_connected(self, problem: str) -> None:
        self.problem = problem
        self._try_again()

    def _no_connack(self) -> None:
        self._lose("it accepts connections and says nothing")

    def _connected(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _more: object,
    ) -> None:
        if reason.is_failure:
            self.problem = f"it refuses us: {reason}"
            log.warning("the broker at %s refuses us (%s); trying again", self.address, reason)
            return  # the broker closes, or the timer does
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_CHECK_EVERY, self._check)
        self._connection_number += 1
        self._is_connected = True
        self._send_again(session_present=flags.session_present)
        if self._filters:
            self._client.subscribe([(topic_filter, 1) for topic_filter in self._filters])
        else:
            self._became_ready()

    def _send_again(self, *, session_present: bool) -> None:
        """Send what is outstanding, in order (4.4); from the start if the broker forgot us."""
        assert self._wire is not None  # noqa: S101 - a CONNACK has come on it
        for sent in self._sent.values():
            if not session_present:
                sent.is_released = False
                self._wire.write(sent.packet)
            elif sent.is_released:
                self._wire.write(packets.acknowledgement(packets.PUBREL, sent.packet_id))
            else:
                self._wire.write(bytes([sent.packet[0] | packets.DUPLICATE]) + sent.packet[1:])

    def _subscribed(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _more: object
    ) -> None:
        if any(code.value >= _REFUSED for code in codes):
            self.problem = f"it refuses a subscription of ours ({', '.join(self._filters)})"
            log.error("%s: %s", self.address, self.problem)
            return
        self._became_ready()

    def _became_ready(self) -> None:
        self._failures = 0
        self.is_ready = True
        self._on_change(True)

    # Losing it.

    def _check(self) -> None:
        self._timer = self._loop.call_later(_CHECK_EVERY, self._check)
        self._client.loop_misc()  # keep-alive

    def _lose(self, problem: str) -> None:
        if self._wire is not None:
            self.problem = problem
            self._wire.cut()
            self._client.loop_read()

    def _socket_closing(self, _client: paho.Client, _data: object, _socket: object) -> None:
        if self._wire is not None and self._wire.fileno() >= 0:
            self._loop.unwatch(self._wire.fileno())

    def _disconnected(
        self, _client: paho.Client, _data: object, _flags: object, _reason: object, _more: object
    ) -> None:
        self._wire = None
        # From now on, not from the next CONNACK: no old acknowledgement may go out behind CONNECT.
        self._connection_number += 1
        self._is_connected = False
        was_ready, self.is_ready = self.is_ready, False
        if self._is_closing:
            return
        if was_ready:
            log.warning("lost the broker at %s (%s); trying again", self.address, self.problem)
            self._on_change(False)
        self._try_again()

    def _try_again(self) -> None:
        if self._is_closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        # Not all clients of a broker that comes back should come back in the same moment.
        jitter = random.uniform(0.75, 1.5)  # noqa: S311 - no secret
        delay = min(RECONNECT_LATEST, RECONNECT_SOONEST * 2**self._failures) * jitter
        self._failures = min(self._failures + 1, 10)
        self._timer = self._loop.call_later(delay, self.open)

    # The short path.

    def _ready_to_read(self) -> None:
        wire = self._wire
        if wire is None:
            return
        try:
            data = wire.read()
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if data is None:
            return  # ready to write; `flush` comes at the end of the turn
        if not data:
            self._lose("it closed the connection")
            return
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
        try:
            self._take_packets(wire, data)
        except ValueError as error:
            self._lose(f"it breaks the protocol: {error}")

    def _take_packets(self, wire: Wire, data: bytes) -> None:
        """Handle every whole packet, and keep what is left for the next read."""
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
            kind = data[position] & 0xF0
            if kind == packets.PUBLISH:
                self._take_message(data, data[position], start, stop)
            elif kind in (packets.PUBACK, packets.PUBREC, packets.PUBCOMP):
                self._take_acknowledgement(kind, data[start] << 8 | data[start + 1])
            else:
                wire.put_aside(data[position:stop])
                self._client.loop_read()
                if self._wire is not wire:
                    return  # that packet ended the connection
            position = stop
        self._rest = bytearray(data[position:])

    def _take_message(self, data: bytes, header: int, start: int, stop: int) -> None:
        payload_at = start + 2 + (data[start] << 8 | data[start + 1])
        name = data[start + 2 : payload_at]
        topic = self._topics.get(name)
        if topic is None:
            topic = name.decode()
            if len(self._topics) < _KNOWN_TOPICS:
                self._topics[name] = topic
        qos = header >> 1 & 3
        packet_id = 0
        if qos:
            packet_id = data[payload_at] << 8 | data[payload_at + 1]
            payload_at += 2
        message = Message(
            topic,
            data[payload_at:stop],
            qos,
            bool(header & packets.RETAIN),
            bool(header & packets.DUPLICATE),
            Delivery(self._connection_number, packet_id),
        )
        try:
            self._on_message(message)
        except Exception:  # it stays unacknowledged; the packets behind it go on
            log.exception("an error while a message on %r was taken", topic)

    def _take_acknowledgement(self, kind: int, packet_id: int) -> None:
        sent = self._sent.get(packet_id)
        if kind == packets.PUBREC:
            assert self._wire is not None  # noqa: S101 - it came on it
            # Also for one that we do not know: a repeat of what is done (4.3.3).
            self._wire.write(packets.acknowledgement(packets.PUBREL, packet_id))
            if sent is not None and not sent.is_released:
                sent.is_released = True
                if sent.on_received is not None:
                    sent.on_received()
            return
        if sent is not None and (kind == packets.PUBACK) == (sent.on_received is None):
            del self._sent[packet_id]
            sent.on_acknowledged()
