"""User properties: what an MQTT 5 publisher says beside the payload (MQTT 5.0, 2.2.2, 3.3.2.3.7).

Pure functions on bytes. All other properties are passed over; what is read is hostile.
"""

from collections.abc import Iterable
from typing import Final

from iot_button.packets import encoded_length

MOST_READ: Final = 4096
"""Bytes of a message's properties that are looked at; a flood of them costs no more than that."""

_USER: Final = 0x26
_SIZES: Final = {0x01: 1, 0x02: 4, 0x23: 2}
_WITH_LENGTH: Final = (0x03, 0x08, 0x09)
_VARIABLE: Final = 0x0B


def encoded(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return user properties as they stand in a packet, without the length before them.

    Raises:
        ValueError: a name or a value is longer than 65,535 bytes.
    """
    return b"".join(b"%c%b%b" % (_USER, _text(name), _text(value)) for name, value in pairs)


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > 65_535:
        raise ValueError(f"a user property of {len(data)} bytes is longer than MQTT can say")
    return len(data).to_bytes(2) + data


def with_length(properties: bytes) -> bytes:
    """Return properties as a packet has them: their length comes first."""
    return encoded_length(len(properties)) + properties


def span(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """Return where the properties that begin at `start` with their length begin and end.

    Raises:
        ValueError: they do not end before `stop`.
    """
    length, shift = 0, 0
    for index in range(start, min(start + 4, stop)):
        byte = data[index]
        length |= (byte & 127) << shift
        if byte < 128:
            if index + 1 + length > stop:
                break
            return index + 1, index + 1 + length
        shift += 7
    raise ValueError("a message shorter than its properties")


def user_property(properties: bytes, name: str) -> str | None:
    """Return the first user property of that name; None where there is none, or none to be read."""
    data, wanted = properties[:MOST_READ], name.encode()
    position = 0
    try:
        while position < len(data):
            kind, position = data[position], position + 1
            if kind == _USER:
                key, position = _next(data, position)
                value, position = _next(data, position)
                if key == wanted:
                    return value.decode()
            else:
                position = _behind(data, kind, position)
    except (ValueError, IndexError):
        return None
    return None


def _next(data: bytes, position: int) -> tuple[bytes, int]:
    stop = position + 2 + (data[position] << 8 | data[position + 1])
    if stop > len(data):
        raise ValueError("cut off")
    return data[position + 2 : stop], stop


def _behind(data: bytes, kind: int, position: int) -> int:
    if kind in _SIZES:
        return position + _SIZES[kind]
    if kind in _WITH_LENGTH:
        return _next(data, position)[1]
    if kind != _VARIABLE:
        raise ValueError(f"{kind:#x} is no property of a message")
    while data[position] > 127:
        position += 1
    return position + 1
