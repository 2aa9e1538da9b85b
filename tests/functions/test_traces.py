"""Where a click's time went, as its processed click says it."""

import json
import time
from typing import Any

import pytest

from functions.runtime.events import ClickId, Event
from functions.runtime.runs import Ended, Run
from functions.runtime.traces import Budget, traced
from iot_button.properties import encoded, user_property
from iot_button.traces import (
    Context,
    Trace,
    click_properties,
    precise,
    read_context,
    read_trace,
    result_properties,
    span_id,
    trace_id,
    traceparent,
)

REQUEST_ID = "8d3f1b1e-0b0a-4c9b-9d3e-5a1b2c3d4e5f"
EVENT_ID = "01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e"
TRACE_ID = EVENT_ID.replace("-", "")
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"  # of W3C's own example
NOW = 1_900_000_000.0


def event(body: bytes = b"{}", *, age: float = 0.5, attempts: int = 1) -> Event:
    click = ClickId("B-1", EVENT_ID, wants_receipt=True)
    return Event(REQUEST_ID, body, NOW - age, click, attempts=attempts)


def run(*, spent: float, is_cold: bool = False) -> Run:
    begun = time.monotonic() - spent
    return Run(REQUEST_ID, b"{}", lambda _ended: None, begun=begun, is_cold=is_cold)


def trace_of(given: Event, one_run: Run, *, duration: float, init: float | None = None) -> Trace:
    ended = Ended(False, b"", duration, 0, init)
    result = traced(b'{"title":"T"}', "enrich", given, one_run, ended, now=NOW)
    found: dict[str, Any] = json.loads(result)
    assert list(found) == ["title", "trace"]
    trace = read_trace(json.dumps(found["trace"]).encode())
    assert trace is not None
    return trace


def test_the_parts_of_a_warm_run_add_up_to_the_whole() -> None:
    trace = trace_of(event(), run(spent=0.2), duration=0.15, init=0.04)
    assert (trace.function, trace.attempt, trace.request_id) == ("enrich", 1, REQUEST_ID)
    assert (trace.published_ms, trace.handler_ms) == (500.0, 150.0)
    assert trace.cold_start_ms == 0  # it had started before this click came
    assert trace.queued_ms == pytest.approx(300, abs=5)
    assert trace.received_at == precise(NOW - 0.5)


def test_a_click_that_waited_for_a_process_to_start_says_so() -> None:
    trace = trace_of(event(), run(spent=0.1, is_cold=True), duration=0.1, init=0.3)
    assert trace.cold_start_ms == 300
    assert trace.queued_ms == pytest.approx(100, abs=5)


def test_no_part_is_negative_whatever_the_clock_does() -> None:
    trace = trace_of(event(age=-3.0), run(spent=0.0), duration=0.2, init=9.0)
    parts = (trace.queued_ms, trace.cold_start_ms, trace.handler_ms, trace.published_ms)
    assert parts == (0, 0, 0, 0)


@pytest.mark.parametrize("result", [b"{}", b"null", b'"text"', b"[1]", b'{"trace":1}'])
def test_a_result_that_has_no_room_for_it_stays_as_it_is(result: bytes) -> None:
    ended = Ended(False, b"", 0.1)
    assert traced(result, "enrich", event(), run(spent=0.1), ended, now=NOW) == result


def test_the_trace_of_a_click_is_its_event_id_or_the_one_it_brought() -> None:
    assert traceparent(event_id=EVENT_ID, request_id=REQUEST_ID) == (
        f"00-{TRACE_ID}-8d3f1b1e0b0a4c9b-01"
    )
    for strange in (None, "one", "0" * 32):
        assert trace_id(traceparent(event_id=strange, request_id=REQUEST_ID)) == (
            REQUEST_ID.replace("-", "")
        )
    body = json.dumps({"traceparent": GIVEN}).encode()
    own = trace_of(event(body), run(spent=0.1), duration=0.1).traceparent
    assert (trace_id(own), own[-3:]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "-00")
    assert span_id(own) == "8d3f1b1e0b0a4c9b"


