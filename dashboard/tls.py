"""TLS for the dashboard's connections: a socket of which two threads may use one direction each.

An SSLSocket is not made for a browser's socket here: one thread reads from it while another
writes, and writing must not wait. So the cipher works in memory, under a lock that is never held
while the network is waited for, and the bytes go by the plain socket.
"""

import contextlib
import io
import logging
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Final

from iot_button.errors import SettingError
from iot_button.settings import Settings
from iot_button.tls import CertificateFiles, ClientCertificates, renew, server_context

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT: Final = 10.0
_MOST: Final = 64 * 1024


class Certificate:
    """A certificate and its key, read anew when their files have changed.

    Raises:
        SettingError: they cannot be read, or do not fit together.
    """

    def __init__(self, files: CertificateFiles, *, mend: str) -> None:
        self._files = files
        self._stamp = self._stamp_of_files()
        self._lock = threading.Lock()
        try:
            self.context = server_context(files, clients=ClientCertificates.NONE)
        except OSError as error:
            problem = f"the dashboard cannot use {files.server} and {files.key}: {error}"
            raise SettingError("dashboard.certificate_file", problem, mend=mend) from error

    def refresh(self) -> None:
        """Load what has changed: for handshakes from now on."""
        with self._lock, contextlib.suppress(OSError):
            stamp = self._stamp_of_files()
            if stamp != self._stamp:
                renew(self.context, self._files)  # half-written files fail, and are tried again
                self._stamp = stamp

    def _stamp_of_files(self) -> tuple[tuple[int, int], ...]:
        found = []
        for path in (self._files.server, self._files.key):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_ino))
        return tuple(found)


def certificate_of(settings: Settings) -> Certificate | None:
    """Return what the dashboard shows of itself; None: it has no TLS. Raises as `Certificate`."""
    ours = settings.dashboard
    if ours.certificate_file is not None and ours.key_file is not None:
        certificate = Path(ours.certificate_file).expanduser()
        files = CertificateFiles(
            ca=certificate,
            server=certificate,
            key=Path(ours.key_file).expanduser(),
            crl=certificate,
        )
        return Certificate(files, mend="see dashboard.certificate_file and dashboard.key_file")
    if not ours.tls:
        return None
    mend = (
        "the broker of this installation makes them: start it with the same settings, as "
        "`iot-button up` does; or name your own: dashboard.certificate_file, dashboard.key_file"
    )
    return Certificate(CertificateFiles.of(Path(settings.state_dir)), mend=mend)


class TlsConnection:
    """A connection with TLS in the form of a socket, as far as our web server uses one.

    Args:
        raw: the connection. Whoever accepted it closes it.
        context: with our certificate.
    """

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        self._raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._cipher_lock = threading.Lock()  # never held while the network is waited for
        self._send_lock = threading.Lock()
        self._unsent = b""

    def handshake(self, timeout: float = HANDSHAKE_TIMEOUT) -> None:
        """Agree on keys.

        Raises:
            OSError: the other side speaks no TLS, has gone, or takes longer than `timeout`.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._raw.settimeout(max(0.001, deadline - time.monotonic()))
                self.sendall(b"")
                self._receive()
        self.sendall(b"")

    @property
    def is_behind(self) -> bool:
        """Whether some of what was sent has to wait for the network: `sendall` waits for it."""
        return bool(self._unsent)

    def send(self, data: bytes, flags: int = 0) -> int:
        """Send all of `data`, or with MSG_DONTWAIT all or nothing of it.

        What was taken and the network does not take now goes first next time.

        Raises:
            BlockingIOError: something still waits for the network.
        """
        if not flags & socket.MSG_DONTWAIT:
            self.sendall(data)
            return len(data)
        if not self._send_lock.acquire(blocking=False):
            raise BlockingIOError
        try:
            if self._unsent:
                self._push()
            self._unsent = self._encrypted(data)
            with contextlib.suppress(BlockingIOError):
                self._push()
            return len(data)
        finally:
            self._send_lock.release()

    def sendall(self, data: bytes) -> None:
        """Send what waits, and all of `data`."""
        with self._send_lock:
            waiting, self._unsent = self._unsent, b""
            self._raw.sendall(waiting + self._encrypted(data))

    def recv(self, size: int) -> bytes:
        """Receive at most `size` bytes; none at the end."""
        while True:
            with self._cipher_lock:
                try:
                    return self._tls.read(size)
                except ssl.SSLWantReadError:
                    pass
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    return b""
            self._receive()

    def makefile(self, mode: str, buffering: int = -1) -> io.BufferedReader:
        """Return a file to read from."""
        if mode != "rb":
            raise ValueError(mode)
        return io.BufferedReader(_Reader(self), buffering if buffering > 0 else 8192)

    def close(self) -> None:
        """Say that nothing more comes, where that needs no waiting."""
        with contextlib.suppress(OSError), self._cipher_lock:
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self.send(b"", socket.MSG_DONTWAIT)

    def shutdown(self, how: int) -> None:
        """Cut the connection."""
        self._raw.shutdown(how)

    def settimeout(self, timeout: float | None) -> None:
        """Set how long the network may take."""
        self._raw.settimeout(timeout)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the socket."""
        self._raw.setsockopt(level, option, value)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._raw.fileno()

    def _receive(self) -> None:
        received = self._raw.recv(_MOST)
        with self._cipher_lock:
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()

    def _encrypted(self, data: bytes) -> bytes:
        with self._cipher_lock:
            if data:
                self._tls.write(data)
            return self._outgoing.read()

    def _push(self) -> None:
        """Give the network what it takes at once.

        Raises:
            BlockingIOError: it did not take all.
        """
        sent = self._raw.send(self._unsent, socket.MSG_DONTWAIT)
        self._unsent = self._unsent[sent:]
        if self._unsent:
            raise BlockingIOError


class _Reader(io.RawIOBase):
    """The reading side, for a buffer above it."""

    def __init__(self, connection: TlsConnection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Read into a buffer."""
        data = self._connection.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)
