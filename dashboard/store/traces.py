"""Where a click's time went in the function runtime, as it is kept: some 130 bytes a click."""

from typing import Any, Final

import msgspec

from dashboard.history import Row
from dashboard.store.pages import Filter, Read, page
from iot_button.traces import Trace

_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(Trace))
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[str | int | float]).decode


def pack(trace: Trace | None) -> bytes | None:
    """Return a trace for the disk."""
    return None if trace is None else _encode(msgspec.structs.astuple(trace))


def unpack(data: bytes | None) -> Trace | None:
    """Return a trace from the disk."""
    if data is None:
        return None
    values: dict[str, Any] = dict(zip(_FIELDS, _decode(data), strict=True))
    return Trace(**values)


def click_and_trace(read: Read, click_id: int) -> tuple[Row, Trace | None] | None:
    """Return a click and what is known of its way; None where there is no such click."""
    found = page(read, Filter(before=click_id + 1, after=click_id - 1), limit=1).rows
    if not found:
        return None
    rows = read("SELECT trace FROM click WHERE id = ?", (click_id,))
    return found[0], unpack(rows[0][0]) if rows else None
