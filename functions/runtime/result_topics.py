"""The topic of a function's result, which may take fields of the result into its name.

`iotbutton/{serialNumber}` is one topic for each button. What a field says comes from a handler, and
often from a stranger's message before: it stays within the level where its braces stand.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Self

import msgspec

MOST_BYTES = 256
"""The longest topic made of a result: AWS IoT Core's own limit (message broker quotas)."""

_PART = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NOT_IN_A_LEVEL = re.compile("[/+#\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_decode = msgspec.json.Decoder().decode

TopicOf = Callable[[bytes], str]


class ResultError(ValueError):
    """A result that cannot be published: its invocation counts as failed.

    `kind`: the error type, as AWS names it where it has the same.
    """

    def __init__(self, reason: str, *, kind: str = "IotButton.NoTopic") -> None:
        super().__init__(reason)
        self.kind = kind

    @classmethod
    def too_large(cls, size: int, most: int) -> Self:
        """Say that it is too long."""
        reason = f"the result has {size} bytes; at most {most} are published"
        return cls(reason, kind="Function.ResponseSizeTooLarge")


def is_well_formed(template: str) -> bool:
    """Whether each brace of a topic belongs to a `{field}`."""
    return not set("{}") & set(_PART.sub("", template))


def as_filter(template: str) -> str:
    """Return a filter that matches all topics that can come of a topic with fields."""
    levels = template.split("/")
    return "/".join("+" if _PART.search(level) else level for level in levels)


@lru_cache(maxsize=256)
def topic_of(template: str) -> TopicOf:
    """Return what gives a result's topic, from the result as JSON; it raises ResultError."""
    if not _PART.search(template):
        return lambda _result: template

    def fill(result: bytes) -> str:
        try:
            fields = _decode(result)
        except (ValueError, RecursionError) as error:
            raise ResultError(f"the result cannot be read: {error}") from error
        topic = _PART.sub(lambda match: _level(fields, match[1]), template)
        if topic.startswith("$"):
            raise ResultError(f"the topic {topic[:80]!r} begins with $")
        if len(topic.encode()) > MOST_BYTES:
            raise ResultError(f"the topic is longer than {MOST_BYTES} bytes: {topic[:80]!r}")
        return topic

    return fill


def _level(fields: Any, name: str) -> str:
    if not isinstance(fields, dict) or name not in fields:
        raise ResultError(f"the result has no {name}, which its topic is made of")
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ResultError(f"{name} is neither a text nor a whole number: {value!r:.80}")
    text = str(value)
    if not text or _NOT_IN_A_LEVEL.search(text):
        raise ResultError(f"{name} is no level of a topic: {text[:80]!r}")
    return text
