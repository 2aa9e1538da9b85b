"""The MQTT connection for many messages: driven by a loop of the caller's, on one thread.

paho connects, speaks TLS, subscribes, keeps alive and disconnects. PUBLISH and its acknowledgements
take a short path of ours: one read, all the packets in it, one write. (On the same machine paho
alone took 70-80 microseconds a message in and out, this path about 10.)

Exactly once: a message published at QoS 2 is the sender's until PUBREC, and then its packet id is
(MQTT 3.1.1, 4.3.3). Who keeps both on disk can carry on after a crash with `resume`.
"""

import logging
import time
from collections.abc import Callable, Sequence

from iot_button.errors import ACCOUNT_MEND
from iot_button.loop import READ, WRITE, Loop, Timer
from iot_button.messages import Delivery, Message, Session, Will
from iot_button.mqtt.backoff import Backoff
from iot_button.mqtt.connecting import Connecting
from iot_button.mqtt.outbox import Outbox, Sent, Terms
from iot_button.mqtt.paho_side import PahoSide
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
        is_5_tried: speak MQTT 5 with a broker that can, where the address allows it: for who has
            user properties to send or to read.
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
        is_5_tried: bool = False,
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
        self._keep_alive = keep_alive
        self._check_every = _CHECK_EVERY
        self._subscriptions = Subscriptions(address)
        self._outbox = Outbox(self._write)
        self._connection_number = 0
        self._is_connected = False
        self._is_closing = False
        self._is_frozen = False
        self._wire: Wire | None = None
        self._interest = 0
        self._ready_by = 0.0
        self._backoff = Backoff(client_id)
        self._account_mend = account_mend
        self._reader: Reader | None = None
        self._timer: Timer | None = None
        self._paho = PahoSide(
            loop,
            address,
            self,
            client_id=client_id,
            session=session,
            will=will,
            keep_alive=keep_alive,
            is_5_tried=is_5_tried,
        )

    def open(self) -> None:
        """Begin to connect, or wait for a place to."""
        self._connecting.take(self._begin)

    def subscribe(self, topic_filter: str, *, is_needed: bool = True) -> None:
        """Subscribe at QoS 1, before `open`; again at each connection.

        A broker that refuses what is needed is tried again; of anything else it is only logged.
        """
        self._subscriptions.add(topic_filter, is_needed=is_needed)

    @property
    def speaks_5(self) -> bool:
        """Whether MQTT 5 is spoken, or tried at this moment."""
        return self._paho.is_5

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
        properties: bytes = b"",
    ) -> None:
        """Publish at QoS 0 or 1; while disconnected, QoS 1 waits in memory and QoS 0 is lost.

        `on_acknowledged` is called once: at the PUBACK, or at once for QoS 0. `properties`: user
        properties, as `encoded` makes them; a broker of MQTT 3.1.1 gets the message without.
        """
        if qos:
            packet_id = self._outbox.next_packet_id()
            self._outbox.send(
                Sent(
                    topic, payload, packet_id, on_acknowledged, retain=retain, properties=properties
                )
            )
        else:
            self._outbox.send_unnumbered(topic, payload, retain=retain, properties=properties)
            on_acknowledged()

    def publish_once(
        self,
        topic: str,
        payload: bytes,
        *,
        packet_id: int,
        on_received: Callback,
        on_acknowledged: Callback,
        properties: bytes = b"",
    ) -> None:
        """Publish at QoS 2, under a packet id from `next_packet_id`.

        `on_received` is called at the PUBREC: from then on the message must not be sent again, only
        released. `on_acknowledged` at the PUBCOMP: it is done, and the packet id free.
        """
        sent = Sent(topic, payload, packet_id, on_acknowledged, on_received, properties=properties)
        self._outbox.send(sent)

    def resume(
        self,
        topic: str,
        payload: bytes,
        *,
        packet_id: int,
        is_released: bool,
        on_received: Callback,
        on_acknowledged: Callback,
        properties: bytes = b"",
    ) -> None:
        """Carry on, before `open`, with a QoS 2 message of the process before us."""
        sent = Sent(topic, payload, packet_id, on_acknowledged, on_received, properties=properties)
        sent.is_released = is_released
        self._outbox.keep(sent)

    def take_back(self) -> None:
        """Forget, while disconnected, what is not acknowledged: its callbacks never come."""
        self._outbox.clear()

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge a message, or do nothing where its connection is gone: it comes again."""
        if delivery.connection_number == self._connection_number and delivery.packet_id:
            self._outbox.acknowledge(delivery.packet_id)

    def flush(self) -> None:
        """Write what was gathered in this turn."""
        wire = self._wire
        if wire is None or self._is_closing or self._is_frozen:
            return
        self._paho.write_waiting()
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
        self._paho.close(self._wire)

    # Connecting. What `PahoSide` tells us is public by its form, and nobody else's to call.

    def _begin(self) -> None:
        self._has_place = True
        if self._is_closing:
            self._leave_place()
        else:
            self._paho.begin()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._connecting.leave()

    def opened(self, wire: Wire) -> None:
        """Wait for CONNACK."""
        self._wire = wire
        self._interest = 0
        self._reader = Reader(
            self._connection_number,
            on_message=self._take_message,
            on_acknowledgement=self._take_acknowledgement,
            on_other=self._hand_to_paho,
            is_5=self._paho.is_5,
        )
        self._timer = self._loop.call_later(_CONNACK_TIMEOUT, self._no_connack)
        self.flush()

    def not_opened(self, problem: str) -> None:
        """Try again later."""
        self.problem = problem
        self._leave_place()
        self._try_again(self._backoff.delay())

    def _no_connack(self) -> None:
        self._lose("it accepts connections and says nothing")

    def refused(self, reason: str) -> None:
        """Say so; the broker closes, or the timer does."""
        self.problem = f"it refuses us: {reason}"
        log.warning(
            "the broker at %s refuses us (%s); trying again. %s",
            self.address,
            reason,
            self._account_mend,
        )

    def connected(self, terms: Terms, *, session_present: bool) -> None:
        """Send what is not acknowledged, and subscribe."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_CHECK_EVERY, self._check)
        self._ready_by = time.monotonic() + _CONNACK_TIMEOUT
        keep_alive = self._keep_alive if terms.keep_alive is None else terms.keep_alive
        self._check_every = max(_CHECK_EVERY, keep_alive / 4)
        self._is_connected = True
        self._outbox.connected(terms, session_present=session_present)
        self._subscriptions.begin()
        self._subscribe_next()

    def subscribed(self, codes: Sequence[int]) -> None:
        """Go on with the next filters, or be ready."""
        if not self._subscriptions.is_asking:
            return  # nothing was asked
        if refused := self._subscriptions.refused(codes):
            self.problem = f"it refuses a subscription of ours ({', '.join(refused)})"
            log.error("%s: %s", self.address, self.problem)
            return
        self._subscribe_next()

    def _subscribe_next(self) -> None:
        if filters := self._subscriptions.next():
            self._paho.subscribe(filters)
        else:
            self._became_ready()

    def _became_ready(self) -> None:
        self.is_ready = True
        self._backoff.stands()
        self._leave_place()
        self._on_change(True)

    # Losing it.

    def _check(self) -> None:
        every = self._check_every if self.is_ready else _CHECK_EVERY
        self._timer = self._loop.call_later(every, self._check)
        if self._is_frozen:
            return
        if not self.is_ready and time.monotonic() > self._ready_by:
            self._lose(self.problem)  # a subscription was refused, or not answered: try again
        else:
            self._paho.keep_alive()
            self._outbox.try_again()
            self._on_waiting()

    def _lose(self, problem: str) -> None:
        if self._wire is not None:
            self.problem = problem
            self._wire.cut()
            self._paho.read()

    def closed(self, problem: str | None, *, is_other_tried: bool) -> None:
        """Begin anew."""
        if problem is not None:
            self.problem = problem
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
        self._try_again(0.0 if is_other_tried else self._backoff.delay())

    def _try_again(self, delay: float) -> None:
        if self._is_closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self.open)

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

    def _take_acknowledgement(self, kind: int, packet_id: int, reason: int) -> None:
        try:
            self._outbox.take(kind, packet_id, reason)
        except Exception:
            log.exception("an error after a message was acknowledged")

    def _hand_to_paho(self, packet: bytes) -> bool:
        wire = self._wire
        if wire is not None:
            wire.put_aside(packet)
            self._paho.read()
            self._on_waiting()
        return wire is self._wire

    def _write(self, packet: bytes) -> None:
        if self._is_connected and self._wire is not None:
            self._wire.write(packet)
            self._on_waiting()
