"""The web server: werkzeug's, in this process, a thread for each connection, and quiet."""

import contextlib
import errno
import logging
import resource
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

from flask import Flask
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler, make_server

from dashboard.tls import HANDSHAKE_TIMEOUT, Certificate, TlsConnection
from iot_button.errors import IotButtonError, PortTakenError
from iot_button.hosts import in_url, reachable
from iot_button.settings import DashboardSettings

log = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that may wait to be accepted: after a restart all browsers come back at once."""

REQUEST_TIMEOUT = 20.0
_POLL_INTERVAL = 0.25
_MOST_HEAD: Final = 64 * 1024


class QuietHandler(WSGIRequestHandler):
    """Logs requests only with --verbose, and answers what is no HTTP without a trace.

    `timeout`: seconds without a byte before a connection that asks for nothing is closed.
    """

    timeout = REQUEST_TIMEOUT
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        try:
            self.make_environ()
        except ValueError:  # urlsplit, for an address such as http://[
            self.send_error(400)
            return
        super().run_wsgi()

    def version_string(self) -> str:
        """Return the Server header: our name, and no versions to look up holes for."""
        return "iot-button"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log one answered request, for --verbose."""
        log.debug("%r %s %s", self.requestline, code, size)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Log what werkzeug has to say; only a failure of ours is loud."""
        level = logging.ERROR if "Traceback" in message else logging.DEBUG
        log.log(level, f"%s: {message}", type, *args)


class TlsServer(ThreadedWSGIServer):
    """The web server behind TLS: each handshake on its connection's own thread."""

    certificate: Certificate

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Agree on keys, and answer requests until the connection ends."""
        if _is_done_without_tls(request):
            return
        self.certificate.refresh()
        connection = TlsConnection(request, self.certificate.context)
        try:
            connection.handshake()
        except OSError as error:
            log.debug("no TLS from %s: %s", client_address, error)
            return
        try:
            super().finish_request(connection, client_address)  # type: ignore[arg-type]
        finally:
            connection.close()


_NEEDS_TLS: Final = b"""HTTP/1.1 400 Bad Request\r
Content-Type: text/plain; charset=utf-8\r
Connection: close\r
\r
This port speaks https: open the same address with https:// in front.
"""


def _is_done_without_tls(connection: socket.socket) -> bool:
    """Answer a request that came without TLS; whether there is nothing more to do for it."""
    try:
        connection.settimeout(HANDSHAKE_TIMEOUT)
        if not connection.recv(1, socket.MSG_PEEK).isupper():  # as GET is, and no TLS record
            return False
        connection.recv(_MOST_HEAD)  # what stays unread would have the answer thrown away
        connection.sendall(_NEEDS_TLS)
    except OSError as error:
        log.debug("no TLS: %s", error)
    return True


def listen(settings: DashboardSettings) -> socket.socket:
    """Return a listening socket; connections wait in it until `serving`.

    Raises:
        PortTakenError: when another process listens there.
        IotButtonError: when we cannot listen there for another reason.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    mend = "choose another: iot-button up --dashboard-port 0, or iot-button dashboard --port 0"
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(host, port, setting="dashboard.port", mend=mend) from error
        problem = f"the dashboard cannot listen on {host}, port {port}: {error.strerror}"
        raise IotButtonError(problem, mend=mend) from error


def url(settings: DashboardSettings, listener: socket.socket) -> str:
    """Return the address to open in a browser, with the real port: one that can be asked for.

    The installation's certificate is good for this machine's addresses, one's own for names.
    """
    host, scheme = reachable(settings.host), "https" if settings.has_tls else "http"
    if settings.certificate_file is not None and settings.names:
        host = settings.names[0]
    return f"{scheme}://{in_url(host)}:{listener.getsockname()[1]}"


def raise_descriptor_limit(wanted: int) -> int:
    """Let this process have `wanted` descriptors, or as many as it may; return how many.

    The usual soft limit of 1,024 is for programs that use `select`. With none left, a server
    cannot even accept a connection to refuse it, and spins.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted) if soft != resource.RLIM_INFINITY else wanted


@contextlib.contextmanager
def serving(
    app: Flask, listener: socket.socket, *, certificate: Certificate | None = None
) -> Iterator[None]:
    """Serve `app` on a listening socket until the end of the block, which closes the socket."""
    server = _server(app, listener, certificate)
    listener.close()
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_INTERVAL,), name="web", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def _server(app: Flask, listener: socket.socket, certificate: Certificate | None) -> BaseWSGIServer:
    host, port = listener.getsockname()[:2]
    if certificate is None:
        return make_server(
            host, port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno()
        )
    server = TlsServer(host, port, app, QuietHandler, fd=listener.fileno())
    server.certificate = certificate
    server.ssl_context = certificate.context  # by which a request knows that it came by https
    return server
