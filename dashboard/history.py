"""What the dashboard remembers: the latest clicks, in memory and bounded, and a few numbers.

Nothing here locks: whoever holds a `History` lets one thread in at a time (see `live.Hub`).
"""

from collections import deque
from datetime import datetime, timedelta

import msgspec

from iot_button.events import ProcessedClick, format_instant, parse_instant

MAX_ROWS = 1000
MAX_BUTTONS = 10_000
MAX_TEXT = 200
"""Characters kept of each text that a device or a function chose. A message may have 128 KiB, and
a thousand such in memory would be more than the whole dashboard."""

_encode = msgspec.json.Encoder().encode


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One processed click as the browser gets it. Every text is hostile until shown as text.

    `latency_ms`: from the click to its arrival here; None where the click does not say when it
    was, or says a moment that is still to come here: clocks differ.
    `battery_highest`: the most millivolts that this button has shown since the dashboard started,
    which tells what kind of battery it has; None where that is not known.
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
    key: tuple[str, str] | None  # serial number and event id, where it has one
    json: bytes


class History:
    """The latest `max_rows` clicks, each `eventId` once, under increasing ids from 1."""

    def __init__(self, *, max_rows: int = MAX_ROWS, max_buttons: int = MAX_BUTTONS) -> None:
        self._max_rows = max_rows
        self._max_buttons = max_buttons
        self._rows: deque[Recorded] = deque()
        self._keys: set[tuple[str, str]] = set()
        self._highest: dict[str, int] = {}  # serial number -> battery; 0 without one
        self.last_id = 0

    def add(self, click: ProcessedClick, *, received_at: datetime) -> Recorded | None:
        """Record a click; None when it is here already: at-least-once delivery repeats."""
        event_id = _cut_optional(click.event_id)
        if event_id is not None and (_cut(click.serial_number), event_id) in self._keys:
            return None
        highest = self._note_button(_cut(click.serial_number), click.battery_millivolts)
        row = _row(
            self.last_id + 1,
            click,
            event_id=event_id,
            received_at=received_at,
            battery_highest=highest,
        )
        key = None if event_id is None else (row.serial_number, event_id)
        recorded = Recorded(row.id, key, _encode(row))
        self.last_id = row.id
        self._keep(recorded)
        return recorded

    def latest(self, count: int) -> list[Recorded]:
        """Return the latest rows, oldest first."""
        return list(self._rows)[-count:]

    def after(self, row_id: int) -> list[Recorded] | None:
        """Return the rows that came after one; None when some of them are forgotten."""
        oldest = self._rows[0].id if self._rows else self.last_id + 1
        if not oldest - 1 <= row_id <= self.last_id:
            return None
        return [row for row in self._rows if row.id > row_id]

    @property
    def buttons(self) -> int:
        """How many buttons have clicked, up to the bound."""
        return len(self._highest)

    @property
    def has_more_buttons(self) -> bool:
        """Whether the bound is reached, so that there may be more buttons than counted."""
        return len(self._highest) >= self._max_buttons

    def _note_button(self, serial_number: str, millivolts: int | None) -> int | None:
        if serial_number not in self._highest and len(self._highest) >= self._max_buttons:
            return None
        highest = max(self._highest.get(serial_number, 0), millivolts or 0)
        self._highest[serial_number] = highest
        return highest or None

    def _keep(self, recorded: Recorded) -> None:
        self._rows.append(recorded)
        if recorded.key is not None:
            self._keys.add(recorded.key)
        if len(self._rows) > self._max_rows:
            self._keys.discard(self._rows.popleft().key or ("", ""))


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


def _row(
    row_id: int,
    click: ProcessedClick,
    *,
    event_id: str | None,
    received_at: datetime,
    battery_highest: int | None,
) -> Row:
    return Row(
        id=row_id,
        received_at=format_instant(received_at),
        latency_ms=_latency_ms(click.clicked_at, received_at),
        serial_number=_cut(click.serial_number),
        click_type=_cut(click.click_type),
        battery_millivolts=click.battery_millivolts,
        battery_highest=battery_highest,
        ip_address=_cut(click.ip_address),
        title=_cut(click.title),
        timestamp=_cut(click.timestamp),
        event_id=event_id,
        clicked_at=_cut_optional(click.clicked_at),
    )


def _latency_ms(clicked_at: str | None, received_at: datetime) -> int | None:
    if clicked_at is None:
        return None
    try:
        latency = received_at - parse_instant(clicked_at)
    except ValueError:
        return None
    return latency // timedelta(milliseconds=1) if latency >= timedelta() else None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _cut_optional(text: str | None) -> str | None:
    return None if text is None else _cut(text)
