"""Puts into a processed click where its time went: one object more, behind all others."""

import json
import time
from typing import Final

import msgspec

from functions.runtime.events import Event
from functions.runtime.runs import Ended, Run
from iot_button.traces import Context, precise, traceparent

PROCESSED: Final = "iotprocessed"
"""The one topic whose messages carry it. Without the prefix, as all topics of the runtime."""
_FORM: Final = (
    ',"trace":{"traceparent":"%s"%s,"requestId":"%s","function":"%s","attempt":%d,'
    '"receivedAt":"%s","queuedMs":%.3f,"coldStartMs":%.3f,"handlerMs":%.3f,"publishedMs":%.3f}}'
)


class Budget:
    """Lets the first so many of each second through: nobody looks at each click of a flood."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._second = 0
        self._left = 0

    def takes_one(self, now: float) -> bool:
        """Whether there is one left for the second in which `now` lies, seconds since 1970."""
        second = int(now)
        if second != self._second:
            self._second, self._left = second, self._most
        self._left -= 1
        return self._left >= 0


class _Given(msgspec.Struct, frozen=True):
    traceparent: object = None


_decode_given = msgspec.json.Decoder(_Given).decode


def traced(
    result: bytes, function: str, event: Event, run: Run, ended: Ended, *, now: float
) -> bytes:
    """Return a result with `trace`; as it is where it is no object, or has a field of that name.

    Written out by hand: each click of a busy runtime comes by here (`Trace` says what it means).

    Args:
        result: what the handler returned, as JSON.
        function: whose it is.
        event: what it was given.
        run: its last run.
        ended: how that ended.
        now: seconds since 1970, by the clock that `event.received` is of.
    """
    if len(result) <= 2 or result[:1] != b"{" or b'"trace"' in result:
        return result
    whole = now - event.received
    whole = whole if whole > 0 else 0.0
    handler = ended.duration if ended.duration < whole else whole
    # Several results may come at once: then less time has passed since than the handler says.
    out = time.monotonic() - run.begun - handler if run.begun else 0.0
    waited = whole - handler - (out if out > 0 else 0.0)
    waited = waited if waited > 0 else 0.0
    cold = min(ended.init_duration or 0.0, waited) if run.is_cold else 0.0
    context = _context(event)
    trace = _FORM % (
        traceparent(
            event_id=None if event.click is None else event.click.event_id,
            request_id=event.request_id,
            given=None if context is None else context.traceparent,
        ),
        _state(context),
        event.request_id,
        function,
        event.attempts or 1,
        precise(event.received),
        (waited - cold) * 1000,
        cold * 1000,
        handler * 1000,
        whole * 1000,
    )
    return result[:-1] + trace.encode()


def _context(event: Event) -> Context | _Given | None:
    """Return what a click brought along, beside its payload or in it; hardly any does."""
    if event.context is not None or b'"traceparent"' not in event.body:
        return event.context
    try:
        return _decode_given(event.body)
    except (ValueError, RecursionError):
        return None


def _state(context: Context | _Given | None) -> str:
    if not isinstance(context, Context) or context.tracestate is None:
        return ""
    return f',"tracestate":{json.dumps(context.tracestate)}'
