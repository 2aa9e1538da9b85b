"""What the functions have used in this month: the runtime counts since its start, we go on from it.

A small file, beside the history. While no dashboard runs nothing is lost: the runtime goes on
counting, and its next figures have it all, unless it was started again in between: what it had
counted since our last look, a minute at most while we run, is missing then. What it had counted
before our first look of all counts for the month of that look.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from dashboard.costs import Costs, Used, costs, gb_seconds
from dashboard.functions_figures import FunctionFigures
from iot_button.dashboard_settings import SERVER_PRICE
from iot_button.events import utc_now
from iot_button.files import StorageError, make_private_folder, write_private

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 60.0
WRITE_EVERY: Final = 30.0
"""Seconds. A file that is older tells the same: what it has not seen is counted from it on."""
_STOP_TIMEOUT: Final = 5.0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime's counts of one function, as they were when we looked last."""

    invocations: int = 0
    events: int = 0
    seconds: float = 0.0


class Month(msgspec.Struct, kw_only=True):
    """The file. `since`: when we first looked in this month."""

    since: datetime
    used: dict[str, Used] = msgspec.field(default_factory=dict)
    seen: dict[str, Seen] = msgspec.field(default_factory=dict)


_decode = msgspec.json.Decoder(Month).decode
_encode = msgspec.json.Encoder().encode


class Usage:
    """Adds up what is used. For any number of threads.

    Args:
        path: the file; it is made with the first figures.
        server_price: of the server to compare with, US dollars a month.
        now: the clock.
    """

    def __init__(
        self,
        path: Path,
        *,
        server_price: float = SERVER_PRICE,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._path = path
        self._server_price = server_price
        self._now = now
        self._lock = threading.Lock()
        self._month: Month | None = None
        self._write_at = 0.0

    def take(self, functions: Sequence[FunctionFigures]) -> None:
        """Add what was used since the last time."""
        with self._lock:
            month = self._of_now()
            for each in functions:
                _add(month, each)
            if time.monotonic() >= self._write_at:
                self._write_at = time.monotonic() + WRITE_EVERY
                self._write(_encode(month))

    def costs(self) -> Costs:
        """Return what this month would have cost until now."""
        with self._lock:
            month = self._of_now()
            used = list(month.used.values())
            return costs(used, since=month.since, now=self._now(), server_price=self._server_price)

    def _of_now(self) -> Month:
        now = self._now()
        month = self._month or self._read()
        if month is None:
            month = Month(since=now)
        elif (month.since.year, month.since.month) != (now.year, now.month):
            month = Month(since=now, seen=month.seen)
        self._month = month
        return month

    def _write(self, data: bytes) -> None:
        try:
            make_private_folder(self._path.parent)
            write_private(self._path, data)
        except StorageError as error:
            log.warning("the month's costs could not be written down: %s", error)

    def _read(self) -> Month | None:
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): the month's costs begin anew", self._path, error)
            return None


@contextlib.contextmanager
def looked_after(look: Callable[[], object], every: float = LOOK_EVERY) -> Iterator[None]:
    """Have somebody look again and again, on a thread of its own, until the end of the block."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(every):
            look()

    thread = threading.Thread(target=run, name="usage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_STOP_TIMEOUT)


def _add(month: Month, each: FunctionFigures) -> None:
    now = Seen(
        invocations=each.invocations,
        events=each.events_received,
        seconds=(each.cold_starts.total + each.duration.total) / 1000,
    )
    seen = month.seen.get(each.name, Seen())
    if now.invocations < seen.invocations or now.events < seen.events:
        seen = Seen()  # another start of the runtime: it counts from nothing
    runs = now.invocations - seen.invocations
    used = Used(
        requests=runs,
        events=now.events - seen.events,
        gb_seconds=gb_seconds(
            seconds=max(0.0, now.seconds - seen.seconds),
            runs=runs,
            megabytes=each.memory_megabytes,
        ),
    )
    month.used[each.name] = month.used.get(each.name, Used()) + used
    month.seen[each.name] = now
