"""What has to be on disk before it is said: the commits at the end of each turn of the loop."""

import logging
import time
from collections.abc import Callable

from functions.runtime.seen import Seen
from iot_button.files import StorageError
from iot_button.loop import Loop, Timer
from iot_button.spool import Spool

log = logging.getLogger(__name__)

_EVERY = 0.01
"""Seconds between two fsyncs of the spool at least; all that came meanwhile shares one."""


class Commits:
    """Commits at the end of a turn, and lets go what waited for that. On the loop's thread.

    `is_hurried`: the spool is committed in each turn that changed it, however short it was.

    Args:
        flush: sends what was published in the turn.
        on_failure: called when the spool could not be committed; nothing is sent then.
    """

    def __init__(
        self,
        loop: Loop,
        spool: Spool,
        seen: Seen,
        *,
        flush: Callable[[], None],
        on_failure: Callable[[StorageError], None],
    ) -> None:
        self.is_hurried = False
        self._loop = loop
        self._spool = spool
        self._seen = seen
        self._flush = flush
        self._on_failure = on_failure
        self._on_disk: list[Callable[[], None]] = []
        self._committed_at = 0.0
        self._timer: Timer | None = None

    def when_on_disk(self, callback: Callable[[], None]) -> None:
        """Call back when what was put into the spool before is there to stay."""
        self._on_disk.append(callback)

    def end_of_turn(self) -> None:
        """Commit what the turn has changed, and then send what it has published."""
        # Outcomes first: an event may leave the spool only when it is known to be done. And once
        # more: one that lies in the spool now is known as held from here on.
        self._seen.commit()
        try:
            self._commit_spool()
        except StorageError as error:
            # What was put there since the last commit is undone; its sources have it still, and
            # send it again to the next process.
            self._on_failure(error)
            return
        self._seen.commit()
        self._flush()

    def _commit_spool(self) -> None:
        """Commit what was changed, but not more often than an fsync is worth."""
        if not self._spool.is_changed:
            return
        now = time.monotonic()
        if now - self._committed_at < _EVERY and not self.is_hurried:
            if self._timer is None:
                self._timer = self._loop.call_later(_EVERY, self._commit_due)
            return
        self._spool.commit()
        self._committed_at = time.monotonic()
        callbacks, self._on_disk = self._on_disk, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # its event is on disk; the other callbacks are of other events
                log.exception("an error after an event was put on disk")

    def _commit_due(self) -> None:
        self._timer = None
