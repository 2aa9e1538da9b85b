"""The event that a rule makes of a message, as JSON."""

from collections.abc import Callable
from typing import Any

import msgspec

from functions.runtime.rules import NO_MATCH, Rule, RuleMessage, RulePayloadError
from iot_button.errors import NotAClickError
from iot_button.messages import Message


def event_of(
    rule: Rule,
    message: Message,
    topic: str,
    fields: Any,
    clock: Callable[[], float],
) -> bytes | None:
    """Return the event; None where the rule wants none.

    Args:
        rule: a rule that matches the topic.
        message: the message.
        topic: its topic, without the prefix.
        fields: of a click, with those that we add to it; None: the message is none.
        clock: seconds since 1970.

    Raises:
        RulePayloadError: the message is nothing that a rule can read.
    """
    try:
        if not rule.selects_everything:
            return _applied(rule, message, topic, fields, clock)
        if fields is not None:
            return msgspec.json.encode(fields)
        msgspec.json.decode(message.payload)
    except RulePayloadError:
        raise
    except (ValueError, RecursionError) as error:
        raise RulePayloadError(f"it is not JSON: {error}", message.payload) from error
    return message.payload


def all_fields(payload: bytes) -> dict[str, Any]:
    """Return a click's fields, also those that `decode_click` passes over without a look.

    Raises:
        NotAClickError: one of those is no JSON: text that is not UTF-8, say, or 1e999.
    """
    try:
        fields: dict[str, Any] = msgspec.json.decode(payload)
    except (ValueError, RecursionError) as error:
        raise NotAClickError(str(error)[:200], payload) from error
    return fields


def _applied(
    rule: Rule,
    message: Message,
    topic: str,
    fields: Any,
    clock: Callable[[], float],
) -> bytes | None:
    about = {} if fields is None else {"decoded": fields}
    applied = rule.apply(RuleMessage(topic=topic, payload=message.payload, moment=clock(), **about))
    return None if applied is NO_MATCH else msgspec.json.encode(applied)
