"""What a function's events lead to on MQTT: results, records, receipts.

An output is done when the broker has acknowledged it. The last output of a click that has an id of
its own is published exactly once, also by a runtime that is killed in between: at QoS 2, with the
sender's state on disk before each step (`seen`). Subscribers see their own QoS, as always.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence

from functions.runtime.events import ClickId
from functions.runtime.seen import Key, Output, Seen, Stage
from iot_button.errors import IotButtonError
from iot_button.events import format_instant, utc_now
from iot_button.mqtt import Stream
from iot_button.topics import Topics
from iot_button.traces import result_properties

log = logging.getLogger(__name__)

Callback = Callable[[], None]

MOST_BYTES = 1_000_000
"""A longer output is a failure: our brokers refuse packets above 1 MiB, and hang up."""


class Outputs:
    """Publishes for all functions. Nothing leaves before the end of the turn.

    Args:
        handshakes: how many exactly-once publications may be under way at once; 0: the broker
            cannot be trusted with QoS 2 and our session, so that everything is at QoS 1.
        on_resumed: gets the function's extra data of an output that a runtime before us had begun,
            when it is done.
    """

    def __init__(
        self,
        stream: Stream,
        seen: Seen,
        topics: Topics,
        *,
        handshakes: int,
        on_resumed: Callable[[Output], None],
    ) -> None:
        self._stream = stream
        self._seen = seen
        self._topics = topics
        self._handshakes = handshakes
        self._under_way = 0
        self._waiting: deque[Callback] = deque()
        self._on_resumed = on_resumed

    @property
    def outstanding(self) -> int:
        """How many outputs the broker has not acknowledged yet."""
        return self._stream.outstanding + len(self._waiting)

    @property
    def is_behind(self) -> bool:
        """Whether results wait for a handshake. What runs ahead is run again after a crash."""
        return len(self._waiting) > self._handshakes

    def resume(self) -> list[Output]:
        """Carry on with what was under way when the runtime before us died; return it."""
        outputs = self._seen.under_way()
        self._under_way += len(outputs)
        for output in outputs:
            if not self._handshakes:  # another broker than before, and not one to be trusted
                self._stream.publish(
                    self._topics.full(output.topic),
                    output.payload,
                    on_acknowledged=lambda output=output: self._finish_resumed(output),  # type: ignore[misc]
                    properties=result_properties(output.payload),
                )
                continue
            self._stream.resume(
                self._topics.full(output.topic),
                output.payload,
                packet_id=output.packet_id,
                is_released=output.stage is Stage.RELEASED,
                on_received=lambda key=output.key: self._seen.release(key),  # type: ignore[misc]
                on_acknowledged=lambda output=output: self._finish_resumed(output),  # type: ignore[misc]
                properties=result_properties(output.payload),
            )
        if outputs:
            log.info("carrying on with %d outputs of the run before", len(outputs))
        return outputs

    def _finish_resumed(self, output: Output) -> None:
        self._under_way -= 1
        try:
            self._on_resumed(output)
        finally:
            self._begin_handshakes()

    def publish(self, outputs: Sequence[tuple[str, bytes]], on_done: Callback) -> None:
        """Publish at QoS 1; `on_done` is called when the broker has acknowledged all."""
        if not outputs:
            on_done()
            return
        missing = len(outputs)

        def one_less() -> None:
            nonlocal missing
            missing -= 1
            if not missing:
                on_done()

        for topic, payload in outputs:
            self._stream.publish(
                self._topics.full(topic),
                payload,
                on_acknowledged=one_less,
                properties=self._properties(payload),
            )

    def publish_last(
        self,
        topic: str,
        payload: bytes,
        *,
        key: Key | None,
        extra: Callable[[], bytes],
        on_done: Callback,
    ) -> None:
        """Publish the last output of an event; exactly once where it has a key and the broker can.

        `extra` gives what has to be kept beside it, to finish the event after a crash.
        """
        if key is None or not self._handshakes:
            self._stream.publish(
                self._topics.full(topic),
                payload,
                on_acknowledged=on_done,
                properties=self._properties(payload),
            )
            return
        self._waiting.append(lambda: self._begin_handshake(topic, payload, key, extra(), on_done))
        self._begin_handshakes()

    def _begin_handshakes(self) -> None:
        while self._waiting and self._under_way < self._handshakes:
            try:
                self._waiting[0]()
            except IotButtonError as error:  # too many wait for the broker; it is tried again
                log.warning("an output has to wait: %s", error)
                return
            self._waiting.popleft()
            self._under_way += 1

    def _begin_handshake(
        self, topic: str, payload: bytes, key: Key, extra: bytes, on_done: Callback
    ) -> None:
        packet_id = self._stream.next_packet_id()
        self._seen.send(key, packet_id, topic, payload, extra)

        def on_acknowledged() -> None:
            self._under_way -= 1
            try:
                on_done()
            finally:
                self._begin_handshakes()

        self._stream.publish_once(
            self._topics.full(topic),
            payload,
            packet_id=packet_id,
            on_received=lambda: self._seen.release(key),
            on_acknowledged=on_acknowledged,
            properties=self._properties(payload),
        )

    def _properties(self, payload: bytes) -> bytes:
        return result_properties(payload) if self._stream.speaks_5 else b""

    def send_receipt(
        self, click: ClickId, outcome: str, on_acknowledged: Callback = lambda: None
    ) -> None:
        """Tell a button what became of its click."""
        receipt = {
            "eventId": click.event_id,
            "outcome": outcome,
            "timestamp": format_instant(utc_now()),
        }
        self._stream.publish(
            self._topics.receipt(click.serial_number),
            json.dumps(receipt, separators=(",", ":")).encode(),
            on_acknowledged=on_acknowledged,
        )
