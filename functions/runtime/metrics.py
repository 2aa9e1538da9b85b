"""Counts and durations of one function, under the names that AWS Lambda gives them."""

from bisect import bisect_left
from dataclasses import dataclass, field

from functions.runtime.control import FunctionMetrics, Histogram

_DURATIONS = (
    *(0.00001, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0),
)
_AGES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 3600.0, 21_600.0)


@dataclass(slots=True)
class Durations:
    """A histogram that is added to. Seconds."""

    bounds: tuple[float, ...] = _DURATIONS
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Count one duration; a bound belongs to what is below it, as in Prometheus."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def snapshot(self) -> Histogram:
        """Return it as it is now."""
        return Histogram(bounds=self.bounds, counts=tuple(self.counts), total=self.total)


@dataclass(slots=True)
class Metrics:
    """One function's metrics since the start (CloudWatch, "Types of metrics for Lambda")."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    async_events_received: int = 0
    async_events_dropped: int = 0
    dead_letter_errors: int = 0
    duration: Durations = field(default_factory=Durations)
    init_duration: Durations = field(default_factory=Durations)
    async_event_age: Durations = field(default_factory=lambda: Durations(_AGES))

    def snapshot(self, name: str, *, concurrent_executions: int) -> FunctionMetrics:
        """Return them as they are now."""
        return FunctionMetrics(
            name=name,
            invocations=self.invocations,
            errors=self.errors,
            throttles=self.throttles,
            async_events_received=self.async_events_received,
            async_events_dropped=self.async_events_dropped,
            dead_letter_errors=self.dead_letter_errors,
            concurrent_executions=concurrent_executions,
            duration=self.duration.snapshot(),
            init_duration=self.init_duration.snapshot(),
            async_event_age=self.async_event_age.snapshot(),
        )
