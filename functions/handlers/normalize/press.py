"""What a foreign message says of a button, and the values in such messages, read with care."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LONG = 0
"""Stands where the number of presses does: the first of them was held."""


@dataclass(frozen=True, kw_only=True)
class Press:
    """What a message says. `button` and `channel` make the serial number.

    `presses`: how many, LONG, or None where nothing was pressed. `moment`: when, in RFC 3339.
    `is_dated`: the moment tells this press from all others of the button. `mark`: what is the same
    when the message is only repeated; within `repeats_within` seconds, or at any time (None).
    """

    button: str
    channel: str = ""
    presses: int | None
    moment: str | None = None
    is_dated: bool = False
    millivolts: int | None = None
    mark: str | None = None
    repeats_within: float | None = None

    @property
    def name(self) -> str:
        """The button among all buttons."""
        return f"{self.button}-{self.channel}" if self.channel else self.button


def known(words: dict[Any, int], value: object) -> int | None:
    """Return what a word means; None where it is none that is known, or no word."""
    return words.get(value) if type(value) in (str, int) else None


def object_of(value: object) -> dict[str, Any]:
    """Return an object; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def battery(value: object) -> int | None:
    """Return millivolts where they can be those of a battery: 500 to 20,000."""
    if isinstance(value, int | float) and 500 <= value <= 20_000:
        return round(value)
    return None


def count_of(value: object) -> int | None:
    """Return a counter's number; None where it is none that a small device has."""
    return value if isinstance(value, int) and 0 <= value < 1 << 32 else None


def instant(value: object) -> str | None:
    """Return a moment, in RFC 3339 or in seconds since 1970, as a click has it."""
    try:
        if isinstance(value, str) and value.endswith("Z"):
            moment = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and 1.5e9 < value < 4.1e9:  # its clock is set
            moment = datetime.fromtimestamp(value, UTC)
        else:
            return None
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except ValueError:
        return None
