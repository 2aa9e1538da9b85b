"""WebSocket frames as a server sends them (RFC 6455, section 5.2): whole, unmasked, uncompressed.

One event goes to every browser as the same bytes, so they are made once, here, and not once for
each connection by a WebSocket library.
"""

import enum
import struct

_FINAL_TEXT = 0x81
_FINAL_CLOSE = 0x88
_TWO_BYTE_LENGTH = 126
_EIGHT_BYTE_LENGTH = 127


class CloseCode(enum.IntEnum):
    """Why we close a connection (RFC 6455, section 7.4.1)."""

    GOING_AWAY = 1001
    POLICY_VIOLATION = 1008
    TRY_AGAIN_LATER = 1013


def text_frame(text: bytes) -> bytes:
    """Return the frame of one text message. `text` is UTF-8."""
    return _header(_FINAL_TEXT, len(text)) + text


def close_frame(code: CloseCode, reason: str = "") -> bytes:
    """Return the frame that closes a connection. `reason`: at most 123 bytes of UTF-8."""
    payload = struct.pack("!H", code) + reason.encode()
    return _header(_FINAL_CLOSE, len(payload)) + payload


def _header(first: int, length: int) -> bytes:
    if length < _TWO_BYTE_LENGTH:
        return bytes((first, length))
    if length < 1 << 16:
        return struct.pack("!BBH", first, _TWO_BYTE_LENGTH, length)
    return struct.pack("!BBQ", first, _EIGHT_BYTE_LENGTH, length)
