"""What a rule is tried on: one MQTT message, its JSON read when a rule first needs it."""

from datetime import datetime
from typing import Any

import msgspec

from functions.runtime.rules.errors import RulePayloadError
from functions.runtime.rules.values import UNREAD

MAX_NESTING = 100
"""How deep a payload's arrays and objects may nest. Ours: what is read must also be written again,
inside what a rule puts around it, and both recurse."""

_decode = msgspec.json.Decoder().decode


class RuleMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a rule sees it.

    `moment`: when it came, aware, or as seconds since the beginning of 1970 in UTC.
    `client_id`: the publisher's; None where it is not known, as MQTT does not tell subscribers.
    `decoded`: the payload's JSON, where the caller has it already.
    """

    topic: str
    payload: bytes
    moment: datetime | float
    client_id: str | None = None
    decoded: Any = UNREAD

    def document(self) -> Any:
        """Return the payload's JSON value; it is decoded once.

        Raises:
            RulePayloadError: when it is no JSON, or more than this runtime handles.
        """
        if self.decoded is UNREAD:
            try:
                msgspec.structs.force_setattr(self, "decoded", read_json(self.payload))
            except ValueError as error:
                raise RulePayloadError(str(error)[:200], self.payload) from error
        return self.decoded


def read_json(payload: bytes) -> Any:
    """Decode JSON whose depth is bounded.

    Raises:
        ValueError: when it is no JSON, nests too deep, or has a number that no double holds.
    """
    try:
        value = _decode(payload)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    # Nearly every message has so few brackets that it cannot be too deep.
    brackets = payload.count(b"[") + payload.count(b"{")
    if brackets > MAX_NESTING and _is_too_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


_TOO_DEEP = f"it nests deeper than {MAX_NESTING}"


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _depth in range(MAX_NESTING + 1):
        containers = [item for item in level if isinstance(item, list | dict)]
        level = [
            item
            for container in containers
            for item in (container.values() if isinstance(container, dict) else container)
        ]
        if not containers:
            return False
    return True
