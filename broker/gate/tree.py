"""Which subscriptions a topic matches, in time that grows with its levels, not with their number.

amqtt compares each message with each filter that anyone has: with 10,000 buttons, each subscribed
to its own receipts, that is some 10 ms a message.
"""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_Node = dict[str | None, Any]
"""What is below a level, by name, and under None who holds the filter that ends here. One object
for each level: the garbage collector looks at all of them, while everyone waits."""


class TopicTree(Generic[T]):
    """Topic filters (MQTT 3.1.1, 4.7) with who holds each, at which QoS."""

    def __init__(self) -> None:
        self._root: _Node = {}

    def add(self, topic_filter: str, holder: T, qos: int) -> None:
        """Add a subscription, or replace its QoS."""
        node = self._root
        for level in topic_filter.split("/"):
            following = node.get(level)
            if following is None:
                following = node[level] = {}
            node = following
        node.setdefault(None, {})[holder] = qos

    def remove(self, topic_filter: str, holder: T) -> None:
        """Take a subscription away; levels that nobody needs any more go too."""
        path, node = [], self._root
        for level in topic_filter.split("/"):
            if level not in node:
                return
            path.append((node, level))
            node = node[level]
        holders = node.get(None, {})
        holders.pop(holder, None)
        if not holders:
            node.pop(None, None)
        _cut_back(path)

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
                if (child := node.get(level)) is not None:
                    following.append(child)
                if wild and (child := node.get("+")) is not None:
                    following.append(child)
                if wild and (child := node.get("#")) is not None:
                    _gather(child, found)
            nodes = following
        for node in nodes:
            _gather(node, found)
            if (child := node.get("#")) is not None:  # a/# matches a, too (4.7.1.2)
                _gather(child, found)
        return found


def _gather(node: _Node, found: dict[T, int]) -> None:
    holders: dict[T, int] = node.get(None, {})
    for holder, qos in holders.items():
        found[holder] = max(qos, found.get(holder, 0))


def _cut_back(path: list[tuple[_Node, str]]) -> None:
    for parent, level in reversed(path):
        if parent[level]:
            return
        del parent[level]


class TopicNames:
    """Topics, found by filter in time that grows with what is found (4.7)."""

    def __init__(self) -> None:
        self._root: _Node = {}

    def add(self, topic: str) -> None:
        """Add a topic."""
        node = self._root
        for level in topic.split("/"):
            node = node.setdefault(level, {})
        node[None] = topic

    def remove(self, topic: str) -> None:
        """Take a topic away, and the levels that nobody needs any more."""
        path, node = [], self._root
        for level in topic.split("/"):
            if level not in node:
                return
            path.append((node, level))
            node = node[level]
        node.pop(None, None)
        _cut_back(path)

    def match(self, topic_filter: str) -> list[str]:
        """Return the topics that a filter matches."""
        nodes, levels = [self._root], topic_filter.split("/")
        for depth, level in enumerate(levels):
            if level == "#":
                return [topic for node in nodes for topic in _below(node, is_first=depth == 0)]
            if level == "+":
                nodes = [
                    child
                    for node in nodes
                    for name, child in node.items()
                    if name is not None and (depth or not name.startswith("$"))
                ]
            else:
                nodes = [node[level] for node in nodes if level in node]
        return [node[None] for node in nodes if None in node]


def _below(root: _Node, *, is_first: bool) -> Iterator[str]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for name, child in node.items():
            if name is None:
                yield child
            elif not (is_first and node is root and name.startswith("$")):  # 4.7.2-1
                waiting.append(child)
