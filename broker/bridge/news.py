"""Which messages are news to the other broker, and which have no business there."""

import time
from collections.abc import Sequence

from broker.bridge.echoes import digest
from broker.bridge.repeats import WITHIN, Repeats
from broker.bridge.side import Side
from iot_button.bridge_rules import Route, Toward, matches
from iot_button.messages import Message

NO_NEWS = ""
_MOST_REMEMBERED = 10_000
_LONGEST_TOPIC = 65_535


class News:
    """Judges messages. States (retained topics) and events (all others) are judged differently.

    A state that is told again is no news; it may be older than what the other side knows. An event
    that is retained would happen again with each subscription.

    Args:
        bridge: its name.
        states: filters of the topics that carry states, by our own broker's names.
        most_bytes: of a payload.
    """

    def __init__(self, bridge: str, states: Sequence[str], *, most_bytes: int) -> None:
        self._filters = tuple(states)
        self._most_bytes = most_bytes
        self._repeats = Repeats(bridge)
        self._known: dict[str, tuple[bytes, float]] = {}

    def is_state(self, own_name: str) -> bool:
        """Whether a topic, by our own broker's name, carries a state."""
        return any(matches(topic_filter, own_name) for topic_filter in self._filters)

    def misfit(self, route: Route, message: Message) -> str | None:
        """Return why a message may not go on, whatever else there is; None: it may."""
        topic = route.renamed(message.topic)
        if len(message.payload) > self._most_bytes or len(topic.encode()) > _LONGEST_TOPIC:
            return "too large"
        if message.retained and not self.is_state(own_name(route, message)):
            return "retained"
        return None

    def repeat(self, side: Side, route: Route, message: Message) -> str | None:
        """Return why a message is no news, `NO_NEWS` where that needs no count; None: it is.

        It is known from now on: ask only for what will go on.
        """
        name = own_name(route, message)
        if not self.is_state(name):
            if not self._repeats.is_one(name, message.payload):
                return None
            return NO_NEWS if message.duplicate else "repeated"  # delivered again: it is here
        # Where both sides publish a state, one that is told to who subscribes may be the older one.
        if message.retained and side.is_target(message.topic):
            return NO_NEWS
        now, key = time.monotonic(), digest(name, message.payload)
        known, since = self._known.get(name, (b"", 0.0))
        if known == key and (message.retained or now - since < WITHIN):
            return NO_NEWS if message.retained else "repeated"
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[name] = (key, now)
        return None

    def forget(self) -> None:
        """Forget all that is known: what went on was undone."""
        self._known.clear()
        self._repeats.clear()


def own_name(route: Route, message: Message) -> str:
    """Return what a message's topic is called at our own broker."""
    is_ours = route.toward is Toward.REMOTE
    return message.topic if is_ours else route.renamed(message.topic)
