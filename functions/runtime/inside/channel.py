"""Events in, results out: the two descriptors between the runtime and an execution environment.

Events are datagrams of a Unix socket pair, one each: kind (1 byte), sequence number (u32), header
length (u16), request id (36 ASCII bytes), header (JSON or nothing), payload. All little-endian.
Small events of a fast handler come several to a datagram: kind, their number (u16), and for each
its length (u32) and what it would be alone.
Results are frames on a pipe: length of what follows (u32), kind (u8), sequence number (u32),
duration in microseconds (u32), most memory used in KiB (u32), body.
"""

import os
import struct

# `socket` is 6 ms of start for names that are not needed here; it builds on this module.
from _socket import SO_RCVTIMEO, SOL_SOCKET, socket
from fcntl import F_DUPFD_CLOEXEC, fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DATAGRAM_BYTES = 65_536
INLINE, IN_FILE, STOP = b"E", b"F", b"X"
PACK = ord("P")
SUCCESS, FAILURE, READY, INIT_FAILURE, GIVEN_BACK = range(5)

EVENT = struct.Struct("<cIH36s")
PACK_HEAD = struct.Struct("<BH")
LENGTH = struct.Struct("<I")
_FRAME = struct.Struct("<IBIII")
_BEFORE_BODY = _FRAME.size - 4
_U32 = 2**32 - 1
_ONE_SECOND = struct.pack("@ll", 1, 0)  # struct timeval
_OUT_OF_REACH = (1000, 200, 3)


class Channel:
    """Both descriptors. `buffer` holds the datagram that was received last.

    Args:
        events: the socket's descriptor. results: the pipe's.
        on_idle: called once a second while there are no events.
    """

    def __init__(self, *, events: int, results: int, on_idle: "Callable[[], None]") -> None:
        self._events = socket(fileno=_moved(events))
        self._events.setsockopt(SOL_SOCKET, SO_RCVTIMEO, _ONE_SECOND)
        self._results = _moved(results)
        self._on_idle = on_idle
        self.is_sending = False
        self.buffer = bytearray(DATAGRAM_BYTES)
        # A child that a handler forks must neither answer nor hold the pipe open.
        os.register_at_fork(after_in_child=self._close)

    def receive(self) -> int:
        """Wait for an event and return its length; 0 when there is nobody left to send any."""
        while True:
            try:
                return self._events.recv_into(self.buffer)
            except BlockingIOError:
                self._on_idle()
            except OSError:
                return 0

    def send(self, kind: int, sequence: int, duration: float, memory: int, body: bytes) -> None:
        """Send a frame. `duration` is seconds, `memory` KiB."""
        frame = _FRAME.pack(
            _BEFORE_BODY + len(body),
            kind,
            sequence,
            min(_U32, int(duration * 1_000_000)),
            min(_U32, memory),
        )
        rest = frame + body
        self.is_sending = True
        written = os.write(self._results, rest)
        while written < len(rest):
            rest = rest[written:]
            written = os.write(self._results, rest)
        self.is_sending = False

    def _close(self) -> None:
        self._events.close()
        os.close(self._results)


def _moved(descriptor: int) -> int:
    """Move a descriptor to a high number.

    A handler that closes what it has not opened, and opens a file, would get the number again and
    our frames in its file.
    """
    for lowest in _OUT_OF_REACH:
        try:
            moved = fcntl(descriptor, F_DUPFD_CLOEXEC, lowest)
        except OSError:
            continue  # above the limit of this process (macOS: 256)
        os.close(descriptor)
        return moved
    return descriptor
