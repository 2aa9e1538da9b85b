"""paho's part of a `Stream`: connects, speaks TLS, subscribes, keeps alive and says goodbye.

It is shown only what is no PUBLISH and no acknowledgement: the `Wire` stands between it and the
socket. Where MQTT 5 may be spoken, it is tried first. A broker that does not speak it answers with
a reason code (MQTT 5.0, 4.13) or 3.1.1's return code 1 (3.1.2.2), or hangs up each time: then the
other version is tried, in turns, until one is answered.
"""

import functools
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from iot_button.loop import Loop
from iot_button.messages import Session, Will
from iot_button.mqtt.client import new_client
from iot_button.mqtt.outbox import Terms
from iot_button.mqtt.wire import Wire
from iot_button.settings import BrokerAddress

log = logging.getLogger(__name__)

_OTHER_VERSION = "Unsupported protocol version"
_MALFORMED = "Protocol error"
_FOR_EVER = 0xFFFF_FFFF
_MOST_HANG_UPS = 2
"""One may be a broker that ends."""


class Listener(Protocol):
    """Who hears what comes of it, on the loop's thread."""

    def opened(self, wire: Wire) -> None:
        """Hear that there is a socket, and CONNECT in its wire."""

    def not_opened(self, problem: str) -> None:
        """Hear that there is none; `begin` tries again."""

    def connected(self, terms: Terms, *, session_present: bool) -> None:
        """Hear of a CONNACK that lets us in."""

    def refused(self, reason: str) -> None:
        """Hear of one that does not; the broker hangs up."""

    def subscribed(self, codes: Sequence[int]) -> None:
        """Hear of a SUBACK."""

    def closed(self, problem: str | None, *, is_other_tried: bool) -> None:
        """Hear that the connection is gone.

        `problem`: where it is known here. `is_other_tried`: the broker does not speak this version
        of MQTT, and `begin` tries the other.
        """


