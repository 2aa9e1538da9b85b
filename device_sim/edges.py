"""Recorded edges: a text file of what a contact said, to be read again, and one being written.

One edge a line, `<seconds> D` where the contact closed (down) and `<seconds> U` where it opened
(up): seconds of any clock, which never go backward. What follows a `#` is a comment; blank lines
are fine.
"""

import errno
import io
import logging
import math
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from device_sim.bounce import Edge
from iot_button.errors import IotButtonError
from iot_button.files import StorageError, open_private

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two recordings in one file: longer than any gesture waits for an edge."""
_EDGE = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)[ \t]+([DU])", re.ASCII)
_QUOTED = 40  # characters of a bad line that a message repeats


class EdgesError(IotButtonError, ValueError):
    """A line that is no edge, or one that is before the last. `line` counts from 1."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        super().__init__(f"{source}, line {line}: {problem}", mend="mend that line, or remove it")
        self.source = source
        self.line = line


def read_edges(lines: Iterable[bytes], *, source: str) -> list[Edge]:
    """Read the lines of a recording.

    Args:
        lines: as they stand in the file.
        source: what a message calls the file.

    Raises:
        EdgesError: names the first line that is wrong.
    """
    edges: list[Edge] = []
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8-sig", errors="replace").partition("#")[0].strip()
        if not text:
            continue
        edge = _edge(text, source, number)
        if edges and edge.moment < edges[-1].moment:
            problem = f"{edge.moment:g} s is before {edges[-1].moment:g} s, where the last edge was"
            raise EdgesError(source, number, problem)
        edges.append(edge)
    return edges


def _edge(text: str, source: str, number: int) -> Edge:
    match = _EDGE.fullmatch(text)
    moment = float(match[1]) if match else math.inf
    if match is None or math.isinf(moment):
        problem = f'{text[:_QUOTED]!r} is no edge, as "1.250 D" (down) or "1.380 U" (up) is'
        raise EdgesError(source, number, problem)
    return Edge(match[2] == "D", moment)


class EdgeRecorder:
    """Appends edges to a file as they come, each with one write of its own.

    Time in the file begins at 0, or a minute after what it already has, and goes on a minute later
    after each `start_over`, whatever the edges' clock says. A disk that cannot be written to is
    logged once, and ends the recording, not the button.

    Args:
        path: the file; it is made where it is missing, for this user alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.FileIO | None = None
        self._begins_at = 0.0  # in the file's time, as `_last`
        self._last = 0.0
        self._offset: float | None = None  # from the edges' time to the file's

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            StorageError: it cannot be opened or read, or is no file.
            EdgesError: there is something else in it than edges.
        """
        descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._file = io.FileIO(descriptor, "a+")
        try:
            self._go_on(self._file)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def edge(self, is_pressed: bool, moment: float) -> None:
        """Append an edge; `moment` is in seconds. Does nothing when the recording has ended."""
        if self._offset is None:
            self._offset = self._begins_at - moment
        self._last = max(self._last, moment + self._offset)
        self._write(f"{self._last:.6f} {'D' if is_pressed else 'U'}\n".encode("ascii"))

    def start_over(self) -> None:
        """Take that the edges' clock began anew."""
        if self._offset is not None:
            self._begins_at, self._offset = self._last + PAUSE, None

    def close(self) -> None:
        """End the recording."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _go_on(self, file: io.FileIO) -> None:
        try:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise StorageError(self.path, "is no file", mend="record into a file of its own")
            file.seek(0)
            old = file.readall()
        except StorageError:
            raise
        except OSError as error:
            raise StorageError.of(self.path, error) from error
        edges = read_edges(old.splitlines(), source=str(self.path))
        if edges:
            self._last = edges[-1].moment
            self._begins_at = self._last + PAUSE
        if old and not old.endswith(b"\n"):
            self._write(b"\n")

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        size = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) != len(line):
                self._file.truncate(size)  # no half line stays
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            log.error("%s: %s; nothing more is recorded", self.path, error.strerror)
            self.close()
