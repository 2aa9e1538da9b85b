"""A file of frames, each written whole with one call: what a process killed with -9 had written.

A frame is its length, the CRC-32 of its body, and the body. Reading ends at the first frame that is
not whole: the last one of a process that was killed, or what a power cut left.
"""

import logging
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from iot_button.files import NewerFileError, StorageError, open_private, set_aside

log = logging.getLogger(__name__)

_FRAME = struct.Struct("<II")
_MAGIC = b"iot-button journal 2\n"
_OLDER = (b"iot-button journal 1\n",)
"""Of as many bytes, and with frames of the same form; they lack later kinds of records."""
_ANY_VERSION = b"iot-button journal "


class Journal:
    """Numbered files `journal-<n>` in a folder; the one with the highest whole start counts.

    `restart` begins the next file with a frame that holds all that still matters, and removes the
    one before: at every moment one of the two is whole.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._descriptor = -1
        self.length = 0

    def read(self) -> list[bytes]:
        """Return the bodies of the newest file that has a whole frame.

        Raises:
            NewerFileError: a newer version wrote it.
            StorageError: it cannot be read.
        """
        numbers = sorted(self._numbers(), reverse=True)
        self._number = numbers[0] if numbers else 0
        return next((found for number in numbers if (found := self._read(number))), [])

    def append(self, body: bytes) -> None:
        """Write a frame; a failure leaves the frames as they were.

        Raises:
            StorageError: it cannot be written.
        """
        data = _frame(body)
        _write(self._descriptor, self._path(self._number), data, self.length)
        self.length += len(data)

    def restart(self, body: bytes) -> None:
        """Begin the next file with this frame, and remove the others.

        Raises:
            StorageError: it cannot be written; the file before goes on.
        """
        path = self._path(self._number + 1)
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            data = _MAGIC + _frame(body)
            _write(descriptor, path, data, 0)
        except StorageError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self.close()
        self._descriptor, self.length = descriptor, len(data)
        self._number += 1
        for number in self._numbers():
            if number != self._number:
                self._path(number).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _numbers(self) -> Iterator[int]:
        for path in self._folder.glob("journal-*"):
            number = path.name.removeprefix("journal-")
            if number.isdecimal():
                yield int(number)

    def _path(self, number: int) -> Path:
        return self._folder / f"journal-{number}"

    def _read(self, number: int) -> list[bytes]:
        path = self._path(number)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError.of(path, error) from error
        if data.startswith((_MAGIC, *_OLDER)):
            return list(_whole_frames(path, data))
        if any(magic.startswith(data) for magic in (_MAGIC, *_OLDER)):  # a kill cut the first write
            return []
        if data.startswith(_ANY_VERSION):
            mend = "update iot-button, or move the file away"
            raise NewerFileError(path, "made by a newer version", mend=mend)
        set_aside(path)
        return []


def _frame(body: bytes) -> bytes:
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _write(descriptor: int, path: Path, data: bytes, place: int) -> None:
    try:
        written = os.pwrite(descriptor, data, place)
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], place + written)
    except OSError as error:  # what was written in part is no whole frame, and is written over
        raise StorageError.of(path, error) from error


def _whole_frames(path: Path, data: bytes) -> Iterator[bytes]:
    start = len(_MAGIC)
    while start + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, start)
        body = data[start + _FRAME.size : start + _FRAME.size + length]
        if len(body) < length or zlib.crc32(body) != check:
            break
        yield body
        start += _FRAME.size + length
    if start < len(data):
        log.info("%s: the last %d bytes are no whole frame", path, len(data) - start)
