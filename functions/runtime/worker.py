"""The way of a click: decoded, handed to the function, published, and only then acknowledged.

Everything here runs on the thread of the MQTT connection, one message at a time, so nothing locks.
An input is acknowledged to the broker when its output has been acknowledged by the broker; a
runtime that dies in between gets the click again.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from functions.runtime import dead_letters
from functions.runtime.identity import EventIdGiver, Recent, with_id
from functions.runtime.invocation import Failure, Function, invoke
from iot_button.errors import NotAClickError
from iot_button.events import Click, decode_click, format_instant, utc_now
from iot_button.messages import Delivery, Message
from iot_button.mqtt import Connection
from iot_button.topics import Topics

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Which click: its serial number and its event id. A simple button may count its ids from 1."""

PROCESSED = "processed"
DEAD_LETTER = "deadletter"
_SAID_SINGLY = 10
_SAID_EVERY = 1000


class Worker:
    """Runs one function on clicks.

    Args:
        function: the function.
        topics: where its results, failures and receipts go.
        clock: tells an aware UTC moment.
    """

    def __init__(
        self, function: Function, *, topics: Topics, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._function = function
        self._topics = topics
        self._clock = clock
        self._ids = EventIdGiver()
        self._done: Recent[Key, str] = Recent()
        self._under_way: dict[Key, set[Delivery]] = {}
        self._stopping = False
        self.counts: Counter[str] = Counter()

    def stop(self) -> None:
        """Take no more clicks; the broker keeps what we do not acknowledge."""
        self._stopping = True

    def on_message(self, connection: Connection, message: Message) -> None:
        """Take one message from `iotbutton/+`."""
        if self._stopping:
            return
        if message.retained:
            # A click is an event: retained, it would be pressed again at every restart.
            self._complain("retained", f"refused a retained message on {message.topic!r}")
            connection.acknowledge(message.delivery)
            return
        serial_number = Topics.serial_number(message.topic)
        if message.topic != self._topics.click(serial_number):
            # A kept session can hold a subscription from before the settings changed.
            self._complain("strays", f"{message.topic!r} is no topic of ours")
            connection.acknowledge(message.delivery)
            return
        try:
            click = decode_click(message.payload, serial_number=serial_number)
        except NotAClickError as error:
            self._bury(connection, message, error)
        else:
            self._take(connection, message, click)

    def _take(self, connection: Connection, message: Message, click: Click) -> None:
        wants_receipt = click.event_id is not None
        click = with_id(click, self._ids.event_id(click, message, self._clock()))
        key = _key(click)
        if key in self._under_way:
            self._under_way[key].add(message.delivery)
            return
        self._under_way[key] = {message.delivery}
        outcome = self._done.get(key)
        if outcome is None:
            self._run(connection, click, wants_receipt=wants_receipt)
            return
        self._complain("repeats", f"{key} came again; it is {outcome} already")
        self._let_go(connection, click, outcome, wants_receipt=wants_receipt)

    def _run(self, connection: Connection, click: Click, *, wants_receipt: bool) -> None:
        event = click.as_event()
        result = invoke(self._function, event)
        if isinstance(result, Failure):
            self._complain("failures", f"it failed: {result.response['errorMessage'][:200]!r}")
            outcome, topic = DEAD_LETTER, self._topics.dead_letter(self._function.name)
            payload = dead_letters.of_failure(
                result, function=self._function.name, event=event, attempts=1, moment=self._clock()
            )
        else:
            outcome, topic, payload = PROCESSED, self._topics.processed, result.payload

        def on_acknowledged() -> None:
            self.counts[outcome] += 1
            self._done.put(_key(click), outcome)
            self._let_go(connection, click, outcome, wants_receipt=wants_receipt)

        try:
            connection.publish(topic, payload, on_acknowledged=on_acknowledged)
        except Exception:
            # Not under way after all: when the broker sends it again, it is run again.
            del self._under_way[_key(click)]
            raise

    def _let_go(
        self, connection: Connection, click: Click, outcome: str, *, wants_receipt: bool
    ) -> None:
        """Tell the button what became of its click, and let the broker forget the input."""
        deliveries = self._under_way.pop(_key(click))
        try:
            if wants_receipt:
                topic = self._topics.receipt(click.serial_number)
                connection.publish(topic, _receipt(click, outcome, self._clock()))
        finally:
            for delivery in deliveries:
                connection.acknowledge(delivery)

    def _bury(self, connection: Connection, message: Message, error: NotAClickError) -> None:
        self._complain("no clicks", f"{message.topic!r} brought no click: {error.reason[:200]!r}")
        record = dead_letters.of_no_click(
            error, function=self._function.name, topic=message.topic, moment=self._clock()
        )
        connection.publish(
            self._topics.dead_letter(self._function.name),
            record,
            on_acknowledged=lambda: connection.acknowledge(message.delivery),
        )

    def _complain(self, kind: str, problem: str) -> None:
        """Count a problem and log it, but not each one of a flood."""
        self.counts[kind] += 1
        count = self.counts[kind]
        if count <= _SAID_SINGLY or count % _SAID_EVERY == 0:
            log.warning("%s: %s (%s so far: %d)", self._function.name, problem, kind, count)


def _key(click: Click) -> Key:
    return click.serial_number, str(click.event_id)


def _receipt(click: Click, outcome: str, moment: datetime) -> bytes:
    receipt = {
        "eventId": click.event_id,
        "outcome": outcome,
        "timestamp": format_instant(moment),
    }
    return json.dumps(receipt, separators=(",", ":")).encode()
