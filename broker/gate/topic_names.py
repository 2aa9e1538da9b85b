"""Which topics a filter matches, found in steps: a single filter can match 200,000 topics."""

from collections.abc import Iterator
from typing import Final

import msgspec

_BREATH: Final = 100
"""Levels looked at from one step to the next: some 20 µs."""


class _Level(msgspec.Struct, gc=False):
    """What is below a level, by name, and the topic that ends here.

    As in `broker/gate/tree.py`, the garbage collector has nothing to look at.
    """

    below: dict[str, "_Level"] = {}
    topic: str | None = None


_Levels = Iterator[_Level | None]
"""None: nothing was found for a while, and others may have their turn."""


class TopicNames:
    """Topics, found by filter in time that grows with what is found (MQTT 3.1.1, 4.7)."""

    def __init__(self) -> None:
        self._root = _Level()

    def add(self, topic: str) -> None:
        """Add a topic."""
        place = self._root
        for name in topic.split("/"):
            following = place.below.get(name)
            if following is None:
                following = place.below[name] = _Level()
            place = following
        place.topic = topic

    def remove(self, topic: str) -> None:
        """Take a topic away, and the levels that nobody needs any more."""
        path, place = [], self._root
        for name in topic.split("/"):
            following = place.below.get(name)
            if following is None:
                return
            path.append((place, name))
            place = following
        place.topic = None
        for parent, name in reversed(path):
            child = parent.below[name]
            if child.below or child.topic is not None:
                return
            del parent.below[name]

    def match(self, topic_filter: str) -> Iterator[str | None]:
        """Yield the topics that a filter matches, and None where nothing was found for a while.

        Topics may come and go meanwhile: such a one is found, or not.
        """
        found: _Levels = iter((self._root,))
        for depth, level in enumerate(topic_filter.split("/")):
            if level == "#":
                found = _all_of(found, is_first=depth == 0)
            elif level == "+":
                found = _below(found, is_first=depth == 0)
            else:
                found = _named(found, level)
        misses = 0
        for place in found:
            if place is not None and place.topic is not None:
                yield place.topic
            elif place is None or (misses := misses + 1) % _BREATH == 0:
                yield None


def _named(places: _Levels, name: str) -> _Levels:
    misses = 0
    for place in places:
        if place is None:
            yield None
        elif (child := place.below.get(name)) is not None:
            yield child
        else:
            misses += 1
            if misses % _BREATH == 0:
                yield None


def _below(places: _Levels, *, is_first: bool) -> _Levels:
    for place in places:
        if place is None:
            yield None
            continue
        for name in list(place.below):  # it may change meanwhile
            child = place.below.get(name)
            if child is not None and not (is_first and name.startswith("$")):  # 4.7.2-1
                yield child


def _all_of(places: _Levels, *, is_first: bool) -> _Levels:
    for place in places:
        yield place  # a/# matches a, too (4.7.1.2)
        waiting = [] if place is None else [_below(iter((place,)), is_first=is_first)]
        while waiting:
            child = next(waiting[-1], None)
            if child is None:
                waiting.pop()
            else:
                yield child
                waiting.append(_below(iter((child,)), is_first=False))
