"""`/readyz` and `/metrics`: for whoever runs the dashboard, and for what watches over it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from flask import Blueprint, Flask, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.live import Hub
from dashboard.store import Store
from dashboard.store.engine import Engine
from iot_button.files import StorageError
from iot_button.mqtt import Connection

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "iot_button_dashboard_"
_GOOD_FOR: Final = 1.0
"""Seconds that an answer about the store is good for: anyone may ask, and asking writes."""


class Readiness:
    """Whether the dashboard can do its work. For any number of threads."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store = store
        self._connection = connection
        self._lock = threading.Lock()
        self._problem: str | None = None
        self._good_until = 0.0

    def problems(self) -> dict[str, str]:
        """Return what is missing, by its name."""
        problems = {}
        if not self._connection.is_ready:
            problems["broker"] = f"the broker at {self._connection.address} is lost"
        problem = self._problem_of_store()
        if problem is not None:
            problems["store"] = problem
        return problems

    def _problem_of_store(self) -> str | None:
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._problem = _try_to_write(self._store)
                self._good_until = time.monotonic() + _GOOD_FOR
            return self._problem


class Figures(Collector):
    """What Prometheus is shown.

    Args:
        hub: knows the browsers.
        connection: knows the broker.
        store: knows the buttons and the clicks.
    """

    def __init__(self, hub: Hub, connection: Connection, store: Store) -> None:
        self._hub = hub
        self._connection = connection
        self._store = store
        self._requests: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def count(self, response: Response) -> Response:
        """Count an answered request."""
        with self._lock:
            self._requests[request.method, str(response.status_code)] += 1
        return response

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        for name, text, value in (
            ("browsers", "Browsers that watch.", self._hub.clients),
            ("buttons", "Buttons that are known.", self._store.buttons),
            ("broker_connected", "Whether the broker answers.", self._connection.is_ready),
        ):
            yield GaugeMetricFamily(_PREFIX + name, text, value=float(value))
        for name, text, count in (
            ("clicks", "Processed clicks that came, each once.", self._hub.told),
            ("repeated_clicks", "Clicks that had come before.", self._store.repeated),
            ("dropped_browsers", "Browsers that did not read, and were cut.", self._hub.dropped),
        ):
            yield CounterMetricFamily(_PREFIX + name, text, value=count)
        yield self._of_requests()

    def _of_requests(self) -> Metric:
        text = "HTTP requests that were answered."
        labels = ["method", "status"]
        family = CounterMetricFamily(f"{_PREFIX}http_requests", text, labels=labels)
        with self._lock:
            for (method, status), count in sorted(self._requests.items()):
                family.add_metric([method, status], count)
        return family


def install(app: Flask, *, hub: Hub, connection: Connection, store: Store) -> None:
    """Add `/readyz` and `/metrics` to an application, and count its requests."""
    figures, readiness = Figures(hub, connection, store), Readiness(store, connection)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    app.after_request(figures.count)
    app.register_blueprint(_blueprint(readiness, lambda: generate_latest(registry)))


def _blueprint(readiness: Readiness, text: Callable[[], bytes]) -> Blueprint:
    blueprint = Blueprint("figures", __name__)

    @blueprint.get("/readyz")
    def ready() -> tuple[dict[str, Any], int]:
        """Answer 200 while the broker is connected and the history can be written, and 503."""
        problems = readiness.problems()
        return {
            "status": "not ready" if problems else "ready",
            **problems,
        }, 503 if problems else 200

    @blueprint.get("/metrics")
    def metrics() -> Response:
        """Return the figures in Prometheus' text format, version 0.0.4."""
        return Response(text(), content_type=CONTENT_TYPE)

    return blueprint


def _try_to_write(store: Store) -> str | None:
    try:
        store.run(_touch)
    except StorageError as error:
        return error.problem
    except TimeoutError:
        return "it takes nothing at this moment"
    except Exception as error:  # noqa: BLE001 - a full queue is one of several
        return type(error).__name__
    return None


def _touch(database: Engine) -> None:
    """Write one page."""
    database.write("UPDATE fact SET value = value WHERE name = 'id'")
