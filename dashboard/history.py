"""A click as browsers get it, and the latest of them in memory: what a browser is told first.

Nothing here locks: whoever holds a `History` lets one thread in at a time (see `live.Hub`).
"""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from iot_button.events import ProcessedClick, format_instant, parse_instant

MAX_ROWS = 1000
MAX_TEXT = 200
"""Characters kept of each text that a device or a function chose. A message may have 128 KiB, and
a thousand such in memory would be more than the whole dashboard."""

_encode = msgspec.json.Encoder().encode

FIRST_MOMENT: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""An earlier moment is of a clock that was never set: a Raspberry Pi's, before it is online."""


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One processed click as the browser gets it. Every text is hostile until shown as text.

    `latency_ms`: from the click to its arrival here; None where the click does not say when it
    was, or says a moment that is still to come here, or before `FIRST_MOMENT`: clocks differ.
    `battery_highest`: the most millivolts that this button had shown by then, which tells what
    kind of battery it has; None where that is not known.
    """

    id: int
    received_at: str
    latency_ms: int | None
    serial_number: str
    click_type: str
    battery_millivolts: int | None
    battery_highest: int | None
    ip_address: str
    title: str
    timestamp: str
    event_id: str | None
    clicked_at: str | None


class Recorded(msgspec.Struct, frozen=True):
    """A row in memory: encoded once, for every browser and every snapshot."""

    id: int
    serial_number: str
    json: bytes


class History:
    """The latest `max_rows` clicks, under increasing ids.

    Args:
        rows: what is known already, oldest first.
        max_rows: how many are kept.
    """

    def __init__(self, rows: Iterable[Recorded] = (), *, max_rows: int = MAX_ROWS) -> None:
        self._rows = deque(rows, max_rows)
        self.last_id = self._rows[-1].id if self._rows else 0
        self._forgot_at = -1

    def add(self, recorded: Recorded) -> None:
        """Add the newest click."""
        self._rows.append(recorded)
        self.last_id = recorded.id

    def latest(self, count: int) -> list[Recorded]:
        """Return the latest rows, oldest first."""
        return list(self._rows)[-count:]

    def after(self, row_id: int) -> list[Recorded] | None:
        """Return the rows that came after one; None when some of them are forgotten.

        None too for who was here last before a button was forgotten, and may still show its rows.
        """
        oldest = self._rows[0].id if self._rows else self.last_id + 1
        if row_id <= self._forgot_at or not oldest - 1 <= row_id <= self.last_id:
            return None
        return [row for row in self._rows if row.id > row_id]

    def forget(self, serial_number: str) -> None:
        """Remove the rows of one button."""
        kept = [row for row in self._rows if row.serial_number != serial_number]
        self._rows = deque(kept, self._rows.maxlen)
        self._forgot_at = self.last_id


class ClickRate:
    """How many clicks came within the last minute, to the second.

    A count for each second, not a moment for each click: the same few bytes at any rate.
    """

    SECONDS = 60

    def __init__(self) -> None:
        self._counts = [0] * self.SECONDS
        self._second = 0

    def add(self, now: float) -> None:
        """Count one click. `now`: seconds of a clock that never goes back."""
        self._advance(int(now))
        self._counts[self._second % self.SECONDS] += 1

    def per_minute(self, now: float) -> int:
        """Return how many clicks the last 60 seconds had."""
        self._advance(int(now))
        return sum(self._counts)

    def _advance(self, second: int) -> None:
        for passed in range(max(self._second + 1, second - self.SECONDS + 1), second + 1):
            self._counts[passed % self.SECONDS] = 0
        self._second = max(self._second, second)


def row_of(
    click: ProcessedClick, *, row_id: int, received_at: datetime, battery_highest: int | None
) -> Row:
    """Return a click as browsers get it, its texts cut to `MAX_TEXT`."""
    return Row(
        id=row_id,
        received_at=format_instant(received_at),
        latency_ms=_latency_ms(click.clicked_at, received_at),
        serial_number=cut(click.serial_number),
        click_type=cut(click.click_type),
        battery_millivolts=click.battery_millivolts,
        battery_highest=battery_highest,
        ip_address=cut(click.ip_address),
        title=cut(click.title),
        timestamp=cut(click.timestamp),
        event_id=None if click.event_id is None else cut(click.event_id),
        clicked_at=None if click.clicked_at is None else cut(click.clicked_at),
    )


def recorded(row: Row) -> Recorded:
    """Return a row as it is kept in memory."""
    return Recorded(row.id, row.serial_number, _encode(row))


def _latency_ms(clicked_at: str | None, received_at: datetime) -> int | None:
    if clicked_at is None:
        return None
    try:
        moment = parse_instant(clicked_at)
    except ValueError:
        return None
    if moment > received_at or moment < FIRST_MOMENT:
        return None
    return (received_at - moment) // timedelta(milliseconds=1)


def cut(text: str) -> str:
    """Return a text of `MAX_TEXT` characters at most, the last of them an ellipsis where cut."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
