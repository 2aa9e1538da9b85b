"""What `/api/functions` answers. Every text is hostile until shown as text."""

from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec

from dashboard.dead_letters import NotADeadLetterError, decode_dead_letter
from dashboard.functions_client import Letter, LogLine
from dashboard.functions_figures import FunctionFigures
from dashboard.store.dead_letters import as_text
from iot_button.events import EPOCH, format_instant

MOST_TEXT: Final = 4000
"""Characters shown of a line."""


class FunctionsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """All functions. `problem`: why there are none to be seen, where the runtime is away."""

    address: str
    problem: str | None
    functions: list[FunctionFigures]


class FunctionLetter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A failed invocation that can be run again."""

    id: int
    failed_at: str
    reason: str
    attempts: int | None = None
    request_id: str | None = None
    payload: str = ""
    payload_is_base64: bool = False


class FunctionLetters(msgspec.Struct, frozen=True, rename="camel"):
    """A function's dead letters, newest first."""

    dead_letters: list[FunctionLetter]


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A line that a function wrote, or START, END and REPORT; hostile text."""

    number: int
    written_at: str
    request_id: str
    text: str


class Lines(msgspec.Struct, frozen=True):
    """Lines, oldest first. `run`: with the next start of the runtime numbers begin anew."""

    run: str
    lines: list[Line]


class Redrive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letter is run again; all of them where there is no id."""

    id: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] | None = None


class Redriven(msgspec.Struct, frozen=True):
    """How many events were queued again."""

    redriven: int


def line_of(line: LogLine) -> Line:
    """Return a line as browsers get it, cut to `MOST_TEXT`."""
    text = line.text.rstrip("\n")
    if len(text) > MOST_TEXT:
        text = text[: MOST_TEXT - 1] + "…"
    return Line(
        number=line.number, written_at=_instant(line.moment), request_id=line.request_id, text=text
    )


def letter_of(function: str, letter: Letter) -> FunctionLetter:
    """Return a dead letter as browsers get it."""
    values: Any = {"id": letter.id, "failed_at": _instant(letter.moment)}
    try:
        found = decode_dead_letter(bytes(letter.record), function=function)
    except NotADeadLetterError as error:  # its event can be run again all the same
        return FunctionLetter(**values, reason=f"its record cannot be read: {error}")
    payload, is_base64 = as_text(found.payload)
    return FunctionLetter(
        **values,
        reason=found.reason,
        attempts=found.attempts,
        request_id=found.request_id,
        payload=payload,
        payload_is_base64=is_base64,
    )


def _instant(moment: float) -> str:
    return format_instant(EPOCH + timedelta(seconds=moment))
