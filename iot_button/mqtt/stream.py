"""The MQTT connection for many messages: driven by a loop of the caller's, on one thread.

paho connects, speaks TLS, subscribes, keeps alive and disconnects. PUBLISH and its acknowledgements
take a short path of ours: one read, all the packets in it, one write. (On the same machine paho
alone took 70-80 microseconds a message in and out, this path about 10.)

Exactly once: a message published at QoS 2 is the sender's until PUBREC, and then its packet id is
(MQTT 3.1.1, 4.3.3). Who keeps both on disk can carry on after a crash with `resume`.
"""

import functools
import logging
import socket
import threading
import time
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from iot_button import packets
from iot_button.errors import ACCOUNT_MEND
from iot_button.loop import READ, WRITE, Loop, Timer
from iot_button.messages import Delivery, Message, Session, Will
from iot_button.mqtt.backoff import Backoff
from iot_button.mqtt.client import new_client
from iot_button.mqtt.connecting import Connecting
from iot_button.mqtt.outbox import Outbox, Sent
from iot_button.mqtt.reader import Reader
from iot_button.mqtt.subscriptions import Subscriptions
from iot_button.mqtt.wire import Wire
from iot_button.settings import BrokerAddress

log = logging.getLogger(__name__)

Callback = Callable[[], None]
_CONNACK_TIMEOUT = 5.0
_CHECK_EVERY = 1.0


def _nothing() -> None:
    pass


