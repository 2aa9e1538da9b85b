"""What comes out of the system, as a subscriber of its own sees it."""

import base64
import contextlib
from collections.abc import Callable

import msgspec

from device_sim.tally import DamagedTally, Tally
from iot_button.errors import NotAClickError
from iot_button.events import decode_processed_click
from iot_button.loop import Loop
from iot_button.messages import Message, Session
from iot_button.mqtt import Stream
from iot_button.settings import BrokerAddress
from iot_button.topics import Topics

_GOODBYE_TIMEOUT = 1.0


class _Kept(msgspec.Struct, frozen=True, rename="camel"):
    payload_base64: str


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    """A dead letter of what was no click: its bytes are kept as they came."""

    request_payload: _Kept


_record_decoder = msgspec.json.Decoder(_Record)


class Observer:
    """Tallies processed clicks, and dead letters where damaged payloads are sent.

    The broker keeps its session through its own restart and ours, so that nothing passes it by,
    until our orderly stop.

    Args:
        client_id: names the session.
        damaged: gets the dead letters; None: they are not asked for.
        on_change: gets True when it sees all that comes, False when it does not.
        on_waiting: called when something waits for `flush`.
    """

    def __init__(
        self,
        loop: Loop,
        address: BrokerAddress,
        *,
        client_id: str,
        topics: Topics,
        tally: Tally,
        damaged: DamagedTally | None,
        on_change: Callable[[bool], None],
        on_waiting: Callable[["Observer"], None],
    ) -> None:
        self._loop = loop
        self._address = address
        self._client_id = client_id
        self._topics = topics
        self._tally = tally
        self._damaged = damaged
        self._on_change = on_change
        self._on_waiting = on_waiting
        self._has_session = False
        self._stream = Stream(
            loop,
            address,
            client_id=client_id,
            session=Session.KEPT,
            on_message=self._on_message,
            on_change=self._changed,
            on_waiting=self._waits,
        )
        self._stream.subscribe(topics.processed)
        if damaged is not None:
            self._stream.subscribe(topics.dead_letter("+"))

    @property
    def is_ready(self) -> bool:
        """Whether it sees all that comes."""
        return self._stream.is_ready

    @property
    def problem(self) -> str:
        """Why it is not connected, or last was not."""
        return self._stream.problem

    def open(self) -> None:
        """Begin to connect."""
        self._stream.open()

    def flush(self) -> None:
        """Write what waits."""
        self._stream.flush()

    def leave(self, on_left: Callable[[], None]) -> None:
        """Let the broker forget the session, for a second at most, and then call back."""
        self._stream.close()
        if not self._has_session:
            on_left()
            return
        # A clean session under its name ends the kept one (3.1.2.4).
        self._stream = Stream(
            self._loop,
            self._address,
            client_id=self._client_id,
            session=Session.CLEAN,
            on_message=lambda _message: None,
            on_change=lambda _is_ready: on_left(),
            on_waiting=self._waits,
        )
        self._stream.open()
        self._loop.call_later(_GOODBYE_TIMEOUT, on_left)

    def close(self) -> None:
        """Disconnect."""
        self._stream.close()

    def _waits(self) -> None:
        self._on_waiting(self)

    def _changed(self, is_ready: bool) -> None:
        self._has_session = self._has_session or is_ready
        self._on_change(is_ready)

    def _on_message(self, message: Message) -> None:
        self._stream.acknowledge(message.delivery)
        if message.topic == self._topics.processed:
            # Someone else's may not decode; ours all do.
            with contextlib.suppress(NotAClickError):
                self._tally.on_processed(decode_processed_click(message.payload).event_id)
        elif self._damaged is not None:
            # A dead letter of an invocation is of another form: it keeps the event.
            with contextlib.suppress(ValueError):
                kept = _record_decoder.decode(message.payload).request_payload
                self._damaged.on_dead_letter(base64.b64decode(kept.payload_base64))
