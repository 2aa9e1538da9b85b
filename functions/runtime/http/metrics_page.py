"""`GET /metrics`: AWS Lambda's metrics in Prometheus's form.

The names are CloudWatch's (Lambda developer guide, "Types of metrics for Lambda functions") in
Prometheus's spelling: base units, `_total` for what only grows. All of them are the runtime's own
counts, so a registry of its own holds them, without those of the process.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from functions.runtime.control import (
    Control,
    FunctionMetrics,
    FunctionStatus,
    Histogram,
    State,
)

_LABELS: Final = ["function_name"]

_COUNTERS: Final = {
    "invocations": "Runs of the handler, failed ones included.",
    "errors": "Runs that failed: an exception, a timeout, a crash.",
    "throttles": "Requests to run that found no free concurrency.",
    "async_events_received": "Events taken in for asynchronous invocation.",
    "async_events_dropped": "Events given up: too old, or failed too often.",
    "dead_letter_errors": "Dead letters that could not be published.",
}
_HISTOGRAMS: Final = {
    "duration": "Seconds that the handler ran.",
    "init_duration": "Seconds from the start of an environment until its handler was imported.",
    "async_event_age": "Seconds from an event's arrival until its handler ran.",
}
_GAUGES: Final[dict[str, tuple[str, Callable[[FunctionStatus], float]]]] = {
    "concurrency_limit": (
        "How many may run at a time.",
        lambda status: status.concurrency_limit,
    ),
    "environments": ("Execution environments that live.", lambda status: status.environments),
    "waiting_events": (
        "Events that wait for a free slot, a retry or resume.",
        lambda status: status.waiting,
    ),
    "oldest_waiting_event_seconds": (
        "Age of the oldest event that waits.",
        lambda status: status.oldest_waiting or 0.0,
    ),
    "dead_letters": ("Dead letters that can be redriven.", lambda status: status.dead_letters),
    "paused": ("Whether the function is paused.", lambda status: status.state is State.PAUSED),
}


class _RuntimeCollector(Collector):
    def __init__(self, control: Control) -> None:
        self._control = control

    def collect(self) -> Iterator[Metric]:
        """Ask the runtime, and return one family per metric."""
        metrics = self._control.metrics()
        for name, text in _COUNTERS.items():
            counter = CounterMetricFamily(f"aws_lambda_{name}", text, labels=_LABELS)
            for each in metrics:
                counter.add_metric([each.name], getattr(each, name))
            yield counter
        yield _concurrent_executions(metrics)
        for name, text in _HISTOGRAMS.items():
            family = HistogramMetricFamily(f"aws_lambda_{name}_seconds", text, labels=_LABELS)
            for each in metrics:
                _add(family, each.name, getattr(each, name))
            yield family
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        statuses = self._control.functions()
        for name, (text, value) in _GAUGES.items():
            gauge = GaugeMetricFamily(f"iot_button_function_{name}", text, labels=_LABELS)
            for status in statuses:
                gauge.add_metric([status.spec.name], value(status))
            yield gauge


def _concurrent_executions(metrics: Sequence[FunctionMetrics]) -> Metric:
    text = "Handlers that run at this moment."
    gauge = GaugeMetricFamily("aws_lambda_concurrent_executions", text, labels=_LABELS)
    for each in metrics:
        gauge.add_metric([each.name], each.concurrent_executions)
    return gauge


def _add(family: HistogramMetricFamily, name: str, histogram: Histogram) -> None:
    """Add one function's histogram; Prometheus's buckets hold all that is below their bound."""
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    family.add_metric([name], buckets=buckets, sum_value=histogram.total)


def create_blueprint(control: Control) -> Blueprint:
    """Return `/metrics`."""
    blueprint = Blueprint("metrics_page", __name__)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_RuntimeCollector(control))

    @blueprint.get("/metrics")
    def metrics() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=content_type)

    return blueprint
