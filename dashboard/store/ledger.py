"""Writes a batch of what came: each click once, what it changes at its button, and the sums."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.history import Recorded, Row, cut, recorded, row_of
from dashboard.store.arrivals import Arrival, ButtonStatus, DeadLetter, milliseconds
from dashboard.store.engine import Engine
from dashboard.store.rollups import Rollups
from dashboard.store.traces import pack
from iot_button.events import ProcessedClick, TracedClick
from iot_button.traces import read_trace

MAX_DEAD_LETTERS = 10_000
"""Dead letters kept: the oldest make room. A flood of them must not push out the clicks."""


@dataclass(slots=True)
class Stored:
    """What a batch was: the clicks that are new, and how many were known."""

    rows: list[Recorded] = field(default_factory=list)
    repeated: int = 0
    has_new_buttons: bool = False

    @classmethod
    def together(cls, parts: Iterable["Stored"]) -> "Stored":
        """Return what several batches were together."""
        whole = cls()
        for part in parts:
            whole.rows += part.rows
            whole.repeated += part.repeated
            whole.has_new_buttons |= part.has_new_buttons
        return whole


@dataclass(slots=True)
class _Button:
    """A button, and what the batch changes at it."""

    number: int
    highest: int
    clicks: int = 0
    last: Row | None = None
    moment: int = 0
    battery: int | None = None


class Batch:
    """One transaction's worth of writing.

    Texts were cut by `row_of`: what is kept of one message is bounded.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._buttons: dict[str, _Button] = {}
        self._rollups = Rollups()
        self._stored = Stored()
        self._last_id = int(database.read(_LAST_ID)[0][0])

    def write(self, arrivals: Iterable[Arrival]) -> Stored:
        """Write everything, not yet committed; return what was new."""
        for arrival in arrivals:
            content = arrival.content
            if isinstance(content, ProcessedClick):
                self._write_click(content, arrival.received_at)
            elif isinstance(content, DeadLetter):
                self._write_dead_letter(content, arrival.received_at)
            else:
                self._write_status(content, arrival.received_at)
        changed = [button for button in self._buttons.values() if button.clicks]
        self._database.write_many(_UPDATE_BUTTON, map(_update, changed))
        self._rollups.write(self._database)
        if self._stored.rows:
            self._database.write(_SET_LAST_ID, (str(self._last_id),))
        return self._stored

    def _write_click(self, click: ProcessedClick, received_at: datetime) -> None:
        button = self._button(cut(click.serial_number))
        highest = max(button.highest, click.battery_millivolts or 0)
        row = row_of(
            click,
            row_id=self._last_id + 1,
            received_at=received_at,
            battery_highest=highest or None,
        )
        moment = milliseconds(received_at)
        values = (*_columns(row, button.number, moment), _trace(click))
        if not self._database.write(_INSERT_CLICK, values):
            self._stored.repeated += 1
            return
        self._last_id = row.id
        button.highest, button.last, button.moment = highest, row, moment
        button.clicks += 1
        button.battery = row.battery_millivolts or button.battery
        self._rollups.add(row, button=button.number, moment=moment // 1000)
        self._stored.rows.append(recorded(row))

    def _write_dead_letter(self, letter: DeadLetter, received_at: datetime) -> None:
        values = (
            milliseconds(received_at),
            letter.function,
            letter.reason,
            letter.attempts,
            letter.request_id,
            letter.serial_number,
            letter.payload,
        )
        if self._database.write(_INSERT_DEAD_LETTER, values):
            self._database.write(_TRIM_DEAD_LETTERS, (MAX_DEAD_LETTERS,))

    def _write_status(self, status: ButtonStatus, received_at: datetime) -> None:
        if status.state is not None:
            self._button(status.serial_number)
        moment = milliseconds(received_at)
        self._database.write(
            _UPDATE_STATE, (status.state, moment, status.serial_number, status.state)
        )

    def _button(self, serial_number: str) -> _Button:
        known = self._buttons.get(serial_number)
        if known is None:
            self._stored.has_new_buttons |= bool(
                self._database.write(_INSERT_BUTTON, (serial_number,))
            )
            ((number, highest),) = self._database.read(_BUTTON, (serial_number,))
            known = self._buttons[serial_number] = _Button(number, highest)
        return known


def _trace(click: ProcessedClick) -> bytes | None:
    return pack(read_trace(bytes(click.trace))) if isinstance(click, TracedClick) else None


def _columns(row: Row, button: int, moment: int) -> tuple[object, ...]:
    return (
        row.id,
        button,
        row.event_id,
        moment,
        row.latency_ms,
        row.click_type,
        row.battery_millivolts,
        row.battery_highest,
        row.ip_address,
        row.title,
        row.timestamp,
        row.clicked_at,
    )


def _update(button: _Button) -> tuple[object, ...]:
    click_type = button.last and button.last.click_type
    changes = (button.clicks, button.moment, click_type, button.battery, button.highest)
    return *changes, button.number


_LAST_ID = "SELECT value FROM fact WHERE name = 'last_click'"
_SET_LAST_ID = "UPDATE fact SET value = ? WHERE name = 'last_click'"
_BUTTON = "SELECT number, battery_highest FROM button WHERE serial_number = ?"
_INSERT_BUTTON = "INSERT INTO button (serial_number) VALUES (?) ON CONFLICT DO NOTHING"
_UPDATE_BUTTON = """
UPDATE button SET clicks = clicks + ?, clicked_at = ?, click_type = ?,
    battery = coalesce(?, battery), battery_highest = ?
WHERE number = ?
"""
_UPDATE_STATE = """
UPDATE button SET state = ?, state_at = ?
WHERE serial_number = ? AND coalesce(state, '') <> coalesce(?, '')
"""
_INSERT_CLICK = """
INSERT INTO click VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (button, event_id) WHERE event_id IS NOT NULL DO NOTHING
"""
_INSERT_DEAD_LETTER = """
INSERT INTO dead_letter
    (received_at, function, reason, attempts, request_id, serial_number, payload)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (function, request_id) WHERE request_id IS NOT NULL DO NOTHING
"""
_TRIM_DEAD_LETTERS = "DELETE FROM dead_letter WHERE id <= (SELECT max(id) FROM dead_letter) - ?"
