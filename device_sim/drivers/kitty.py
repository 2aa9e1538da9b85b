"""What a terminal sends, as keys: plain bytes, and the kitty keyboard protocol. Pure.

Only what that protocol reports as a key event tells when a key is released; a plain byte is a tap.
Source: the specification of kitty's keyboard protocol (progressive enhancement), and for the plain
bytes ECMA-48.
"""

import enum
import re
from dataclasses import dataclass

QUERY = b"\x1b[?u"
"""Asks for the flags that are set; a terminal without the protocol does not answer."""
QUERY_ATTRIBUTES = b"\x1b[c"
"""Asks what terminal it is. Nearly all answer, and in order: so it tells when none will come."""
PUSH = b"\x1b[>15u"
"""Report keys unambiguously (1), with releases (2), with the key's place (4), text keys too (8).

Without 8 the space bar stays a plain byte and is never released. With 4 `q` and Ctrl-C are found
on keyboards whose letters are not Latin.
"""
POP = b"\x1b[<u"
NEEDED = 0b1010
"""The flags without which a key's release is not reported."""

CTRL = 0b100
_SHIFT_AND_LOCKS = 0b1100_0001
_ESCAPE = 0x1B
_LONGEST = 64  # bytes; no report of a key is nearly as long
_REPORTED_KEY = re.compile(
    rb"(\d{1,7})(?::\d*)?(?::(\d{0,7}))?(?:;(\d{0,4})(?::([123]))?(?:;[\d:]*)?)?"
)


class Action(enum.Enum):
    """What a key did. TAP: it was pressed, and nothing will tell when it is released."""

    TAP = 0
    PRESS = 1
    REPEAT = 2
    RELEASE = 3


@dataclass(frozen=True, slots=True)
class Key:
    """One event of one key. `code`: the character on it, not shifted where that is known."""

    code: int
    action: Action
    modifiers: int = 0

    def is_plain(self, character: str) -> bool:
        """Whether it is that key with no modifier but shift (or a lock)."""
        is_it = chr(self.code).lower() == character if self.code < 128 else False
        return is_it and not self.modifiers & ~_SHIFT_AND_LOCKS

    def is_ctrl(self, character: str) -> bool:
        """Whether it is that key with Ctrl."""
        return self.code == ord(character) and self.modifiers & ~_SHIFT_AND_LOCKS == CTRL


@dataclass(frozen=True, slots=True)
class Flags:
    """The terminal speaks the protocol, and has these flags set."""

    bits: int


@dataclass(frozen=True, slots=True)
class Attributes:
    """The terminal has answered `QUERY_ATTRIBUTES`."""


Report = Key | Flags | Attributes


class Reader:
    """Reads what a terminal sends, cut into pieces anywhere.

    What is not known is left out. A space is never left out: it ends whatever sequence it is in.
    """

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, data: bytes) -> list[Report]:
        """Return what is complete with these bytes."""
        reports = (self._take(byte) for byte in data)
        return [report for report in reports if report is not None]

    def _take(self, byte: int) -> Report | None:
        if byte == _ESCAPE:
            self._begun = b"\x1b"
            return None
        begun, self._begun = self._begun, b""
        if not begun or not 0x21 <= byte <= 0x7E:
            return _plain(byte)
        if begun == b"\x1b":
            if byte not in b"[O":
                return _plain(byte)  # with Alt, or after Esc
            self._begun = begun + bytes([byte])
            return None
        return self._go_on(begun, byte)

    def _go_on(self, begun: bytes, byte: int) -> Report | None:
        if begun in (b"\x1bO", b"\x1b[["):  # a function key; the second form is the Linux console's
            return None
        is_last = byte >= 0x40
        if not is_last or (begun == b"\x1b[" and byte == ord("[")):
            self._begun = (begun + bytes([byte])) if len(begun) < _LONGEST else b""
            return None
        return _report(begun[2:], chr(byte))


def _plain(byte: int) -> Key | None:
    if byte < 0x20:
        return Key(byte + 0x60, Action.TAP, CTRL) if byte else None
    return Key(byte, Action.TAP) if byte < 0x7F else None


def _report(parameters: bytes, last: str) -> Report | None:
    if parameters.startswith(b"?"):
        if last == "u" and parameters[1:].isdigit():
            return Flags(int(parameters[1:]))
        return Attributes() if last == "c" else None
    match = _REPORTED_KEY.fullmatch(parameters)
    if last != "u" or match is None:
        return None
    code, place, modifiers, action = (int(group or 0) for group in match.groups())
    is_latin = code < 128 or not place
    return Key(code if is_latin else place, Action(action or 1), max(0, (modifiers or 1) - 1))