@pytest.mark.parametrize(
    "given", ["00-1-2-3", GIVEN.upper(), f"00-{'0' * 32}-00f067aa0ba902b7-01", 7]
)
def test_a_traceparent_that_is_none_is_not_taken_over(given: object) -> None:
    body = json.dumps({"traceparent": given}).encode()
    assert trace_id(trace_of(event(body), run(spent=0.1), duration=0.1).traceparent) == TRACE_ID


STATE = 'vendor=a"b\\\\c,other=1'


def test_a_context_beside_the_payload_is_gone_on_with_also_from_the_disk() -> None:
    came = event(json.dumps({"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}).encode())
    came.context = read_context(encoded([("traceparent", GIVEN), ("tracestate", STATE)]))
    for each in (came, Event.from_bytes(came.to_bytes())):
        result = traced(b'{"a":1}', "f", each, run(spent=0), Ended(False, b"", 0), now=NOW)
        out = result_properties(result)
        parent = user_property(out, "traceparent")
        assert (
            parent == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{REQUEST_ID.replace('-', '')[:16]}-00"
        )
        assert user_property(out, "tracestate") == STATE
        assert json.loads(result)["trace"]["traceparent"] == parent


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("traceparent", "00-1-2-3")],
        [("tracestate", "a=1")],
        [("traceparent", "00-" + "0" * 32 + "-00f067aa0ba902b7-01")],
    ],
)
def test_properties_without_a_good_traceparent_are_no_context(pairs: list[tuple[str, str]]) -> None:
    assert read_context(encoded(pairs)) is None


@pytest.mark.parametrize("state", ["", "x" * 513, "a=\n", "ü"])
def test_a_tracestate_that_is_none_is_left_out(state: str) -> None:
    pairs = [("traceparent", GIVEN), ("tracestate", state)]
    assert read_context(encoded(pairs)) == Context(GIVEN)


def test_a_button_begins_the_trace_that_the_runtime_goes_on_with() -> None:
    context = read_context(click_properties(EVENT_ID))
    assert context is not None
    assert trace_id(context.traceparent) == TRACE_ID
    assert trace_id(traceparent(event_id=EVENT_ID, request_id=REQUEST_ID)) == TRACE_ID
    assert click_properties("one") == click_properties("0" * 32) == b""


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b'{"a":1}',
        b'{"trace":{"traceparent":"',
        b'{"trace":{"traceparent":"\xff"}}',
        b'{"trace":{"traceparent":"00-1"}}',
    ],
)
def test_a_result_without_a_trace_has_no_properties(payload: bytes) -> None:
    assert result_properties(payload) == b""


@pytest.mark.parametrize(
    "change",
    [
        {"traceparent": "x"},
        {"attempt": 0},
        {"queuedMs": -1},
        {"handlerMs": "1"},
        {"receivedAt": "yesterday"},
        {"function": "x" * 300},
    ],
)
def test_what_strangers_call_a_trace_is_none(change: dict[str, object]) -> None:
    result = traced(b'{"a":1}', "enrich", event(), run(spent=0.1), Ended(False, b"", 0.1), now=NOW)
    good = json.loads(result)["trace"]
    assert read_trace(json.dumps(good).encode()) is not None
    assert read_trace(json.dumps(good | change).encode()) is None
    assert read_trace(json.dumps(good | {"more": "x" * 3000}).encode()) is None


def test_of_a_flood_only_the_first_of_each_second_have_one() -> None:
    budget = Budget(2)
    assert [budget.takes_one(NOW + 0.1 * number) for number in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert [budget.takes_one(NOW + 1.5) for _ in range(3)] == [True, True, False]
    assert not Budget(0).takes_one(NOW)


def test_a_moment_is_written_to_the_microsecond() -> None:
    assert precise(1_763_806_530.123457) == "2025-11-22T10:15:30.123457Z"
    assert precise(1_763_806_530.9999997) == "2025-11-22T10:15:30.999999Z"
    assert precise(0.0) == "1970-01-01T00:00:00.000000Z"
