"""Where a click's time went in the function runtime: the object `trace` of a processed click.

Who publishes writes it, who subscribes reads it; what is read is hostile. `traceparent` is W3C's
(Trace Context, level 1, section 3.2): its trace id is the click's own `eventId`, so that whoever
knows the click knows its trace, unless the click brought a `traceparent` of its own along.

With an MQTT 5 broker the context also goes along as user properties of those names, as W3C's draft
for MQTT has it (Trace Context: MQTT protocol, 3.2), for whoever does not read our payloads.
"""

import functools
import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from iot_button import properties

MOST_BYTES: Final = 2048
"""What is longer is no trace of ours."""

_TRACEPARENT: Final = re.compile("00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_NOTHING: Final = "0" * 32
_TRACESTATE: Final = re.compile("[\\x20-\\x7e]{1,512}")
_PARENT: Final = "traceparent"
_STATE: Final = "tracestate"
_WRITTEN: Final = b'"trace":{"traceparent":"'
_PARENT_LENGTH: Final = 55

_Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
_Text = Annotated[str, msgspec.Meta(max_length=200)]


class Trace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One click's way through the runtime.

    `received_at`: when its event came, RFC 3339 with microseconds, by the runtime's clock. The
    milliseconds after it: `queued_ms`, until a process had it, retries included; then
    `cold_start_ms` of waiting for that process to start, 0 for a warm one; then `handler_ms`.
    `published_ms` counts from `received_at` until the result was handed to the broker's connection;
    what lies between is the way out of the process. `attempt`: 1 is the first run.
    `tracestate` may stand behind `traceparent`, as it came: for others, and not read here.
    """

    traceparent: _Text
    request_id: _Text
    function: _Text
    attempt: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    received_at: _Text
    queued_ms: _Milliseconds
    cold_start_ms: _Milliseconds
    handler_ms: _Milliseconds
    published_ms: _Milliseconds


_decode = msgspec.json.Decoder(Trace).decode


def traceparent(*, event_id: str | None, request_id: str, given: object = None) -> str:
    """Return the `traceparent` of a run: a span of its own in the click's trace.

    Args:
        event_id: the click's, a UUID as our buttons make them, or any other text.
        request_id: the run's, a UUID.
        given: what came with the click as its `traceparent`, checked here.
    """
    digits = request_id.replace("-", "")
    if given is not None:
        came = _TRACEPARENT.fullmatch(given) if isinstance(given, str) else None
        if came is not None:
            return f"00-{came[1]}-{digits[:16]}-{came[3]}"
    own = (event_id or "").replace("-", "")
    if len(own) == 32 and own != _NOTHING:
        # Cheaper than a pattern, and in lower case, whatever it was in.
        try:
            return f"00-{bytes.fromhex(own).hex()}-{digits[:16]}-01"
        except ValueError:
            pass
    return f"00-{digits}-{digits[:16]}-01"


class Context(msgspec.Struct, frozen=True):
    """The trace that a message belongs to, as it came: checked, and no more."""

    traceparent: str
    tracestate: str | None = None


def read_context(message_properties: bytes) -> Context | None:
    """Return the context in a message's MQTT 5 properties; None where there is no good one."""
    parent = properties.user_property(message_properties, _PARENT)
    if parent is None or _TRACEPARENT.fullmatch(parent) is None:
        return None
    state = properties.user_property(message_properties, _STATE)
    is_good = state is not None and _TRACESTATE.fullmatch(state) is not None
    return Context(parent, state if is_good else None)


def click_properties(event_id: str) -> bytes:
    """Return the user properties of a click from its button, where its trace begins.

    The span's id is the end of the `eventId`, its random part; without a UUID there are none.
    """
    digits = event_id.replace("-", "")
    parent = f"00-{digits}-{digits[16:]}-01"
    if _TRACEPARENT.fullmatch(parent) is None:
        return b""
    return properties.encoded([(_PARENT, parent)])


def result_properties(payload: bytes) -> bytes:
    """Return the user properties of a processed click: the context that its `trace` begins with."""
    found = payload.rfind(_WRITTEN)
    if found < 0:
        return b""
    start = found + len(_WRITTEN)
    parent = payload[start : start + _PARENT_LENGTH].decode("ascii", "replace")
    if _TRACEPARENT.fullmatch(parent) is None:
        return b""
    pairs = [(_PARENT, parent)]
    behind = payload[start + _PARENT_LENGTH :]
    if behind.startswith(b'","tracestate":'):
        pairs += _written_state(payload[found + len(b'"trace":') : -1])
    return properties.encoded(pairs)


class _State(msgspec.Struct, frozen=True):
    tracestate: str = ""


_decode_state = msgspec.json.Decoder(_State).decode


def _written_state(trace: bytes) -> list[tuple[str, str]]:
    try:
        state = _decode_state(trace).tracestate
    except (ValueError, RecursionError):
        return []
    return [(_STATE, state)] if _TRACESTATE.fullmatch(state) else []


def trace_id(text: str) -> str | None:
    """Return the trace id of a `traceparent`; None where it is none."""
    match = _TRACEPARENT.fullmatch(text)
    return None if match is None else match[1]


def span_id(text: str) -> str | None:
    """Return the span id of a `traceparent`; None where it is none."""
    match = _TRACEPARENT.fullmatch(text)
    return None if match is None else match[2]


def read_trace(data: bytes) -> Trace | None:
    """Read a trace; None where it is none of ours: a processed click is good without it."""
    if not data or len(data) > MOST_BYTES:
        return None
    try:
        trace = _decode(data)
        datetime.fromisoformat(trace.received_at)
    except (ValueError, RecursionError):
        return None
    is_good = trace_id(trace.traceparent) is not None and trace.received_at.endswith("Z")
    return trace if is_good else None


def precise(moment: float) -> str:
    """Write seconds since 1970 as RFC 3339 with microseconds."""
    seconds = int(moment)
    part = min(999_999, int((moment - seconds) * 1_000_000 + 0.5))
    return f"{_second(seconds)}.{part:06d}Z"


@functools.lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
