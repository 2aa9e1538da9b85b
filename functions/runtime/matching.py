"""Which rules a topic matches, and whether what comes on it has to be a click."""

from collections.abc import Sequence
from dataclasses import dataclass

from functions.runtime.asynchronous import Asynchronous
from functions.runtime.rules import Rule
from functions.runtime.rules.filters import topic_matches

CLICKS = "iotbutton/+"
"""What comes on these topics has to be a click. Without the prefix, as all topics here."""
_KNOWN_TOPICS = 4096


@dataclass(frozen=True, slots=True)
class Subscription:
    """A rule and the function that gets its events; `number` counts a function's rules."""

    rule: Rule
    function: Asynchronous
    number: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """What a topic means here: whose rules it matches, and whether it is one of clicks."""

    subscriptions: tuple[Subscription, ...]
    is_of_clicks: bool


class Matching:
    """Knows the place of each topic; it looks through all rules for the first message only.

    Args:
        subscriptions: all rules of the manifest.
    """

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = subscriptions
        self._places: dict[str, Place] = {}

    def place(self, topic: str) -> Place:
        """Return the place of a topic, which is without the prefix."""
        place = self._places.get(topic)
        if place is None:
            matching = (s for s in self._subscriptions if topic_matches(s.rule.topic_filter, topic))
            place = Place(tuple(matching), topic_matches(CLICKS, topic))
            if len(self._places) < _KNOWN_TOPICS:
                self._places[topic] = place
        return place
