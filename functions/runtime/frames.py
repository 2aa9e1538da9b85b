"""What comes out of an execution environment: frames on a pipe, as `inside/channel.py` has them."""

import enum
import struct
from collections.abc import Iterator

import msgspec

_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<BIII")


_LONGEST = 8 << 20
"""Bytes: a result has at most 6 MiB."""


class NoFrameError(ValueError):
    """What was read is none of our frames: a handler has found the pipe and written into it."""


class Kind(enum.IntEnum):
    """What a frame says."""

    SUCCESS = 0
    FAILURE = 1
    READY = 2
    INIT_FAILURE = 3
    GIVEN_BACK = 4


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame. `duration` is seconds, `memory` the most that was ever used, in KiB."""

    kind: int
    sequence: int
    duration: float
    memory: int
    body: bytes


class Frames:
    """Cuts frames out of what was read, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes, and yield every whole frame.

        Raises:
            NoFrameError: what comes next is none.
        """
        self._rest += data
        position, end = 0, len(self._rest)
        try:
            while end - position >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._rest, position)
                if not _HEAD.size <= length <= _LONGEST:
                    raise NoFrameError(f"a frame of {length} bytes")
                stop = position + _LENGTH.size + length
                if stop > end:
                    break
                kind, sequence, microseconds, memory = _HEAD.unpack_from(
                    self._rest, position + _LENGTH.size
                )
                body = bytes(self._rest[position + _LENGTH.size + _HEAD.size : stop])
                position = stop
                yield Frame(kind, sequence, microseconds / 1e6, memory, body)
        finally:
            del self._rest[:position]
