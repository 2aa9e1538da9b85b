"""The broker's figures for Prometheus, the same names for our own broker and for mosquitto."""

import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from broker.figures import Figures
from broker.listening import bind, port_of
from iot_button.errors import StopTimeoutError
from iot_button.hosts import is_own_host

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "iot_button_broker_"
_STOP_TIMEOUT: Final = 2.0
_GAUGES: Final = {
    "connections": ("connections", "Clients that are connected."),
    "connections_maximum": ("connections_maximum", "Most clients connected at a time."),
    "sessions": ("sessions", "Sessions, those of clients that are away among them."),
    "subscriptions": ("subscriptions", "Subscriptions of all sessions."),
    "retained": ("retained_messages", "Retained messages, $SYS topics among them."),
    "queued": ("queued_messages", "Messages at QoS 1 and 2 that wait for their clients."),
    "queued_bytes": ("queued_bytes", "Bytes of their payloads."),
    "started_at": ("start_time_seconds", "When the broker was started, in seconds since 1970."),
}
_COUNTERS: Final = {
    "connections_total": ("connections_made", "Connections that were made."),
    "messages_received": ("messages_received", "MQTT packets received."),
    "messages_sent": ("messages_sent", "MQTT packets sent."),
    "publish_received": ("publish_received", "Messages received."),
    "publish_sent": ("publish_sent", "Messages sent."),
    "bytes_received": ("bytes_received", "Bytes received."),
    "bytes_sent": ("bytes_sent", "Bytes sent."),
}
_BY_REASON: Final = {
    "dropped": ("dropped", "Messages that were not delivered."),
    "refused": ("refused_connections", "Connections not let in, or ended by the broker."),
}


class _Figures(Collector):
    def __init__(self, figures: Figures, untold: Collection[str]) -> None:
        self._figures = figures
        self._untold = untold

    def collect(self) -> Iterator[Metric]:
        for value, name, text in self._told(_GAUGES):
            yield GaugeMetricFamily(_PREFIX + name, text, value=value)
        for value, name, text in self._told(_COUNTERS):
            yield CounterMetricFamily(_PREFIX + name, text, value=value)
        for counts, name, text in self._told(_BY_REASON):
            family = CounterMetricFamily(_PREFIX + name, text, labels=["reason"])
            for reason, count in dict(counts).items():
                family.add_metric([reason], count)
            yield family

    def _told(self, table: Mapping[str, tuple[str, str]]) -> Iterator[tuple[Any, str, str]]:
        for field, (name, text) in table.items():
            if field not in self._untold:
                yield getattr(self._figures, field), name, text


def metrics_text(figures: Figures, *, untold: Collection[str] = ()) -> bytes:
    """Return the figures in Prometheus' text format, version 0.0.4.

    Args:
        figures: what the broker counts.
        untold: fields of them that it does not count. They are left out: 0 would not be true.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(figures, untold))
    return generate_latest(registry)


class MetricsServer:
    """Serves `/metrics`, from `with` to the end of its block.

    Args:
        host: the address to listen on.
        port: 0 picks a free one, and the attribute then holds it.
        text: returns the page; called on a thread of its own for each request.

    Raises:
        PortTakenError: another program listens there.
        StopTimeoutError: it did not stop within 2 s.
    """

    def __init__(self, *, host: str, port: int, text: Callable[[], bytes]) -> None:
        self.host = host
        self.port = port
        self._text = text

    def __enter__(self) -> Self:
        bound = bind(self.host, self.port, setting="broker.metrics_port")
        self.port = port_of(bound)
        self._server = _Server((self.host, 0), _handler(self), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bound
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        # It waits without an end, and so is not what we wait for.
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._thread.join(_STOP_TIMEOUT)
        self._server.server_close()
        if self._thread.is_alive():
            raise StopTimeoutError("the server of the broker's figures", _STOP_TIMEOUT)

    def answer(self, path: str, host: str) -> tuple[int, bytes]:
        """Return the status and the body for a request."""
        if not is_own_host(host, configured=self.host):
            return 403, b"this name is not one of this machine's\n"
        if path.partition("?")[0] != "/metrics":
            return 404, b"there is /metrics only\n"
        return 200, self._text()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        error = sys.exception()
        if not isinstance(error, OSError):  # one who hangs up early is no error of ours
            log.error("the broker's figures cannot be shown: %r", error)


def _handler(server: MetricsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0  # seconds that a line of a request may take to come
        server_version = "iot-button"
        sys_version = ""

        def do_GET(self) -> None:
            status, body = server.answer(self.path, self.headers.get("Host", ""))
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    return Handler
