"""The way in: an MQTT message becomes the events of the functions whose rules it matches.

The broker keeps a message until each of its events is safe. What comes on a click topic keeps the
rules of a click, whichever function it is for; a click that is done already is known by its id, and
gets its receipt again.
"""

import functools
from collections.abc import Callable, Iterable, Sequence

from functions.runtime.events import ClickId, Event
from functions.runtime.identity import (
    Deliveries,
    id_of_content,
    key_of_delivery,
    new_request_id,
    request_id_of_rule,
)
from functions.runtime.matching import Matching, Subscription
from functions.runtime.outcomes import DEAD_LETTER, HELD, PROCESSED, SKIPPED
from functions.runtime.pending import Pending
from functions.runtime.refusals import Refusals
from functions.runtime.rule_events import all_fields, event_of
from functions.runtime.rules import RulePayloadError
from functions.runtime.seen import Key
from functions.runtime.shared import Shared
from iot_button.errors import NotAClickError
from iot_button.events import decode_click, event_id_at
from iot_button.messages import Delivery, Message
from iot_button.topics import Topics
from iot_button.traces import read_context

Callback = Callable[[], None]


class Intake:
    """Takes every message of the runtime's session. On the loop's thread.

    `refusals`: what was passed over, and why.

    Args:
        subscriptions: all rules of the manifest.
        acknowledge: lets the broker forget a message.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        *,
        topics: Topics,
        shared: Shared,
        acknowledge: Callable[[Delivery], None],
    ) -> None:
        self.refusals = Refusals(shared.outputs, acknowledge)
        self.is_stopping = False
        self._topics = topics
        self._shared = shared
        self._acknowledge = acknowledge
        self._deliveries: Deliveries[Pending] = Deliveries()
        self._under_way: dict[Key, list[Callback]] = {}
        self._matching = Matching(subscriptions)

    def resume(self, keys: Iterable[Key]) -> None:
        """Know these clicks as under way, from before our start."""
        self._under_way |= {key: [] for key in keys}

    def on_message(self, message: Message) -> None:
        """Take one message."""
        if self.is_stopping:
            return
        topic = self._topics.local(message.topic)
        place = self._matching.place(topic)
        if message.retained or not place.subscriptions:
            self.refusals.refuse(message, topic)
            return
        try:
            if place.is_of_clicks:
                self._take_click(message, topic, place.subscriptions)
            else:
                self._take_other(message, topic, place.subscriptions)
        except (NotAClickError, RulePayloadError) as error:
            self.refusals.bury(message, topic, place.subscriptions[0].function, error)

    def settled(
        self, function: str, click: ClickId, _outcome: str, on_told: Callback = lambda: None
    ) -> None:
        """Hear that a click is done for a function; when it is for all, its button hears it.

        `on_told` is called when the broker has the receipt, or when there is none to send.
        """
        if click.wants_receipt:
            self._send_receipt_if_done(click, on_told)
        else:
            on_told()
        # Behind the receipt: a broker that reads no further than this has the receipt, too.
        self._release(click.key(function))

    # Clicks.

    def _take_click(
        self, message: Message, topic: str, subscriptions: Sequence[Subscription]
    ) -> None:
        click = decode_click(message.payload, serial_number=Topics.serial_number(topic))
        fields = all_fields(message.payload)
        is_known_again = click.event_id is not None or click.clicked_at is not None
        pending = self._pending_for(message, is_known_again=is_known_again)
        if pending is None:
            return
        if click.event_id is not None:
            event_id = click.event_id
        elif is_known_again:
            event_id = id_of_content(click)
        else:
            event_id = self._id_for(message, self._new_event_id)
        fields |= click.as_event()
        fields["eventId"] = event_id
        for subscription in subscriptions:
            click_id = None
            if is_known_again:
                click_id = ClickId(
                    click.serial_number, event_id, click.event_id is not None, subscription.number
                )
                if self._is_repeat(subscription, click_id, pending):
                    continue
            body = event_of(subscription.rule, message, topic, fields, self._shared.clock)
            self._start(subscription, body, new_request_id(), click_id, pending, message)
        pending.one_safe()

    def _new_event_id(self) -> str:
        return event_id_at(int(self._shared.clock() * 1000))

    def _id_for(self, message: Message, make: Callable[[], str]) -> str:
        """Return the id that a message got when it first came, be it to a process before us."""
        if message.qos == 0:  # it never comes again
            return make()
        key = key_of_delivery(message)
        known = self._shared.seen.taken(key) if message.duplicate else None
        if known is None:
            known = make()
            self._shared.seen.take(key, known)
        return known

    def _pending_for(self, message: Message, *, is_known_again: bool) -> Pending | None:
        """Return the bookkeeping of a message; None for one that came before and is known by that.

        Where the event itself has an id to be known by, that is asked instead.
        """
        if is_known_again:
            return Pending(self._acknowledge, message.delivery)
        known = self._deliveries.find(message)
        if known is not None:
            known.join(message.delivery)
            return None
        pending = Pending(self._acknowledge, message.delivery)
        self._deliveries.keep(message, pending)
        return pending

    def _is_repeat(self, subscription: Subscription, click: ClickId, pending: Pending) -> bool:
        key = click.key(subscription.function.spec.name)
        under_way = self._under_way.get(key)
        if under_way is not None:
            pending.expect()
            under_way.append(pending.one_safe)
            return True
        outcome = self._shared.seen.outcome(key)
        if outcome is None:
            return False
        problem = f"{click.serial_number}/{click.event_id} came again: {outcome}"
        self.refusals.complain("repeats", problem)
        if outcome != HELD and click.wants_receipt:
            self._send_receipt_if_done(click)
        return True

    def _start(
        self,
        subscription: Subscription,
        body: bytes | None,
        request_id: str,
        click: ClickId | None,
        pending: Pending,
        message: Message,
    ) -> None:
        function = subscription.function
        if body is None:  # its WHERE does not want it
            if click is not None:
                function.endings.settle(click, SKIPPED)
            return
        pending.expect()
        on_safe = pending.one_safe
        if click is not None:
            key = click.key(function.spec.name)
            self._under_way[key] = [pending.one_safe]
            on_safe = functools.partial(self._release, key)
        event = Event(request_id, body, self._shared.clock(), click, on_safe)
        if message.properties:
            event.context = read_context(message.properties)
        function.take(event)

    def _release(self, key: Key) -> None:
        for one_safe in self._under_way.pop(key, ()):
            one_safe()

    def _send_receipt_if_done(self, click: ClickId, on_told: Callback = lambda: None) -> None:
        outcomes = set()
        for subscription in self._matching.place(f"iotbutton/{click.serial_number}").subscriptions:
            key = click.of_rule(subscription.number).key(subscription.function.spec.name)
            outcomes.add(self._shared.seen.outcome(key))
        if not outcomes & {None, HELD}:
            outcome = DEAD_LETTER if DEAD_LETTER in outcomes else PROCESSED
            self._shared.outputs.send_receipt(click, outcome, on_told)
        else:
            on_told()  # another function is not done; who ends last tells the button

    # Everything else.

    def _take_other(
        self, message: Message, topic: str, subscriptions: Sequence[Subscription]
    ) -> None:
        bodies = [
            (subscription, event_of(subscription.rule, message, topic, None, self._shared.clock))
            for subscription in subscriptions
        ]
        pending = self._pending_for(message, is_known_again=False)
        if pending is None:
            return
        wanted = [(subscription, body) for subscription, body in bodies if body is not None]
        request_id = self._id_for(message, new_request_id) if wanted else ""
        for number, (subscription, body) in enumerate(wanted):
            each = request_id_of_rule(request_id, number)
            self._start(subscription, body, each, None, pending, message)
        pending.one_safe()