class PahoSide:
    """One client's connections, one after the other. On the loop's thread but for connecting."""

    def __init__(
        self,
        loop: Loop,
        address: BrokerAddress,
        listener: Listener,
        *,
        client_id: str,
        session: Session,
        will: Will | None,
        keep_alive: int,
        is_5_tried: bool,
    ) -> None:
        self._loop = loop
        self._address = address
        self._listener = listener
        self._client_id = client_id
        self._session = session
        self._will = will
        self._keep_alive = keep_alive
        self._is_5_tried = is_5_tried and address.may_speak_5
        self._is_5 = self._is_5_tried
        self._hang_ups = 0
        self._is_answered = False
        self._is_closing = False
        self._opening: Wire | None = None
        self._client = self._new_client()
        self._is_5_of_client = self._is_5

    @property
    def is_5(self) -> bool:
        """Whether the connection that stands, or is tried, speaks MQTT 5."""
        return self._is_5_of_client

    def begin(self) -> None:
        """Begin to connect, on a thread of its own: paho waits meanwhile."""
        if self._is_5_of_client is not self._is_5:
            self._client = self._new_client()
            self._is_5_of_client = self._is_5
        self._is_answered = False
        try:
            threading.Thread(target=self._connect, name="connect", daemon=True).start()
        except RuntimeError as error:  # the system has no more threads for us at this moment
            self._listener.not_opened(str(error))

    def subscribe(self, filters: Sequence[str]) -> None:
        """Ask for topic filters, in one SUBSCRIBE at QoS 1."""
        if self._is_5_of_client:
            self._client.subscribe([(name, SubscribeOptions(qos=1)) for name in filters])
        else:
            self._client.subscribe([(name, 1) for name in filters])

    def write_waiting(self) -> None:
        """Put into the wire what paho has to send from inside a callback."""
        if self._client.want_write():
            self._client.loop_write()

    def keep_alive(self) -> None:
        """Ping when it is time to: a broker waits for half as long again (3.1.2.10)."""
        self._client.loop_misc()

    def read(self) -> None:
        """Take a packet that was put aside in the wire, or its end."""
        self._client.loop_read()

    def close(self, wire: Wire | None) -> None:
        """Say goodbye; without a wire, end what is about to become one."""
        self._is_closing = True
        if wire is not None:
            self._client.disconnect()  # DISCONNECT goes into the wire; closing the wire sends it
            wire.close()
        elif self._opening is not None:  # its thread has not told us yet, and nobody may listen
            self._opening.abandon()

    def _new_client(self) -> paho.Client:
        client = new_client(
            self._address,
            self._client_id,
            clean_session=self._session is not Session.KEPT,
            acknowledge_by_hand=True,
            will=self._will,
            is_5=self._is_5,
        )
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        where = (self._address.host, self._address.port, self._keep_alive)
        if self._is_5:
            is_kept = self._session is Session.KEPT
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _FOR_EVER if is_kept else 0
            client.connect_async(*where, clean_start=not is_kept, properties=properties)
        else:
            client.connect_async(*where)
        return client

    # On the thread that connects.

    def _connect(self) -> None:
        try:
            self._client.reconnect()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            tell: Callable[[], None] = functools.partial(self._listener.not_opened, problem)
            self._loop.call_from_thread(tell)
        else:
            self._loop.call_from_thread(self._opened)

    def _socket_opened(self, client: paho.Client, _data: object, connection: object) -> None:
        assert isinstance(connection, socket.socket)  # noqa: S101 - what paho gives without a proxy
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The one private name of paho's that we use, watched by a test.
        client._sock = self._opening = Wire(connection)  # type: ignore[assignment]  # noqa: SLF001
        if self._is_closing:  # asked after the line above, as `close` asks in the other order
            self._opening.abandon()

    # On the loop's.

    def _opened(self) -> None:
        if self._is_closing:
            self._client.disconnect()
            return
        assert self._opening is not None  # noqa: S101 - made by the thread before
        self._listener.opened(self._opening)

    def _connected(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._is_answered = True
        if reason.is_failure:
            if self._is_5_tried and reason.getName() == _OTHER_VERSION:
                self._try_other_version()
            else:
                self._listener.refused(str(reason))
            return
        terms = _terms(properties) if self._is_5_of_client else Terms()
        self._listener.connected(terms, session_present=flags.session_present)

    def _subscribed(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _more: object
    ) -> None:
        self._listener.subscribed([code.value for code in codes])

    def _socket_closing(self, _client: paho.Client, _data: object, wire: object) -> None:
        if isinstance(wire, Wire) and wire.fileno() >= 0:
            self._loop.unwatch(wire.fileno())

    def _disconnected(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _more: object,
    ) -> None:
        self._hang_ups = 0 if self._is_answered else self._hang_ups + 1
        if self._hang_ups == _MOST_HANG_UPS:
            self._try_other_version()
        problem = None
        if flags.is_disconnect_packet_from_server:
            problem = f"it says: {reason}"
        elif reason.getName() == _MALFORMED:
            problem = "it breaks the protocol"
        is_other_tried = self._is_5 is not self._is_5_of_client
        self._listener.closed(problem, is_other_tried=is_other_tried)

    def _try_other_version(self) -> None:
        self._hang_ups = 0
        if self._is_5_tried:
            self._is_5 = not self._is_5_of_client
            log.info("%s: trying MQTT %s", self._address, "5" if self._is_5 else "3.1.1")


def _terms(properties: Properties | None) -> Terms:
    """Return what an MQTT 5 broker has said at CONNACK, or its defaults (MQTT 5.0, 3.2.2.3)."""
    usual = Terms(is_5=True)
    return Terms(
        is_5=True,
        receive_maximum=getattr(properties, "ReceiveMaximum", usual.receive_maximum),
        most_bytes=getattr(properties, "MaximumPacketSize", usual.most_bytes),
        keep_alive=getattr(properties, "ServerKeepAlive", None),  # paho heeds it
    )
