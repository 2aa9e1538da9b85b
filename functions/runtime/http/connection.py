"""One HTTP/1.1 connection: requests read, given to the WSGI application, answered, until its end.

werkzeug's own server closes the connection after each answer; AWS's clients keep theirs, and a new
one for each publish costs more than the publish. The standard library reads the request's head.
"""

import io
import logging
import socket
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

from functions.runtime.http.body import BadBodyError, Body

log = logging.getLogger(__name__)

HEAD_TIMEOUT: Final = 10.0
"""Seconds in which a request's head must have come; it is all there is if no body follows."""
REQUEST_TIMEOUT: Final = 30.0
"""Seconds in which a request with a body must have come whole; also, an answer have gone."""
IDLE_TIMEOUT: Final = 60.0
"""Seconds that a connection may wait for its next request."""

_MAX_LINE: Final = 65536
_MAX_FETCHED: Final = 8 * 1024 * 1024
"""Bytes of a body that are waited for before the request is one: more than any operation takes."""
_MAX_LEFT: Final = 64 * 1024 * 1024
"""Bytes of a body that nobody wanted and that are still read, so that the client reads why."""

_BEGINS: Final = frozenset(bytes([code]) for code in b"\r\n" + bytes(range(0x21, 0x7F)))
"""What a request can begin with; what TLS begins with is not among it."""
_NO_HTTP: Final = "this is not HTTP; https is not spoken here: begin the address with http://"

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _TimedSocket(io.RawIOBase):
    """Reads a socket until a deadline, a moment of `time.monotonic`, however slowly bytes come."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0
        self.has_ended = False

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, or wait for it."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        self.has_ended = count == 0
        return count


class Connection(BaseHTTPRequestHandler):
    """Serves one connection to its end, on the thread that makes it.

    Args:
        connection: the socket; it stays open when this returns.
        address: the client's.
        app: the WSGI application.
        in_request: called with True when a request has come whole, before it is answered, and
            with False after it. An OSError of the first ends the connection.
    """

    protocol_version = "HTTP/1.1"
    # The explanation alone: the message may quote what a stranger sent.
    error_message_format = '{"message": "%(explain)s"}\n'
    error_content_type = "application/json"

    def __init__(
        self,
        connection: socket.socket,
        address: Any,
        *,
        app: WsgiApp,
        in_request: Callable[[bool], None],
    ) -> None:
        self._app = app
        self._in_request = in_request
        super().__init__(connection, address, cast(Any, None))

    def setup(self) -> None:
        """Prepare to read and write."""
        self.connection = self.request
        # An answer is one write; without this it could still wait for the last one's ACK.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._input = _TimedSocket(self.connection)
        self._reader: io.BufferedReader = io.BufferedReader(self._input)
        self.rfile = self._reader
        self.wfile = cast(io.BufferedIOBase, self.connection.makefile("wb", buffering=0))

    def finish(self) -> None:
        """Let go of the socket."""
        self.wfile.close()
        self.rfile.close()

    def handle_one_request(self) -> None:
        """Wait for a request and answer it."""
        self.close_connection = True
        self._input.deadline = time.monotonic() + IDLE_TIMEOUT
        begin = self._reader.peek(1)[:1]
        start = time.monotonic()
        self._input.deadline = start + HEAD_TIMEOUT
        if begin and self._has_head(begin):
            self._input.deadline = start + REQUEST_TIMEOUT
            self._serve_request()

    def _has_head(self, begin: bytes) -> bool:
        """Read a request's head. If there is none, say so, unless the client has gone."""
        self.requestline = self.request_version = self.command = ""
        if begin not in _BEGINS:
            self.send_error(HTTPStatus.BAD_REQUEST, explain=_NO_HTTP)
            return False
        self.raw_requestline = self.rfile.readline(_MAX_LINE + 1)
        if len(self.raw_requestline) > _MAX_LINE:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return False
        # The standard library takes the end of what comes for the end of the head.
        if not self.parse_request() or self._input.has_ended:
            return False
        if not self.path.startswith("/") or self.request_version == "HTTP/0.9":
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        return True

    def _serve_request(self) -> None:
        """Wait for the body, so that who sends it slowly hinders nobody; then answer."""
        try:
            body = Body(self._reader, self.headers)
            body.fetch(_MAX_FETCHED)
        except BadBodyError as error:
            self.send_error(error.status, explain=str(error))
            return
        self._in_request(True)
        try:
            self._answer(body)
        finally:
            self._in_request(False)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request, and close the connection.

        Args:
            code: the status.
            message: what the base has to say, which may quote a stranger: for the log only.
            explain: the message that is sent; by default, the status's usual one.
        """
        log.debug("%s %s", code, message)
        self.close_connection = True
        if self.request_version == "HTTP/0.9":
            self.request_version = "HTTP/1.0"  # the base sends no status line to 0.9
        super().send_error(code, None, explain)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Log what the base has to say only for --verbose."""
        log.debug(format, *args)

    def _answer(self, body: Body) -> None:
        status, headers, data = self._run_app(body)
        if not body.drain(_MAX_LEFT):
            self.close_connection = True
        self._send(status, headers, data)

    def _run_app(self, body: Body) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_error: Any) -> None:
            started[:] = [(status, headers)]

        chunks = self._app(self._environ(body), start_response)
        try:
            data = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started[0]
        return status, headers, data

    def _send(self, status: str, headers: list[tuple[str, str]], data: bytes) -> None:
        """Send an answer in one write."""
        lines = [f"HTTP/1.1 {status}", f"Date: {formatdate(usegmt=True)}"]
        has_body = status[:3] not in ("204", "304") and self.command != "HEAD"
        for name, value in headers:
            if self.command == "HEAD" or name.lower() != "content-length":
                lines.append(f"{name}: {value}")
        if has_body:
            lines.append(f"Content-Length: {len(data)}")
        if self.close_connection:
            lines.append("Connection: close")
        elif self.request_version == "HTTP/1.0":
            lines.append("Connection: keep-alive")
        head = "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace")
        self.connection.settimeout(REQUEST_TIMEOUT)
        self.connection.sendall(head + data if has_body else head)

    def _environ(self, body: Body) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        host, port = self.connection.getsockname()[:2]
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": self.path,
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": self.client_address[1],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "iot_button.headers": self.headers.items(),
        }
        for name, value in self.headers.items():
            if "_" not in name:  # a name that differs in - and _ alone would pass for the other
                self._add_header(environ, name.upper().replace("-", "_"), value)
        return environ

    @staticmethod
    def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
