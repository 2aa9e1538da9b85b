"""One browser that watches: its socket, and the bounded queue before it."""

import contextlib
import socket
import threading
from collections import deque
from queue import SimpleQueue

from dashboard.frames import CloseCode, close_frame
from dashboard.tls import TlsConnection

CLOSE_WAIT = 0.4
"""Seconds that a browser has to answer our close frame before the connection is cut."""

SEND_BUFFER_BYTES = 128 * 1024
"""What the kernel holds for a browser that does not read. Left alone it grows to 4 MB each."""

_MAX_BATCH = 64


class Client:
    """A browser's socket on which each frame goes out whole, and the queue of what is to go out.

    A frame is written where it is offered if the kernel takes it at once, and otherwise by this
    browser's own thread in `run`: waking a thread for each frame and browser costs 100 µs, the
    write alone 10 (measured with 500 browsers on 2 shared cores).

    simple-websocket gets this in place of the socket. Its own thread reads there, and answers
    pings, while events are written; it also takes `send` for `sendall`. Here all that is written
    is written under one lock, each frame whole, and nothing follows a close frame.

    Args:
        connection: the TCP connection. Whoever accepted it closes it, after `run` has returned.
        max_queued: frames that may wait; a browser with more is a slow consumer.
    """

    def __init__(self, connection: socket.socket | TlsConnection, *, max_queued: int) -> None:
        self._connection = connection
        self._max_queued = max_queued
        self._frames: deque[bytes] = deque()
        self._unsent = b""
        self._goodbye = b""
        self._has_said_goodbye = False
        # Guards the socket's writing side, and taking from the queue: what was taken is written
        # before anything offered later.
        self._send_lock = threading.Lock()
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        self._gone = threading.Event()
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def offer(self, frame: bytes) -> bool:
        """Write or queue a frame, never waiting; False for a slow consumer, whose queue is full.

        One thread at a time may offer.
        """
        if len(self._frames) >= self._max_queued:
            return False
        if not self._write_now(frame):
            self._frames.append(frame)
            self._wakes.put(True)
        return True

    def run(self) -> None:
        """Write what is queued until the browser leaves, or is told to, or is dropped."""
        with contextlib.suppress(OSError):
            while self._wakes.get():
                self._write_queued(_MAX_BATCH)
            self._say_goodbye()
        self.drop()

    def tell_to_leave(self, code: CloseCode, reason: str) -> None:
        """Have the browser closed, after what is queued for it."""
        self._goodbye = close_frame(code, reason)
        self._wakes.put(False)

    def drop(self) -> None:
        """Cut the connection at once. A thread blocked in sending is free within milliseconds."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes) -> int:
        """Send all of `data`, between other frames and never inside one."""
        with self._send_lock:
            self._write(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Receive, for the reading thread."""
        return self._connection.recv(size)

    def fileno(self) -> int:
        """Return the descriptor, for the reading thread's selector."""
        return self._connection.fileno()

    def close(self) -> None:
        """End the writing, for the reading thread when the browser has left.

        Only shut down: the descriptor closed here could already be another connection's while
        the writing thread still sends.
        """
        self.drop()
        self._gone.set()
        self._wakes.put(False)

    def _write_now(self, frame: bytes) -> bool:
        if not self._send_lock.acquire(blocking=False):
            return False
        try:
            if self._frames or self._unsent or self._has_said_goodbye:
                return False
            sent = self._connection.send(frame, socket.MSG_DONTWAIT)
        except OSError:  # the kernel takes nothing now, or the browser has left
            return False
        else:
            self._keep_unsent(frame[sent:])
            return True
        finally:
            self._send_lock.release()

    def _keep_unsent(self, rest: bytes) -> None:
        is_behind = isinstance(self._connection, TlsConnection) and self._connection.is_behind
        if rest or is_behind:
            self._unsent = rest
            self._wakes.put(True)

    def _write_queued(self, count: int) -> None:
        with self._send_lock:
            frames = [self._frames.popleft() for _ in range(min(count, len(self._frames)))]
            self._write(b"".join(frames))

    def _write(self, data: bytes) -> None:
        unsent, self._unsent = self._unsent, b""
        if not self._has_said_goodbye:
            self._connection.sendall(unsent + data)

    def _say_goodbye(self) -> None:
        if not self._goodbye or self._gone.is_set():
            return
        self._write_queued(self._max_queued)
        with self._send_lock:
            self._write(self._goodbye)
            self._has_said_goodbye = True
        self._gone.wait(CLOSE_WAIT)