class Stream:
    """A connection that comes back by itself, from `open` to `close`.

    All methods and callbacks are the loop's thread's. Nothing is written before the loop's end of
    turn calls `flush`: what has to be on disk before it is sent goes there first.

    Args:
        on_message: gets each message; the broker keeps it until `acknowledge`.
        on_change: gets True when the connection and all subscriptions stand, False when it is lost.
        session: KEPT or CLEAN: whether the broker keeps what came for us while we are away. What we
            have published is sent again in either case, until it is acknowledged.
        will: what the broker publishes when we go without a word.
        keep_alive: seconds of silence after which either side takes the other for gone.
        connecting: the places of streams that do not all connect at once; None: one of its own.
        account_mend: what is advised where the broker refuses us.
        on_waiting: called, perhaps several times a turn, when something waits for `flush`: for who
            has thousands of streams and flushes only those.
    """

    def __init__(
        self,
        loop: Loop,
        address: BrokerAddress,
        *,
        client_id: str,
        on_message: Callable[[Message], None],
        on_change: Callable[[bool], None],
        session: Session = Session.KEPT,
        will: Will | None = None,
        keep_alive: int = 30,
        connecting: Connecting | None = None,
        account_mend: str = ACCOUNT_MEND,
        on_waiting: Callback = _nothing,
    ) -> None:
        self.address = address
        self.problem = "no answer"
        self.is_ready = False
        self._loop = loop
        self._on_message = on_message
        self._on_change = on_change
        self._on_waiting = on_waiting
        self._connecting = connecting or Connecting()
        self._has_place = False
        self._check_every = max(_CHECK_EVERY, keep_alive / 4)
        self._subscriptions = Subscriptions(address)
        self._outbox = Outbox(self._write)
        self._connection_number = 0
        self._is_connected = False
        self._is_closing = False
        self._is_frozen = False
        self._wire: Wire | None = None
        self._opening: Wire | None = None
        self._interest = 0
        self._ready_by = 0.0
        self._backoff = Backoff(client_id)
        self._account_mend = account_mend
        self._reader: Reader | None = None
        self._timer: Timer | None = None
        self._client = self._new_client(client_id, session, will)
        self._client.connect_async(address.host, address.port, keep_alive)

    def open(self) -> None:
        """Begin to connect, or wait for a place to."""
        self._connecting.take(self._begin)

    def subscribe(self, topic_filter: str, *, is_needed: bool = True) -> None:
        """Subscribe at QoS 1, before `open`; again at each connection.

        A broker that refuses what is needed is tried again; of anything else it is only logged.
        """
        self._subscriptions.add(topic_filter, is_needed=is_needed)

    @property
    def outstanding(self) -> int:
        """How many of our messages the broker has not yet fully acknowledged."""
        return len(self._outbox)

    def next_packet_id(self) -> int:
        """Return a packet id for `publish_once`.

        Raises:
            IotButtonError: too many messages wait for the broker.
        """
        return self._outbox.next_packet_id()

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
        name = topic.encode()
        if qos:
            packet_id = self._outbox.next_packet_id()
            packet = packets.publish(name, payload, qos=1, packet_id=packet_id, retain=retain)
            self._outbox.send(Sent(packet, packet_id, on_acknowledged))
        else:
            self._write(packets.publish(name, payload, qos=0, packet_id=0, retain=retain))
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
        self._outbox.send(Sent(packet, packet_id, on_acknowledged, on_received))

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
        sent = Sent(packet, packet_id, on_acknowledged, on_received, is_released)
        self._outbox.keep(sent)

    def take_back(self) -> None:
        """Forget, while disconnected, what is not acknowledged: its callbacks never come."""
        self._outbox.clear()

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge a message, or do nothing where its connection is gone: it comes again."""
        if delivery.connection_number == self._connection_number and delivery.packet_id:
            self._write(packets.acknowledgement(packets.PUBACK, delivery.packet_id))

    def flush(self) -> None:
        """Write what was gathered in this turn."""
        wire = self._wire
        if wire is None or self._is_closing or self._is_frozen:
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
            if self.is_ready:
                self._backoff.left()
            self._lose(why)

    def freeze(self) -> None:
        """Read and write nothing until `thaw`, as a process that hangs."""
        self._is_frozen = True
        if self._wire is not None:
            self._interest = 0
            self._loop.unwatch(self._wire.fileno())

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._is_frozen = False
        self.flush()

    def close(self) -> None:
        """Say goodbye, so that no will is published; the session stays."""
        self._is_closing = True
        self._leave_place()
        if self._timer is not None:
            self._timer.cancel()
        wire = self._wire
        if wire is not None:
            self._client.disconnect()  # DISCONNECT goes into the wire; closing the wire sends it
            wire.close()
        elif self._opening is not None:  # its thread has not told us yet, and nobody may listen
            self._opening.abandon()

    # Connecting, on a thread of its own and then on the loop's.

    def _new_client(self, client_id: str, session: Session, will: Will | None) -> paho.Client:
        client = new_client(
            self.address,
            client_id,
            clean_session=session is not Session.KEPT,
            acknowledge_by_hand=True,
            will=will,
        )
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        return client

    def _begin(self) -> None:
        self._has_place = True
        if self._is_closing:
            self._leave_place()
        else:  # paho connects while it waits, so that is done on another thread
            try:
                threading.Thread(target=self._connect, name="connect", daemon=True).start()
            except RuntimeError as error:  # the system has no more threads for us at this moment
                self._not_connected(str(error))

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._connecting.leave()

    def _connect(self) -> None:
        try:
            self._client.reconnect()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._loop.call_from_thread(functools.partial(self._not_connected, problem))
        else:
            self._loop.call_from_thread(self._opened)

    def _socket_opened(self, client: paho.Client, _data: object, connection: object) -> None:
        assert isinstance(connection, socket.socket)  # noqa: S101 - what paho gives without a proxy
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The one private name of paho's that we use, watched by a test.
        client._sock = self._opening = Wire(connection)  # type: ignore[assignment]  # noqa: SLF001
        if self._is_closing:  # asked after the line above, as `close` asks in the other order
            self._opening.abandon()

    def _opened(self) -> None:
        if self._is_closing:
            self._client.disconnect()
            return
        self._wire = self._opening
        self._interest = 0
        self._reader = Reader(
            self._connection_number,
            on_message=self._take_message,
            on_acknowledgement=self._take_acknowledgement,
            on_other=self._hand_to_paho,
        )
        self._timer = self._loop.call_later(_CONNACK_TIMEOUT, self._no_connack)
        self.flush()

    def _not_connected(self, problem: str) -> None:
        self.problem = problem
        self._leave_place()
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
            log.warning(
                "the broker at %s refuses us (%s); trying again. %s",
                self.address,
                reason,
                self._account_mend,
            )
            return  # the broker closes, or the timer does
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_CHECK_EVERY, self._check)
        self._ready_by = time.monotonic() + _CONNACK_TIMEOUT
        self._is_connected = True
        self._outbox.send_all_again(session_present=flags.session_present)
        self._subscriptions.begin()
        self._subscribe_next()

    def _subscribed(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _more: object
    ) -> None:
        if not self._subscriptions.is_asking:
            return  # nothing was asked
        if refused := self._subscriptions.refused([code.value for code in codes]):
            self.problem = f"it refuses a subscription of ours ({', '.join(refused)})"
            log.error("%s: %s", self.address, self.problem)
            return
        self._subscribe_next()

    def _subscribe_next(self) -> None:
        if filters := self._subscriptions.next():
            self._client.subscribe([(topic_filter, 1) for topic_filter in filters])
        else:
            self._became_ready()

    def _became_ready(self) -> None:
        self.is_ready = True
        self._backoff.stands()
        self._leave_place()
        self._on_change(True)

    # Losing it.

    def _check(self) -> None:
        # paho pings when `keep_alive` is over: the broker waits half as long again (3.1.2.10).
        every = self._check_every if self.is_ready else _CHECK_EVERY
        self._timer = self._loop.call_later(every, self._check)
        if self._is_frozen:
            return
        if not self.is_ready and time.monotonic() > self._ready_by:
            self._lose(self.problem)  # a subscription was refused, or not answered: try again
        else:
            self._client.loop_misc()  # keep-alive
            self._on_waiting()

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
        self._leave_place()
        if self._is_closing:
            return
        if was_ready:
            self.problem = self._backoff.lost(self.problem)
            log.warning("lost the broker at %s (%s); trying again", self.address, self.problem)
            self._on_change(False)
        self._try_again()

    def _try_again(self) -> None:
        if self._is_closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._backoff.delay(), self.open)

    # The short path.

    def _ready_to_read(self) -> None:
        wire = self._wire
        if wire is None:
            return
        try:
            data = wire.read()
        except OSError as error:
            self._subscriptions.hung_up()
            self._lose(error.strerror or str(error))
            return
        if self._interest & WRITE:
            self._on_waiting()
        if data is None:
            return  # ready to write
        if not data:
            self._subscriptions.hung_up()
            self._lose("it closed the connection")
            return
        assert self._reader is not None  # noqa: S101 - made with the wire
        try:
            self._reader.feed(data)
        except ValueError as error:
            self._lose(f"it breaks the protocol: {error}")

    def _take_message(self, message: Message) -> None:
        try:
            self._on_message(message)
        except Exception:  # it stays unacknowledged; the packets behind it go on
            log.exception("an error while a message on %r was taken", message.topic)

    def _take_acknowledgement(self, kind: int, packet_id: int) -> None:
        try:
            self._outbox.take(kind, packet_id)
        except Exception:
            log.exception("an error after a message was acknowledged")

    def _hand_to_paho(self, packet: bytes) -> bool:
        wire = self._wire
        if wire is not None:
            wire.put_aside(packet)
            self._client.loop_read()
            self._on_waiting()
        return wire is self._wire

    def _write(self, packet: bytes) -> None:
        if self._is_connected and self._wire is not None:
            self._wire.write(packet)
            self._on_waiting()
