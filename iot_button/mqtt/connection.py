"""The MQTT connection with a thread of its own.

MQTT 3.1.1, because the embedded broker speaks nothing newer. A connection comes back by itself for
ever; its subscriptions come back with it. paho's errors stop here.

Every callback runs on the connection's own thread, one at a time, and may publish and acknowledge
(`publish` names its one exception). No callback may wait for a lock that is held around `publish`:
paho holds one of its own meanwhile.
An error that it raises is logged, and the connection lives on: paho's own thread would end.
"""

import contextlib
import logging
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from iot_button.errors import ACCOUNT_MEND, BrokerUnreachableError, IotButtonError
from iot_button.messages import Delivery, Message, Session
from iot_button.mqtt.client import RECONNECT_LATEST, RECONNECT_SOONEST, new_client
from iot_button.outstanding import Outstanding
from iot_button.settings import BrokerAddress

log = logging.getLogger(__name__)

STOP_TIMEOUT = 1.0
_REFUSED = 0x80  # SUBACK's failure code, MQTT 3.1.1 section 3.9.3


class Connection:
    """A connection to a broker that comes back by itself, from `with` to the end of its block.

    Args:
        address: where the broker is.
        client_id: names the session at the broker. It is not a serial number.
        session: how long the broker keeps the session.
        on_message: gets each message.
        acknowledge_by_hand: the broker keeps each message until `acknowledge`, and sends it again
            after a lost connection; otherwise it is acknowledged when `on_message` has returned.
        on_change: gets True when the connection and all subscriptions stand, False when it is lost,
            but not when we leave.
        keep_alive: seconds of silence after which either side takes the other for gone.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        session: Session = Session.CLEAN,
        on_message: Callable[[Message], None] | None = None,
        acknowledge_by_hand: bool = False,
        on_change: Callable[[bool], None] | None = None,
        keep_alive: int = 30,
    ) -> None:
        self.address = address
        self.client_id = client_id
        self._session = session
        self._on_message = on_message
        self._on_change = on_change
        self._keep_alive = keep_alive
        self._filters: dict[str, int] = {}
        self._pending_subacks: set[int] = set()
        # Held while a SUBSCRIBE is sent: its SUBACK may be here before its packet id is noted.
        self._subscribing = threading.Lock()
        self._ready = threading.Event()
        self._socket_closed = threading.Event()
        self._problem = "no answer"
        self._connection_number = 0
        self._outstanding = Outstanding()
        self._client = self._new_client(acknowledge_by_hand=acknowledge_by_hand)

    def __enter__(self) -> Self:
        self._client.connect_async(self.address.host, self.address.port, self._keep_alive)
        self._client.loop_start()
        return self

    def __exit__(self, *_error: object) -> None:
        was_ready = self._ready.is_set()
        self._on_change = None  # that we leave is no news to us
        if self._client.disconnect() == paho.MQTT_ERR_SUCCESS:
            self._cut_off_after(STOP_TIMEOUT)
        self._client.loop_stop()
        # Otherwise paho closes its wake-up sockets only when it is garbage collected.
        self._client.reinitialise()
        if self._session is Session.UNTIL_STOP and was_ready:
            self._delete_session()

    def subscribe(self, topic_filter: str, *, qos: int = 1) -> None:
        """Subscribe now, and again after each reconnect; `wait_ready` waits for the SUBACK."""
        self._filters[topic_filter] = qos
        if self._client.is_connected():
            self._ready.clear()
            self._send_subscriptions({topic_filter: qos})

    def wait_ready(self, timeout: float, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until connected and subscribed, or until `unless` says not to.

        Raises:
            BrokerUnreachableError: when that has not come about within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self._ready.wait(min(0.1, max(0.0, deadline - time.monotonic()))):
            if unless():
                return
            if time.monotonic() >= deadline:
                raise BrokerUnreachableError(str(self.address), self._problem)

    @property
    def is_ready(self) -> bool:
        """Whether the connection and all its subscriptions stand at this moment."""
        return self._ready.is_set()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        on_acknowledged: Callable[[], None] | None = None,
    ) -> None:
        """Publish. While disconnected the message waits in memory.

        Waiting messages are sent in order, but what is published in the very moment of connecting
        can go ahead of them.

        `on_acknowledged` is called once, when the broker has acknowledged the message (PUBACK): on
        the connection's thread, or from here when the broker was quicker than this method.

        Raises:
            IotButtonError: when the next packet id still waits: MQTT has 65,535 of them.
        """
        information = self._client.publish(topic, payload, qos, retain)
        if information.rc == paho.MQTT_ERR_QUEUE_SIZE:
            raise IotButtonError(f"{self.outstanding} messages wait for {self.address} already")
        self._outstanding.add(information.mid, on_acknowledged or _nothing)

    @property
    def outstanding(self) -> int:
        """How many of our messages the broker has not yet acknowledged."""
        return len(self._outstanding)

    def drain(self, timeout: float) -> None:
        """Wait until all that we published is acknowledged, and its callbacks have returned.

        Raises:
            StopTimeoutError: when some are still outstanding after `timeout` seconds.
        """
        self._outstanding.wait(timeout)

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge a message to the broker, or do nothing where its connection is gone.

        After a lost connection the broker sends the message again, and its packet id may by then
        name another message: the old delivery must not be acknowledged on the new connection.
        """
        # Packet id 0: a QoS 0 message. Nothing waits, and mosquitto hangs up on such a PUBACK.
        if delivery.connection_number == self._connection_number and delivery.packet_id != 0:
            self._client.ack(delivery.packet_id, 1)

    def _new_client(self, *, acknowledge_by_hand: bool) -> paho.Client:
        client = new_client(
            self.address,
            self.client_id,
            clean_session=self._session is Session.CLEAN,
            acknowledge_by_hand=acknowledge_by_hand,
        )
        # Not all clients of a broker that comes back should come back in the same moment.
        soonest = RECONNECT_SOONEST * random.uniform(0.75, 1.5)  # noqa: S311 - jitter, no secret
        client.reconnect_delay_set(soonest, RECONNECT_LATEST)  # type: ignore[arg-type]  # takes floats
        client.on_socket_open = self._socket_opened
        client.on_socket_close = lambda *_: self._socket_closed.set()
        client.on_connect = self._guarded(self._connected)
        client.on_connect_fail = self._guarded(self._not_connected)
        client.on_disconnect = self._guarded(self._lost)
        client.on_subscribe = self._guarded(self._subscribed)
        client.on_publish = self._guarded(self._published)
        client.on_message = self._guarded(self._received)
        return client

    def _delete_session(self) -> None:
        """Connect once more with a clean session, which deletes the kept one (3.1.2.4)."""
        client = new_client(self.address, self.client_id, clean_session=True, timeout=STOP_TIMEOUT)
        with contextlib.suppress(OSError):
            client.connect(self.address.host, self.address.port, self._keep_alive)
            deadline = time.monotonic() + STOP_TIMEOUT
            while not client.is_connected() and time.monotonic() < deadline:
                client.loop(0.1)
            client.disconnect()

    @staticmethod
    def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
        def guarded(*arguments: object) -> None:
            try:
                callback(*arguments)
            except (Exception, SystemExit):
                log.exception("an error in a callback; the connection goes on")

        return guarded

    def _socket_opened(self, _client: paho.Client, _data: Any, connection: Any) -> None:
        self._socket_closed.clear()
        # Nagle's algorithm against delayed acknowledgements costs 44 ms a message (measured on
        # loopback with mosquitto: 1.2-4 k messages/s without this line, 13 k with it).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _cut_off_after(self, timeout: float) -> None:
        """Close the socket hard when a broker that reads nothing holds up our DISCONNECT."""
        if self._socket_closed.wait(timeout):
            return
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _connected(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self._problem = f"it refuses us: {reason}"
            log.warning(
                "the broker at %s refuses us (%s); trying again. %s",
                self.address,
                reason,
                ACCOUNT_MEND,
            )
            return
        self._connection_number += 1
        self._pending_subacks.clear()
        if self._filters:
            self._send_subscriptions(self._filters)
        else:
            self._became_ready()

    def _send_subscriptions(self, filters: dict[str, int]) -> None:
        with self._subscribing:
            _result, packet_id = self._client.subscribe(list(filters.items()))
            if packet_id is not None:
                self._pending_subacks.add(packet_id)

    def _subscribed(
        self, _client: paho.Client, _data: object, mid: int, codes: list[ReasonCode], _more: object
    ) -> None:
        refused = [code for code in codes if code.value >= _REFUSED]
        if refused:
            self._problem = f"it refuses a subscription of ours ({', '.join(self._filters)})"
            log.error("%s: %s", self.address, self._problem)
            return
        with self._subscribing:
            self._pending_subacks.discard(mid)
            all_stand = not self._pending_subacks
        if all_stand:
            self._became_ready()

    def _became_ready(self) -> None:
        self._ready.set()
        if self._on_change is not None:
            self._on_change(True)

    def _not_connected(self, _client: paho.Client, _data: object) -> None:
        error = sys.exception()  # paho keeps the reason to itself, but calls us while handling it
        self._problem = getattr(error, "strerror", None) or str(error)

    def _lost(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        # Not at the next CONNACK only: paho would send an old acknowledgement right behind CONNECT.
        self._connection_number += 1
        was_ready = self._ready.is_set()
        self._ready.clear()
        if not was_ready:
            return
        if reason.is_failure:
            log.warning("lost the broker at %s (%s); trying again", self.address, reason)
        if self._on_change is not None:
            self._on_change(False)

    def _published(
        self, _client: paho.Client, _data: object, mid: int, _reason: object, _more: object
    ) -> None:
        self._outstanding.acknowledged(mid)

    def _received(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if self._on_message is None:
            return
        self._on_message(
            Message(
                topic=message.topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retained=message.retain,
                duplicate=message.dup,
                delivery=Delivery(self._connection_number, message.mid),
            )
        )


def _nothing() -> None:
    pass
