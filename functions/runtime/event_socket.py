"""The events' way into an execution environment: datagrams that it takes one at a time.

The form is in `inside/channel.py`. We hold the process's end too: what it has not taken yet we can
take back, and the kernel decides who gets a datagram.
"""

import contextlib
import errno
import logging
import os
import socket
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

from functions.runtime.runs import Run

log = logging.getLogger(__name__)

_EVENT = struct.Struct("<cIH36s")
_PACK = struct.Struct("<cH")
_LENGTH = struct.Struct("<I")
_LARGEST_DATAGRAM = 65_536
_SMALLEST_LIMIT = 1024


class EventSocket:
    """A pair of datagram sockets. What is too large for a datagram goes by a file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.setblocking(False)
        self._largest = _LARGEST_DATAGRAM
        self._sequence = 0
        self._files: dict[str, Path] = {}

    @property
    def inside(self) -> int:
        """The descriptor that the process gets."""
        return self._theirs.fileno()

    def put(self, runs: Sequence[Run]) -> int:
        """Send events, in one datagram; return how many of them: fewer when they are large.

        0: the socket is full, or the process has ended.
        """
        datagrams: list[bytes] = []
        size = _PACK.size
        for run in runs:
            try:
                datagram = self._datagram(run)
            except OSError as error:
                log.error("an event of %d bytes cannot be handed over: %s", len(run.event), error)
                self.forget(run)
                break
            size += _LENGTH.size + len(datagram)
            if datagrams and size > self._largest:
                self.forget(run)
                break
            datagrams.append(datagram)
        if not datagrams:
            return 0
        try:
            self._ours.send(datagrams[0] if len(datagrams) == 1 else _packed(datagrams))
        except OSError as error:
            for run in runs:
                self.forget(run)
            if error.errno == errno.EMSGSIZE and self._largest > _SMALLEST_LIMIT:
                self._largest //= 2  # this system takes less (macOS by default: 2 KiB)
                return self.put(runs)
            return 0
        return len(datagrams)

    def take_back(self) -> int:
        """Take back what the process has not taken; return how many events that were."""
        count = 0
        with contextlib.suppress(BlockingIOError, OSError):
            while head := self._theirs.recv(_PACK.size, socket.MSG_DONTWAIT):
                if head[:1] == b"P":
                    count += _PACK.unpack(head)[1]
                elif head[:1] != b"X":
                    count += 1
        return count

    def stop(self) -> None:
        """Tell the process to end when it comes to this."""
        with contextlib.suppress(OSError):
            self._ours.send(b"X")

    def forget(self, run: Run) -> None:
        """Remove what was kept for an event that has ended, or was taken back."""
        if self._files and (path := self._files.pop(run.request_id, None)) is not None:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close both ends, and remove all files."""
        self._ours.close()
        self._theirs.close()
        for path in self._files.values():
            path.unlink(missing_ok=True)

    def _datagram(self, run: Run) -> bytes:
        self._sequence += 1
        run.sequence = self._sequence
        kind, payload = b"E", run.event
        if len(payload) > self._largest - _EVENT.size - len(run.header):
            kind, payload = b"F", self._to_file(run)
        head = _EVENT.pack(kind, run.sequence, len(run.header), run.request_id.encode())
        return head + run.header + payload

    def _to_file(self, run: Run) -> bytes:
        fd, name = tempfile.mkstemp(prefix="event-", dir=self._folder)
        self._files[run.request_id] = Path(name)
        with os.fdopen(fd, "wb") as file:
            file.write(run.event)
        return name.encode()


def _packed(datagrams: Sequence[bytes]) -> bytes:
    parts = [_PACK.pack(b"P", len(datagrams))]
    for datagram in datagrams:
        parts += (_LENGTH.pack(len(datagram)), datagram)
    return b"".join(parts)
