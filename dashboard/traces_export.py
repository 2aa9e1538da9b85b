"""Sends each click's way to whoever collects traces, as OTLP over HTTP: Jaeger, Tempo, a collector.

The one importer of OpenTelemetry, which is an extra. Each click is a span, each of its steps one
below it, at the places that the page shows: one behind the other, up to the moment at which the
click came here, so that clocks which differ make no span that ends before it begins. A click that
comes twice makes the same spans again, under the same ids.

Nobody waits for this: what the collector does not take in time is left out, and counted.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator
from datetime import datetime
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Final, Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from dashboard.history import Row, row_of
from dashboard.store.arrivals import milliseconds
from dashboard.traces import Step, Waterfall, waterfall
from iot_button.events import TracedClick, parse_instant
from iot_button.traces import Trace, read_trace, span_id

log = logging.getLogger(__name__)

MOST_WAITING: Final = 2000
_MOST_AT_ONCE: Final = 100
_TIMEOUT: Final = 5.0
_HANDLER: Final = "The handler"
_SCOPE: Final = InstrumentationScope("iot-button")

Attributes = dict[str, str | int | float | bool]


class TraceExport:
    """Sends from a thread of its own, from `with` to the end of the block.

    Args:
        endpoint: where to, such as http://127.0.0.1:4318/v1/traces.
    """

    def __init__(self, endpoint: str) -> None:
        self.left_out = 0
        self._endpoint = endpoint
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_TIMEOUT)
        self._waiting: Queue[tuple[Row, Trace] | None] = Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._waiting.put_nowait(None)
            self._thread.join(1.0)
        except Full:
            pass
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # ends a try that still waits

    def add(self, click: TracedClick, received_at: datetime) -> None:
        """Send a click's way, soon. Never waits; does nothing without a trace that is sampled."""
        trace = read_trace(bytes(click.trace))
        if trace is None or not int(trace.traceparent[-2:], 16) & TraceFlags.SAMPLED:
            return
        # As a row its texts are cut: what waits here is bounded.
        row = row_of(click, row_id=0, received_at=received_at, battery_highest=None)
        try:
            self._waiting.put_nowait((row, trace))
        except Full:
            self._leave_out(1)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, is_over = self._batch(first)
            spans = [span for row, trace in batch for span in spans_of(row, trace)]
            if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
                self._leave_out(len(batch))
            if is_over:
                return

    def _batch(self, first: tuple[Row, Trace]) -> tuple[list[tuple[Row, Trace]], bool]:
        batch = [first]
        try:
            while len(batch) < _MOST_AT_ONCE:
                item = self._waiting.get_nowait()
                if item is None:
                    return batch, True
                batch.append(item)
        except Empty:
            pass
        return batch, False

    def _leave_out(self, count: int) -> None:
        if not self.left_out:
            log.warning("%s does not take all traces; some are left out", self._endpoint)
        self.left_out += count


def spans_of(click: Row, trace: Trace) -> list[ReadableSpan]:
    """Return a click's spans, the whole first."""
    way = waterfall(click, trace)
    end = milliseconds(parse_instant(click.received_at)) * 1_000_000
    return list(_spans(way, begin=end - int(way.total_ms * 1_000_000), end=end))


def _spans(way: Waterfall, *, begin: int, end: int) -> Iterator[ReadableSpan]:
    root = _context(way, _id(way, "click"))
    about: Attributes = {
        "messaging.system": "mqtt",
        "messaging.message.id": way.click.event_id or "",
        "iot_button.serial_number": way.click.serial_number,
        "iot_button.click_type": way.click.click_type,
    }
    name = f"click {way.click.click_type}"
    yield _span(name, root, None, begin, end, about, kind=SpanKind.CONSUMER)
    for step in way.steps:
        if step.length_ms is None:
            continue
        is_handler = step.name == _HANDLER
        own = span_id(way.traceparent or "") if is_handler else None
        context = _context(way, int(own, 16) if own else _id(way, step.name))
        start = begin + int(step.start_ms * 1_000_000)
        stop = start + int(step.length_ms * 1_000_000)
        kind = SpanKind.SERVER if is_handler else SpanKind.INTERNAL
        yield _span(step.name, context, root, start, stop, _attributes(way, step), kind=kind)


def _attributes(way: Waterfall, step: Step) -> Attributes:
    found: Attributes = {}
    if step.name == _HANDLER:
        found |= {
            "faas.name": way.function or "",
            "faas.invocation_id": way.request_id or "",
            "iot_button.attempt": way.attempt or 1,
        }
    if step.between_clocks:
        found["iot_button.between_clocks"] = True
    if step.apart_ms is not None:
        found["iot_button.clocks_apart_ms"] = step.apart_ms
    return found


def _span(
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    start: int,
    stop: int,
    attributes: Attributes,
    *,
    kind: SpanKind,
) -> ReadableSpan:
    return ReadableSpan(
        name=name,
        context=context,
        parent=parent,
        resource=_RESOURCE,
        attributes=attributes,
        kind=kind,
        start_time=start,
        end_time=stop,
        instrumentation_scope=_SCOPE,
    )


def _context(way: Waterfall, number: int) -> SpanContext:
    return SpanContext(
        trace_id=int(way.trace_id or "1", 16),
        span_id=number,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _id(way: Waterfall, name: str) -> int:
    """Return a span's id, the same each time."""
    text = f"{way.traceparent} {name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) or 1


# Not `Resource.create`, which looks around on this machine.
_RESOURCE: Final = Resource({"service.name": "iot-button"})
