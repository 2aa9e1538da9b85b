"""The writing: all that waits goes into one transaction, and only then is it told."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, Queue
from typing import Any

from dashboard.history import Recorded
from dashboard.store.arrivals import Arrival
from dashboard.store.engine import Engine
from dashboard.store.ledger import Batch, Stored
from dashboard.store.tidying import Tidying
from iot_button.files import DamagedFileError, StorageError

log = logging.getLogger(__name__)

_MAX_BATCH = 500
_RETRY_AFTER = 1.0
_TIDY_EVERY = 60.0


class Job:
    """Something to do on the writing thread in a transaction of its own, and who waits for it."""

    def __init__(self, work: Callable[[Engine], Any]) -> None:
        self._work = work
        self.result: Future[Any] = Future()

    def run(self, database: Engine) -> None:
        """Do it; what it raises is for who waits, and a damaged file for us too."""
        try:
            found = self._work(database)
            database.commit()
        except Exception as error:
            database.undo()
            self.result.set_exception(error)
            if isinstance(error, DamagedFileError):
                raise
        else:
            self.result.set_result(found)


Item = Arrival | Job | None
"""What waits to be written; None: the end."""


class Writer:
    """Writes what comes out of a queue until its end, and tidies up in between.

    Args:
        database: open, and this thread's.
        waiting: where what is to be written comes from.
        tidying: makes room, a step at a time.
        on_stored: called after each commit with the clicks that were new.
        stopping: set when a disk that is full need not be waited for any more.
    """

    def __init__(
        self,
        database: Engine,
        waiting: "Queue[Item]",
        *,
        tidying: Tidying,
        on_stored: Callable[[Sequence[Recorded]], None],
        stopping: threading.Event,
    ) -> None:
        self.repeated = 0
        self.buttons = 0
        self._database = database
        self._waiting = waiting
        self._tidying = tidying
        self._on_stored = on_stored
        self._stopping = stopping
        self._is_in_trouble = False
        self.count_buttons()

    def run(self) -> None:
        """Write until the end is taken from the queue.

        Raises:
            DamagedFileError: nothing more can be written.
        """
        tidy_at = 0.0
        while True:
            items = self._take(max(0.0, tidy_at - time.monotonic()))
            if not self._write(items):
                return
            if time.monotonic() >= tidy_at:
                tidy_at = time.monotonic() + (0.0 if self._tidy() else _TIDY_EVERY)

    def count_buttons(self) -> None:
        """Count the buttons anew."""
        ((self.buttons,),) = self._database.read(_COUNT_BUTTONS)

    def _take(self, timeout: float) -> list[Item]:
        items: list[Item] = []
        with contextlib.suppress(Empty):
            items.append(self._waiting.get(block=timeout > 0, timeout=timeout))
            while len(items) < _MAX_BATCH:
                items.append(self._waiting.get_nowait())
        return items

    def _write(self, items: list[Item]) -> bool:
        arrivals = [item for item in items if isinstance(item, Arrival)]
        while arrivals and not self._store(arrivals):
            if self._stopping.wait(_RETRY_AFTER):
                return False
        for item in items:
            if isinstance(item, Job):
                item.run(self._database)
                self.count_buttons()
        return None not in items

    def _store(self, arrivals: Sequence[Arrival]) -> bool:
        """Commit, tell and acknowledge; False when the disk does not take it."""
        try:
            stored = self._commit(arrivals)
        except DamagedFileError:
            raise
        except StorageError as error:
            self._database.undo()
            if not self._is_in_trouble:
                log.error("%s; nothing is lost, and it is tried again each second", error)
            self._is_in_trouble = True
            return False
        self._is_in_trouble = False
        self.repeated += stored.repeated
        if stored.has_new_buttons:
            self.count_buttons()
        if stored.rows:
            self._on_stored(stored.rows)
        for arrival in arrivals:
            arrival.on_stored()
        return True

    def _commit(self, arrivals: Sequence[Arrival]) -> Stored:
        """Write all of them, or each alone where one makes us fail: that one is passed over."""
        try:
            stored = Batch(self._database).write(arrivals)
            self._database.commit()
        except StorageError:
            raise
        except Exception:
            self._database.undo()
            if len(arrivals) == 1:
                log.exception("a message could not be kept, and is passed over")
                return Stored()
            return Stored.together([self._commit([arrival]) for arrival in arrivals])
        return stored

    def _tidy(self) -> bool:
        try:
            has_more = self._tidying.step(self._database)
            self._database.commit()
        except DamagedFileError:
            raise
        except StorageError as error:
            self._database.undo()
            log.warning("could not make room: %s", error)
            return False
        except Exception:
            self._database.undo()
            log.exception("could not make room")
            return False
        return has_more


_COUNT_BUTTONS = "SELECT count(*) FROM button WHERE serial_number IS NOT NULL"
