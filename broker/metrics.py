"""The broker's figures for Prometheus, the same names for our own broker and for mosquitto."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from broker.figures import Figures
from broker.listening import bind, port_of
from iot_button.hosts import is_own_host

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "iot_button_broker_"
_GAUGES: Final = {
    "connections": "Clients that are connected.",
    "connections_maximum": "Most clients that were connected at a time.",
    "sessions": "Sessions, those of clients that are away among them.",
    "subscriptions": "Subscriptions of all sessions.",
    "retained": "Retained messages.",
    "queued": "Messages at QoS 1 and 2 that wait for their clients.",
    "queued_bytes": "Bytes of their payloads.",
}
_COUNTERS: Final = {
    "connections_total": "Connections that were made.",
    "messages_received": "MQTT packets received.",
    "messages_sent": "MQTT packets sent.",
    "publish_received": "Messages received.",
    "publish_sent": "Messages sent.",
    "bytes_received": "Bytes received.",
    "bytes_sent": "Bytes sent.",
}
_BY_REASON: Final = {
    "dropped": "Messages that were not delivered, by reason.",
    "refused": "Connections that were not let in, or were ended by the broker, by reason.",
}


class _Figures(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(_PREFIX + name, text, value=getattr(self._figures, name))
        for name, text in _COUNTERS.items():
            full = _PREFIX + name.removesuffix("_total")
            yield CounterMetricFamily(full, text, value=getattr(self._figures, name))
        for name, text in _BY_REASON.items():
            family = CounterMetricFamily(_PREFIX + name, text, labels=["reason"])
            for reason, count in dict(getattr(self._figures, name)).items():
                family.add_metric([reason], count)
            yield family
        started = GaugeMetricFamily(
            f"{_PREFIX}start_time_seconds",
            "When it was started, in seconds since 1970.",
            value=self._figures.started_at,
        )
        yield started


def metrics_text(figures: Figures) -> bytes:
    """Return the figures in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    return generate_latest(registry)


class MetricsServer:
    """Serves `/metrics`, from `with` to the end of its block.

    Args:
        host: the address to listen on.
        port: 0 picks a free one, and the attribute then holds it.
        text: returns the page.
    """

    def __init__(self, *, host: str, port: int, text: Callable[[], bytes]) -> None:
        self.host = host
        self.port = port
        self._text = text

    def __enter__(self) -> Self:
        bound = bind(self.host, self.port, setting="broker.metrics_port")
        self.port = port_of(bound)
        self._server = ThreadingHTTPServer((self.host, 0), _handler(self), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bound
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)

    def answer(self, path: str, host: str) -> tuple[int, bytes]:
        """Return the status and the body for a request."""
        if not is_own_host(host, configured=self.host):
            return 403, b"this name is not one of this machine's\n"
        if path.partition("?")[0] != "/metrics":
            return 404, b"there is /metrics only\n"
        return 200, self._text()


def _handler(server: MetricsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0  # seconds that a request may take to come

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
