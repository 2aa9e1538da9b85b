"""What makes room, in steps so small that no click waits for them: by age, by size, on demand."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.store.arrivals import milliseconds
from dashboard.store.engine import Engine
from dashboard.store.schema import DAY
from iot_button.events import utc_now

STEP_ROWS = 500
"""Rows deleted in one transaction: 5-10 ms (measured at 1,000,000 clicks on a virtual disk)."""

MOST_BUTTONS = 10_000
"""Buttons that are kept without a click or a name: whoever invents serial numbers fills no disk."""

NEWEST = 1_000
"""Clicks that stay, whatever else there is."""

_LETTERS_AT_ONCE = 20
"""Dead letters deleted in one transaction; one may have 16 kB."""

_SHARE_OF_LETTERS = 4
"""A quarter of the room is theirs at most: a flood of them must not push out the clicks."""

_MEGABYTE = 1_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept: clicks so many days old at most, and a file of so many megabytes.

    What is older than `days` is known by its sums per day alone.
    """

    days: int = 365
    megabytes: int = 1024


class Tidying:
    """Takes one step at a time; `now` is the clock."""

    def __init__(self, keep: Keep, *, now: Callable[[], datetime] = utc_now) -> None:
        self._keep = keep
        self._now = now
        self._has_said = False

    def step(self, database: Engine) -> bool:
        """Delete some of what is to go, uncommitted; return whether there may be more."""
        steps = (erase_some, self._by_age, self._by_size, _forget_a_button)
        return any(step(database) for step in steps)

    def _by_age(self, database: Engine) -> bool:
        oldest_kept = milliseconds(self._now() - timedelta(days=self._keep.days))
        days = oldest_kept // 1000 // DAY * DAY
        _advance_fine(database, days)
        count = database.write(_DELETE_OLD_LETTERS, (oldest_kept, STEP_ROWS))
        count += _delete_clicks(database, _OLD_CLICKS, oldest_kept)
        count += database.write(_DELETE_FINE, (days, STEP_ROWS))
        return count >= STEP_ROWS

    def _by_size(self, database: Engine) -> bool:
        most = self._keep.megabytes * _MEGABYTE
        if database.used_bytes() <= most:
            return False
        if not self._has_said:
            self._has_said = True
            log.warning(
                "the history has %d MB (dashboard.keep_megabytes): the oldest of it is deleted",
                self._keep.megabytes,
            )
        return (
            (_letters_bytes(database) > most // _SHARE_OF_LETTERS and _forget_letters(database))
            or self._thin(database)
            or _delete_clicks(database, _OLDEST_CLICKS, NEWEST - 1) > 0
            or _forget_letters(database)
        )

    def _thin(self, database: Engine) -> bool:
        """Have sums of minutes and quarters for as long as there are clicks; those of days stay."""
        for (oldest,) in database.read(_OLDEST_CLICK):
            days = int(oldest) // 1000 // DAY * DAY
            _advance_fine(database, days)
            return database.write(_DELETE_FINE, (days, STEP_ROWS)) > 0
        return False


def erase_letters(database: Engine, serial_number: str) -> bool:
    """Delete some of a button's dead letters; return whether there may be more."""
    return database.write(_DELETE_LETTERS_OF, (serial_number, _LETTERS_AT_ONCE)) > 0


def erase(database: Engine, serial_number: str) -> bool:
    """Take a button's name away from all that is known of it; `erase_some` deletes that then.

    Of its dead letters few should be left: they go at once.

    Returns:
        Whether there was such a button. Under its serial number a new one can begin at once.
    """
    database.write("DELETE FROM dead_letter WHERE serial_number = ?", (serial_number,))
    return bool(database.write(_MAKE_NAMELESS, (serial_number,)))


def erase_some(database: Engine) -> bool:
    """Delete some of what `erase` has made nameless; return whether there may be more."""
    for (number,) in database.read("SELECT number FROM button WHERE serial_number IS NULL LIMIT 1"):
        for delete in (_DELETE_CLICKS_OF, _DELETE_ROLLUPS_OF):
            if database.write(delete, (number, STEP_ROWS)):
                return True
        database.write("DELETE FROM button WHERE number = ?", (number,))
        return True
    return False


def _delete_clicks(database: Engine, which: str, *parameters: int) -> int:
    return database.write(
        f"DELETE FROM click WHERE id IN ({which})",  # noqa: S608 - a constant of this module
        (*parameters, STEP_ROWS),
    )


def _advance_fine(database: Engine, days: int) -> None:
    ((fine_from,),) = database.read("SELECT value FROM fact WHERE name = 'fine_from'")
    if days > int(fine_from):
        database.write("UPDATE fact SET value = ? WHERE name = 'fine_from'", (str(days),))


def _letters_bytes(database: Engine) -> int:
    ((size,),) = database.read("SELECT coalesce(sum(length(payload)), 0) FROM dead_letter")
    return int(size)


def _forget_letters(database: Engine) -> bool:
    return database.write(_DELETE_OLDEST_LETTERS, (_LETTERS_AT_ONCE,)) > 0


def _forget_a_button(database: Engine) -> bool:
    ((count,),) = database.read("SELECT count(*) FROM button")
    if count <= MOST_BUTTONS:
        return False
    stale = database.read(_STALE_BUTTON)
    return any(erase(database, serial_number) for (serial_number,) in stale)


_OLD_CLICKS = "SELECT id FROM click WHERE received_at < ? ORDER BY received_at LIMIT ?"
_OLDEST_CLICKS = """
SELECT id FROM click WHERE id < (SELECT id FROM click ORDER BY id DESC LIMIT 1 OFFSET ?)
ORDER BY id LIMIT ?
"""
_OLDEST_CLICK = "SELECT received_at FROM click ORDER BY id LIMIT 1"
_DELETE_OLDEST_LETTERS = """
DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter ORDER BY id LIMIT ?)
"""
_DELETE_LETTERS_OF = """
DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE serial_number = ? LIMIT ?)
"""
_DELETE_OLD_LETTERS = """
DELETE FROM dead_letter WHERE id IN
    (SELECT id FROM (SELECT id, received_at FROM dead_letter ORDER BY id LIMIT 100) AS candidate
     WHERE received_at < ? LIMIT ?)
"""
_DELETE_FINE = """
DELETE FROM rollup WHERE step < 86400 AND (step, button, start) IN
    (SELECT step, button, start FROM rollup WHERE step < 86400 AND start < ? LIMIT ?)
"""
_MAKE_NAMELESS = """
UPDATE button SET serial_number = NULL, name = NULL, place = NULL, colour = NULL,
    clicked_at = NULL, state = NULL
WHERE serial_number = ?
"""
_DELETE_CLICKS_OF = """
DELETE FROM click WHERE id IN (SELECT id FROM click WHERE button = ? LIMIT ?)
"""
_DELETE_ROLLUPS_OF = """
DELETE FROM rollup WHERE (step, button, start) IN
    (SELECT step, button, start FROM rollup
     WHERE step IN (60, 900, 86400) AND button = ? LIMIT ?)
"""
_STALE_BUTTON = """
SELECT serial_number FROM button
WHERE serial_number IS NOT NULL AND name IS NULL
    AND NOT EXISTS (SELECT * FROM click WHERE click.button = button.number)
ORDER BY clicked_at LIMIT 1
"""
