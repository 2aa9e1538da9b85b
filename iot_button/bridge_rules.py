"""What a bridge forwards, and under which name: mosquitto's notation for it (mosquitto.conf(5)).

    PATTERN [in|out|both [LOCAL-PREFIX [REMOTE-PREFIX]]]

The pattern is a topic filter without the prefixes. `out`, which it is where nothing is said: from
our broker, where LOCAL-PREFIX + PATTERN is subscribed to, to the other one, where the messages come
under REMOTE-PREFIX in place of LOCAL-PREFIX. `in`: the other way round. Words that contain spaces,
or are empty, stand in quotation marks.
"""

import enum
import itertools
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_LONGEST = 65_535
"""Bytes of a topic name or filter (MQTT 3.1.1, 1.5.3)."""
_WAYS = ("out", "in", "both")


class Toward(enum.Enum):
    """Which broker a message goes to."""

    REMOTE = "remote"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way of one rule. `source`: what is subscribed to; `target`: the filter of what comes out.

    `cut`: characters at the start of a topic that `add` takes the place of.
    """

    toward: Toward
    source: str
    target: str
    cut: int
    add: str

    def renamed(self, topic: str) -> str:
        """Return what a topic that matches `source` is called on the other side."""
        return self.add + topic[self.cut :]


def routes(rules: Iterable[str]) -> tuple[Route, ...]:
    """Read rules; the routes of one direction have no topic in common.

    Raises:
        ValueError: saying what is wrong with which rule.
    """
    found = [route for rule in rules for route in _routes(rule)]
    for one, other in itertools.combinations(found, 2):
        if one.toward is other.toward and overlap(one.source, other.source):
            raise ValueError(
                f"{one.source!r} and {other.source!r} have topics in common, whose messages would "
                f"go to the {one.toward.value} broker twice"
            )
    return tuple(found)


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic filter matches a topic (MQTT 3.1.1, 4.7)."""
    if topic_filter == topic:
        return True
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):  # 4.7.2
        return False
    levels = topic.split("/")
    for number, level in enumerate(wanted := topic_filter.split("/")):
        if level == "#":
            return True
        if number == len(levels) or level not in ("+", levels[number]):
            return False
    return len(levels) == len(wanted)


def overlap(one: str, other: str) -> bool:
    """Whether two topic filters have a topic in common."""
    if one.startswith("$") != other.startswith("$"):  # no wildcard stands for a `$` (4.7.2)
        return False
    return _overlap(one.split("/"), other.split("/"))


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    for mine, theirs in itertools.zip_longest(one, other):
        if "#" in (mine, theirs):  # also where the other has ended: `a/#` matches `a` (4.7.1.2)
            return True
        if mine is None or theirs is None or ("+" not in (mine, theirs) and mine != theirs):
            return False
    return True


def _routes(rule: str) -> Iterator[Route]:
    pattern, way, local, remote = _words(rule)
    for prefix in (local, remote):
        if set(prefix) & set("+#\0"):
            raise ValueError(f"{rule!r}: the prefix {prefix!r} must have no + and no #")
        _check_filter(rule, prefix + pattern)
    if way != "in":
        yield _route(Toward.REMOTE, pattern, local, remote)
    if way != "out":
        yield _route(Toward.LOCAL, pattern, remote, local)


def _route(toward: Toward, pattern: str, prefix: str, other: str) -> Route:
    return Route(
        toward=toward, source=prefix + pattern, target=other + pattern, cut=len(prefix), add=other
    )


def _words(rule: str) -> tuple[str, str, str, str]:
    try:
        words = shlex.split(rule)
    except ValueError as error:
        raise ValueError(f"{rule!r}: {error}") from None
    if not words or len(words) > 4:
        if len(words) == 5 and words[2] in ("0", "1", "2"):
            raise ValueError(f"{rule!r}: leave out the {words[2]}; a bridge forwards at QoS 1")
        raise ValueError(f"{rule!r} is not PATTERN [in|out|both [LOCAL-PREFIX [REMOTE-PREFIX]]]")
    pattern, way, local, remote = words + ["", "out", "", ""][len(words) :]
    if way not in _WAYS:
        raise ValueError(f"{rule!r}: {way!r} is no direction: write in, out or both")
    return pattern, way, local, remote


def _check_filter(rule: str, topic_filter: str) -> None:
    levels = topic_filter.split("/")
    if (
        not topic_filter
        or "\0" in topic_filter
        or len(topic_filter.encode()) > _LONGEST
        or levels[0] == "$share"
        or any("#" in level for level in levels[:-1])
        or any(len(level) > 1 and set(level) & set("+#") for level in levels)
    ):
        raise ValueError(f"{rule!r}: {topic_filter[:100]!r} is no topic filter")
