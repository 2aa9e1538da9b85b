"""A click's way from the button to this dashboard, as a waterfall: what took how long.

Three clocks take part: the button's, the function runtime's, ours. A length between two moments of
one clock is exact. One between moments of two is off by as much as these differ; where it would be
negative they differ at least by that, which is said, and the length is 0. So a bar begins where the
one before it ends, and none is negative.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from dashboard.history import FIRST_MOMENT, Row
from iot_button.events import parse_instant
from iot_button.traces import Trace, trace_id

_ROUNDING: Final = 1.0
"""Milliseconds that moments are cut by: so much of a difference is none."""


class Step(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of the way, in milliseconds. `length_ms`: null where nobody knows it.

    `between_clocks`: it lies between the moments of two clocks. `apart_ms`: by how much these
    differ at least, where that shows.
    """

    name: str
    start_ms: float
    length_ms: float | None
    between_clocks: bool = False
    apart_ms: float | None = None
    note: str = ""


class Waterfall(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A click and its way. `steps`: in order; `total_ms`: of all whose length is known."""

    click: Row
    traceparent: str | None
    trace_id: str | None
    request_id: str | None
    function: str | None
    attempt: int | None
    steps: list[Step]
    total_ms: float


class _Part(msgspec.Struct, frozen=True):
    name: str
    length: float | None
    between_clocks: bool = False
    note: str = ""


def waterfall(click: Row, trace: Trace | None) -> Waterfall:
    """Return a click's way, as far as it is known."""
    parts = _through_runtime(click, trace) if trace is not None else _by_timestamp(click)
    steps, start = [], 0.0
    for part in parts:
        step = _step(part, start)
        start += step.length_ms or 0.0
        steps.append(step)
    return Waterfall(
        click=click,
        traceparent=None if trace is None else trace.traceparent,
        trace_id=None if trace is None else trace_id(trace.traceparent),
        request_id=None if trace is None else trace.request_id,
        function=None if trace is None else trace.function,
        attempt=None if trace is None else trace.attempt,
        steps=steps,
        total_ms=round(start, 3),
    )


def _through_runtime(click: Row, trace: Trace) -> Iterator[_Part]:
    received = datetime.fromisoformat(trace.received_at)
    yield _Part(
        "From the button to the function runtime",
        _between(_pressed(click), received),
        between_clocks=True,
        note=_doubt(click),
    )
    retried = f"with {trace.attempt - 1} failed runs before" if trace.attempt > 1 else ""
    yield _Part("Waiting for its turn", trace.queued_ms, note=retried)
    if trace.cold_start_ms:
        yield _Part("Cold start", trace.cold_start_ms, note="a process had to be started first")
    else:
        yield _Part("Warm: no start to wait for", 0.0)
    yield _Part("The handler", trace.handler_ms)
    inside = trace.queued_ms + trace.cold_start_ms + trace.handler_ms
    yield _Part("Out of the process, to the broker", max(0.0, trace.published_ms - inside))
    published = received + timedelta(milliseconds=trace.published_ms)
    yield _Part(
        "By the broker to this dashboard",
        _between(published, _moment(click.received_at)),
        between_clocks=True,
    )


def _by_timestamp(click: Row) -> Iterator[_Part]:
    """Yield what a processed click without a trace tells: when it was made, and when it was run."""
    ran = _moment(click.timestamp)
    yield _Part(
        "From the button to the function",
        _between(_pressed(click), ran),
        between_clocks=True,
        note=_doubt(click),
    )
    yield _Part(
        "From the function to this dashboard",
        _between(ran, _moment(click.received_at)),
        between_clocks=True,
        note="the function runtime tells no more of this click",
    )


def _pressed(click: Row) -> datetime | None:
    """Return when the button was pressed, unless its clock was never set."""
    moment = _moment(click.clicked_at)
    return moment if moment is not None and moment >= FIRST_MOMENT else None


def _doubt(click: Row) -> str:
    if not click.clicked_at:
        return "the click does not say when it was made"
    return "" if _pressed(click) else "the button's clock was not set"


def _step(part: _Part, start: float) -> Step:
    length, apart = part.length, None
    if length is not None and length < 0:
        apart = round(-length, 3) if -length > _ROUNDING else None
        length = 0.0
    return Step(
        name=part.name,
        start_ms=round(start, 3),
        length_ms=None if length is None else round(length, 3),
        between_clocks=part.between_clocks,
        apart_ms=apart,
        note=part.note,
    )


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError:
        return None


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    """Return milliseconds, negative ones too."""
    if begin is None or end is None:
        return None
    return (end - begin) / timedelta(milliseconds=1)
