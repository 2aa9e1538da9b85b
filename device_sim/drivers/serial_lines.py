"""What a microcontroller says, line by line: from bytes to values. Pure.

Lines end in LF or CR LF. The device is not trusted: what is none of our lines is told apart,
kept short, and never fatal.
"""

import re
from dataclasses import dataclass

from iot_button.events import MAX_PAYLOAD_BYTES, ClickType, parse_millivolts

LONGEST_WORDS = 1024
"""Bytes of a line that is no payload; a payload has `MAX_PAYLOAD_BYTES`."""
LONGEST_FIRMWARE = 64

_EDGE = re.compile(r"([DU])(?: +([0-9]{1,20}))?")
_HELLO = re.compile(r"HELLO +iot-button(?: +(.*))?")
_BATTERY = re.compile(r"BATTERY +([0-9]{1,6})(?:mV)?")


@dataclass(frozen=True, slots=True)
class Edge:
    """`D` or `U`, the contact closed or opened; `milliseconds` by the microcontroller's clock."""

    is_pressed: bool
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class Recognized:
    """`SINGLE`, `DOUBLE` or `LONG`: the microcontroller tells gestures apart by itself."""

    click_type: ClickType


@dataclass(frozen=True, slots=True)
class Payload:
    """`{...}`: a click in the button's own JSON form, or what may be one."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Battery:
    """`BATTERY 2875` or `BATTERY 2875mV`."""

    millivolts: int | None


@dataclass(frozen=True, slots=True)
class Hello:
    """`HELLO iot-button <firmware>`: said at the start, and as the answer to `HELLO?`."""

    firmware: str | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """`SLEEP`: nothing will come until the next press."""


@dataclass(frozen=True, slots=True)
class Comment:
    """`#...`: for whoever debugs the firmware."""

    text: str


Line = Edge | Recognized | Payload | Battery | Hello | Sleep | Comment


def read_line(line: bytes) -> Line | None:
    """Return what a line says; None: it is none of ours."""
    if line.startswith(b"{"):
        return Payload(line)
    try:
        text = line.decode().strip(" \t")
    except UnicodeDecodeError:
        return None
    if text.startswith("#"):
        return Comment(text[1:])
    if text == "SLEEP":
        return Sleep()
    if text in ClickType.__members__:
        return Recognized(ClickType[text])
    return _with_value(text)


def _with_value(text: str) -> Line | None:
    if edge := _EDGE.fullmatch(text):
        return Edge(edge[1] == "D", None if edge[2] is None else int(edge[2]))
    if battery := _BATTERY.fullmatch(text):
        return Battery(parse_millivolts(int(battery[1])))
    if hello := _HELLO.fullmatch(text):
        return Hello(_firmware(hello[1] or ""))
    return None


def _firmware(text: str) -> str | None:
    """Return the words as they may be shown anywhere: they come from the device."""
    words = " ".join("".join(c for c in text if c.isprintable()).split())
    return words[:LONGEST_FIRMWARE] or None


class Splitter:
    """Cuts the bytes of a port into lines, whatever pieces they come in.

    Blank lines are left out. A line that is too long is not kept, so that a device that never ends
    its line cannot take our memory.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Return the lines that end in `data`, without their ends; None for one too long."""
        *ended, rest = (self._rest + data).split(b"\n")
        found: list[bytes | None] = []
        for line in ended:
            if self._is_skipping or _is_too_long(line):
                found.append(None)
                self._is_skipping = False
            elif line.strip():
                found.append(line.rstrip(b"\r"))
        self._is_skipping = self._is_skipping or _is_too_long(rest)
        self._rest = b"" if self._is_skipping else rest
        return found

    @property
    def is_amid_a_line(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._is_skipping or bool(self._rest.strip())


def _is_too_long(line: bytes) -> bool:
    limit = MAX_PAYLOAD_BYTES if line.startswith(b"{") else LONGEST_WORDS
    return len(line.rstrip(b"\r")) > limit
