"""Which subscriptions a topic matches, in time that grows with its levels, not with their number.

amqtt compares each message with each filter that anyone has: with 10,000 buttons, each subscribed
to its own receipts, that is some 10 ms a message.

The garbage collector looks at each object that can be part of a circle, while everyone waits: of
5,000 filters as plain dictionaries for 3 ms now and then, and 11 ms when it looked at all. So the
nodes are of a kind that it does not look at, and dictionaries that hold nothing else it leaves
alone. Nothing in them may lead back to the tree.
"""

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class _Held(msgspec.Struct, gc=False):
    holder: Any
    qos: int


class _Node(msgspec.Struct, gc=False):
    """A level: what is below it, by name, and who holds the filter that ends here, by `id`."""

    below: dict[str, "_Node"] = {}
    held: dict[int, _Held] = {}

    @property
    def is_needed(self) -> bool:
        return bool(self.below or self.held)


class TopicTree(Generic[T]):
    """Topic filters (MQTT 3.1.1, 4.7) with who holds each, at which QoS."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, topic_filter: str, holder: T, qos: int) -> None:
        """Add a subscription, or replace its QoS."""
        node = self._root
        for level in topic_filter.split("/"):
            following = node.below.get(level)
            if following is None:
                following = node.below[level] = _Node()
            node = following
        node.held[id(holder)] = _Held(holder, qos)

    def remove(self, topic_filter: str, holder: T) -> None:
        """Take a subscription away; levels that nobody needs any more go too."""
        path, node = [], self._root
        for level in topic_filter.split("/"):
            following = node.below.get(level)
            if following is None:
                return
            path.append((node, level))
            node = following
        node.held.pop(id(holder), None)
        for parent, level in reversed(path):
            if parent.below[level].is_needed:
                return
            del parent.below[level]

    def match(self, topic: str) -> dict[T, int]:
        """Return who gets a message, at most at which QoS: the highest where filters overlap."""
        levels = topic.split("/")
        found: dict[T, int] = {}
        nodes = [self._root]
        for depth, level in enumerate(levels):
            following = []
            # 4.7.2-1: a wildcard in front does not match topics that begin with $.
            wild = depth > 0 or not level.startswith("$")
            for node in nodes:
                below = node.below
                if (child := below.get(level)) is not None:
                    following.append(child)
                if wild and (child := below.get("+")) is not None:
                    following.append(child)
                if wild and (child := below.get("#")) is not None:
                    _gather(child, found)
            nodes = following
        for node in nodes:
            _gather(node, found)
            if (child := node.below.get("#")) is not None:  # a/# matches a, too (4.7.1.2)
                _gather(child, found)
        return found


def _gather(node: _Node, found: dict[T, int]) -> None:
    for held in node.held.values():
        found[held.holder] = max(held.qos, found.get(held.holder, 0))
