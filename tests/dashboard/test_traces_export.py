"""Clicks as spans, at a collector that speaks OTLP over HTTP."""

import gzip
import http.server
import queue
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from dashboard import traces_export
from dashboard.ingest import Ingest, exporter_for
from dashboard.store import Store
from dashboard.traces_export import TraceExport
from iot_button.errors import SettingError
from iot_button.events import TracedClick
from iot_button.messages import Delivery, Message
from iot_button.settings import DashboardSettings, Settings
from iot_button.topics import Topics
from iot_button.traces import Trace
from tests.dashboard.helpers import processed
from tests.dashboard.test_traces import EVENT_ID, NOON, WARM, json_of
from tests.support import DEADLINE, eventually

TRACE_ID = EVENT_ID.replace("-", "")


class Collector:
    """Takes spans, or refuses them."""

    def __init__(self) -> None:
        self.spans: queue.Queue[list[Any]] = queue.Queue()
        self.status = 200
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                self.send_response(collector.status)
                self.end_headers()
                if collector.status == 200:
                    collector.spans.put(_spans_in(body))

            def log_message(self, *_details: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"


def _spans_in(body: bytes) -> list[Any]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    threading.Thread(target=one.server.serve_forever, args=(0.01,), daemon=True).start()
    yield one
    one.server.shutdown()
    one.server.server_close()


def traced(trace: Trace = WARM, *, clicked_at: str = "2026-11-22T12:00:00.000Z") -> TracedClick:
    return TracedClick(
        serial_number="B-1",
        click_type="SINGLE",
        event_id=EVENT_ID,
        clicked_at=clicked_at,
        trace=msgspec.Raw(msgspec.json.encode(trace)),
    )


def settings_of(state_dir: Path, endpoint: str) -> Settings:
    dashboard = DashboardSettings(otlp_endpoint=endpoint)
    return Settings(state_dir=str(state_dir), dashboard=dashboard)


def test_a_click_is_a_span_and_its_steps_are_spans_below_it(collector: Collector) -> None:
    with TraceExport(collector.endpoint) as export:
        export.add(traced(), NOON + timedelta(milliseconds=20))
        root, *steps = collector.spans.get(timeout=DEADLINE)
    assert {span.trace_id.hex() for span in (root, *steps)} == {TRACE_ID}
    assert (root.name, root.parent_span_id) == ("click SINGLE", b"")
    assert {span.parent_span_id for span in steps} == {root.span_id}
    noon = int(NOON.timestamp() * 1_000_000_000)
    assert root.start_time_unix_nano == noon
    ends = [(span.start_time_unix_nano - noon, span.end_time_unix_nano - noon) for span in steps]
    milliseconds = [(begin / 1e6, end / 1e6) for begin, end in ends]
    assert milliseconds == [(0, 10), (10, 12), (12, 12), (12, 15), (15, 16), (16, 20)]
    handler = steps[3]
    assert handler.span_id.hex() == WARM.traceparent.split("-")[2]
    facts = {each.key: each.value for each in handler.attributes}
    assert facts["faas.name"].string_value == "enrich"
    assert facts["faas.invocation_id"].string_value == WARM.request_id


def test_clocks_that_differ_make_no_span_that_ends_before_it_begins(collector: Collector) -> None:
    with TraceExport(collector.endpoint) as export:
        ahead = traced(clicked_at="2026-11-22T12:00:09.000Z")
        export.add(ahead, NOON + timedelta(milliseconds=20))
        root, first, *rest = collector.spans.get(timeout=DEADLINE)
    for span in (root, first, *rest):
        assert span.end_time_unix_nano >= span.start_time_unix_nano
    facts = {each.key: each.value for each in first.attributes}
    assert facts["iot_button.clocks_apart_ms"].double_value == 8990.0


def test_a_click_that_comes_twice_makes_the_same_spans(collector: Collector) -> None:
    with TraceExport(collector.endpoint) as export:
        for _ in range(2):
            export.add(traced(), NOON)
        spans = collector.spans.get(timeout=DEADLINE)
        while len(spans) < 14:
            spans += collector.spans.get(timeout=DEADLINE)
    assert len({span.span_id for span in spans}) == 7


def test_what_has_no_trace_or_is_not_sampled_is_not_sent(collector: Collector) -> None:
    unsampled = msgspec.structs.replace(WARM, traceparent=f"{WARM.traceparent[:-2]}00")
    with TraceExport(collector.endpoint) as export:
        export.add(TracedClick(serial_number="B-1", click_type="SINGLE"), NOON)
        export.add(traced(unsampled), NOON)
        export.add(traced(), NOON)
        assert len(collector.spans.get(timeout=DEADLINE)) == 7
    assert collector.spans.empty()


def test_nobody_waits_for_a_collector_that_takes_nothing(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 400
    monkeypatch.setattr(traces_export, "MOST_WAITING", 1)
    with TraceExport(collector.endpoint) as export:
        for _ in range(50):
            export.add(traced(), NOON)
        eventually(lambda: export.left_out >= 48, what="what was not taken is counted")
    assert "does not take all traces" in caplog.text


def test_each_click_that_comes_is_sent(collector: Collector, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, collector.endpoint)
    with exporter_for(settings) as export, Store(tmp_path) as store:
        assert export is not None
        ingest = Ingest(store, Topics(), now=lambda: datetime.now(UTC), on_click=export.add)
        payload = processed(eventId=EVENT_ID, trace=json_of(WARM))
        message = Message("iotprocessed", payload, 1, False, False, Delivery(1, 1))
        ingest.take(message, lambda: None)
        assert collector.spans.get(timeout=DEADLINE)[0].name == "click SINGLE"


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "localhost:4318")
    with pytest.raises(SettingError, match="no address of an OTLP collector"):
        exporter_for(settings)


def test_without_the_extra_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "dashboard.traces_export")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(SettingError) as refusal:
        exporter_for(settings_of(tmp_path, "http://127.0.0.1:4318/v1/traces"))
    assert "pip install 'iot-button[otel]'" in refusal.value.mend
