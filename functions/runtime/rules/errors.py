"""What can be wrong with a rule, and what can be wrong with a message that a rule is tried on."""

from typing import ClassVar

from iot_button.errors import IotButtonError

_SHOWN = 72
"""Characters of a long line that are shown around the place of an error."""


class RuleError(IotButtonError, ValueError):
    """A rule that cannot be compiled.

    `reason`: what is wrong, without the place. `offset`: where in `sql`, in characters from 0;
    `line` and `column` count from 1. The message shows the line with a caret under the place.
    """

    exit_status: ClassVar[int] = 2

    def __init__(self, reason: str, *, sql: str, offset: int, mend: str = "") -> None:
        self.reason = reason
        self.sql = sql
        self.offset = offset
        self.line = sql.count("\n", 0, offset) + 1
        start = sql.rfind("\n", 0, offset) + 1
        self.column = offset - start + 1
        place = f"line {self.line}, column {self.column} of the sql"
        super().__init__(f"{reason} ({place})\n{_pointed_at(sql, start, offset)}", mend=mend)


class RulePayloadError(IotButtonError, ValueError):
    """A message whose payload a rule cannot read. Keeps the bytes as they came."""

    def __init__(self, reason: str, payload: bytes) -> None:
        super().__init__(f"the rule cannot read the payload: {reason}")
        self.reason = reason
        self.payload = payload


def _pointed_at(sql: str, start: int, offset: int) -> str:
    """Return the line that begins at `start`, cut to what fits, and a caret under `offset`."""
    end = sql.find("\n", offset)
    first = max(start, offset - _SHOWN // 2)
    shown = sql[first : min(len(sql) if end < 0 else end, first + _SHOWN)]
    # What moves a terminal's cursor, or is a hidden character, would put the caret elsewhere.
    clean = "".join(c if c.isprintable() else " " for c in shown)
    return f"  {clean}\n  {' ' * (offset - first)}^"
