"""What a function's figures say: counts since the runtime's start, and percentiles of durations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from dashboard.functions_client import FunctionStatus

_COUNTS: Final = {
    "aws_lambda_invocations_total": "invocations",
    "aws_lambda_errors_total": "errors",
    "aws_lambda_throttles_total": "throttles",
    "aws_lambda_async_events_received_total": "events_received",
    "aws_lambda_async_events_dropped_total": "events_dropped",
    "aws_lambda_dead_letter_errors_total": "dead_letter_errors",
}
_HISTOGRAMS: Final = {
    "aws_lambda_duration_seconds": "duration",
    "aws_lambda_init_duration_seconds": "init_duration",
    "aws_lambda_async_event_age_seconds": "event_age",
}
_LABEL: Final = "function_name"


class Histogram(msgspec.Struct):
    """Seconds. `buckets`: how many were at most so long, for each bound, as Prometheus has it."""

    buckets: dict[float, float] = msgspec.field(default_factory=dict)
    count: int = 0
    total: float = 0.0


class Measured(msgspec.Struct):
    """One function's metrics since the runtime's start."""

    counts: dict[str, int] = msgspec.field(
        default_factory=lambda: dict.fromkeys(_COUNTS.values(), 0)
    )
    histograms: dict[str, Histogram] = msgspec.field(
        default_factory=lambda: {name: Histogram() for name in _HISTOGRAMS.values()}
    )


class Durations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Milliseconds, `total` of all together; null where there was none.

    A percentile is a guess within a bucket.
    """

    count: int
    total: float
    mean: float | None
    p50: float | None
    p90: float | None
    p99: float | None


class FunctionFigures(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A function at this moment, and its counts since the runtime's start.

    `state`: active, paused (events wait) or killed (events go to the dead letters).
    `events`: the rules, schedules and routes that lead to it. `duration`: of the handler;
    `cold_starts`: of environments until their handler was imported; `event_age`: from an event's
    arrival until its handler ran. `oldest_waiting`: seconds.
    """

    name: str
    state: str
    handler: str
    timeout: float
    memory_megabytes: int
    events: list[str]
    invocations: int
    errors: int
    throttles: int
    events_received: int
    events_dropped: int
    dead_letter_errors: int
    concurrency: int
    concurrency_limit: int
    environments: int
    waiting: int
    oldest_waiting: float | None
    dead_letters: int
    duration: Durations
    cold_starts: Durations
    event_age: Durations


def measured(text: str) -> Mapping[str, Measured]:
    """Return each function's metrics out of Prometheus's text form.

    Raises:
        ValueError: it is not of that form.
    """
    found: dict[str, Measured] = defaultdict(Measured)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.labels.get(_LABEL)
            if name is not None:
                _take(found[name], sample.name, sample.labels, sample.value)
    return found


def figures(status: FunctionStatus, of_it: Measured) -> FunctionFigures:
    """Put together what there is to say of a function."""
    histograms = of_it.histograms
    return FunctionFigures(
        name=status.name,
        state=status.state,
        handler=status.handler,
        timeout=status.timeout,
        memory_megabytes=status.memory_size,
        events=[*status.routes, *status.schedules, *status.rules],
        concurrency=status.running,
        concurrency_limit=status.concurrency_limit,
        environments=status.environments,
        waiting=status.waiting,
        oldest_waiting=status.oldest_waiting,
        dead_letters=status.dead_letters,
        duration=durations(histograms["duration"]),
        cold_starts=durations(histograms["init_duration"]),
        event_age=durations(histograms["event_age"]),
        **of_it.counts,
    )


def durations(histogram: Histogram) -> Durations:
    """Return a histogram in milliseconds."""
    p50, p90, p99 = (_milliseconds(quantile(histogram, share)) for share in (0.5, 0.9, 0.99))
    count = histogram.count
    mean = _milliseconds(histogram.total / count) if count else None
    total = round(histogram.total * 1000, 3)
    return Durations(count=count, total=total, mean=mean, p50=p50, p90=p90, p99=p99)


def quantile(histogram: Histogram, share: float) -> float | None:
    """Return what a share (0 to 1) was at most; None of nothing.

    Within a bucket all are taken as spread evenly, as Prometheus's `histogram_quantile` does it;
    of what is above the last bound, that bound is returned.
    """
    bounds = sorted(histogram.buckets)
    if not histogram.count or len(bounds) < 2:
        return None
    rank = share * histogram.count
    lower = below = 0.0
    for upper in bounds:
        up_to = histogram.buckets[upper]
        if up_to >= rank and up_to > below:
            is_last = upper == float("inf")
            return lower if is_last else lower + (upper - lower) * (rank - below) / (up_to - below)
        lower, below = upper, up_to
    return lower


def together(statuses: Sequence[FunctionStatus], text: str) -> list[FunctionFigures]:
    """Return the figures of all functions.

    Raises:
        ValueError: the text is not of Prometheus's form.
    """
    metrics = measured(text)
    return [figures(status, metrics.get(status.name, Measured())) for status in statuses]


def _take(of_it: Measured, name: str, labels: Mapping[str, str], value: float) -> None:
    if name in _COUNTS:
        of_it.counts[_COUNTS[name]] = int(value)
        return
    base, _, part = name.rpartition("_")
    histogram = of_it.histograms.get(_HISTOGRAMS.get(base, ""))
    if histogram is None:
        return
    if part == "bucket":
        histogram.buckets[float(labels.get("le", "nan"))] = value
    elif part == "count":
        histogram.count = int(value)
    elif part == "sum":
        histogram.total = value


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
