"""When a bridge's spool is committed, and what becomes of its messages when it cannot be."""

import contextlib
import logging
from collections.abc import Callable, Sequence

from broker.bridge.side import Side
from iot_button.files import StorageError
from iot_button.loop import Loop, Timer
from iot_button.messages import Delivery
from iot_button.spool import Spool

log = logging.getLogger(__name__)

_COMMIT_LATEST = 0.1
"""Seconds until it is on disk that a message is done; in between, a crash lets it arrive twice."""
_RETRY_DISK = 5.0


class Committing:
    """The commits of one bridge: what is taken is acknowledged when it is on the disk.

    Where the disk refuses, nothing is taken until it takes something again: what came meanwhile is
    not acknowledged, and its broker sends it again over a new connection.

    Args:
        name: of the bridge.
        on_committed, on_undone: called when all changes are on the disk, or all are undone.
    """

    def __init__(
        self,
        name: str,
        *,
        loop: Loop,
        spool: Spool,
        sides: Sequence[Side],
        on_committed: Callable[[], None],
        on_undone: Callable[[], None],
    ) -> None:
        self._name = name
        self._loop = loop
        self._spool = spool
        self._sides = sides
        self._on_committed = on_committed
        self._on_undone = on_undone
        self._taken: list[tuple[Side, Delivery]] = []
        self._timer: Timer | None = None
        self._is_failing = False

    def take(self, side: Side, delivery: Delivery) -> None:
        """Have a message acknowledged, once what was made of it is on the disk."""
        self._taken.append((side, delivery))

    def end_turn(self, *, at_once: bool) -> None:
        """Commit at once what something waits for, and soon what nothing does."""
        # What is expected back has to be on disk before it is sent, at the end of this turn.
        is_awaited = at_once or bool(self._taken)
        for side in self._sides:
            is_awaited = side.echoes.take_new() or is_awaited
        if is_awaited:
            self._commit()
        elif self._spool.is_changed and self._timer is None:
            self._timer = self._loop.call_later(_COMMIT_LATEST, self._commit)

    def undone(self, error: StorageError) -> None:
        """Take nothing until the disk takes something: what came is not acknowledged."""
        if not self._is_failing:
            log.error("bridge %s: %s. Nothing is taken until it can be", self._name, error)
            self._loop.call_later(_RETRY_DISK, self._try_disk)
        self._is_failing = True
        self._taken.clear()
        for side in self._sides:
            side.is_refusing = True
            side.repeats.clear()
            side.echoes.load()
        self._on_undone()

    def _commit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._spool.commit()
        except StorageError as error:
            self.undone(error)
            return
        for side in self._sides:
            side.sender.committed()
        taken, self._taken = self._taken, []
        for side, delivery in taken:
            side.stream.acknowledge(delivery)
        self._on_committed()

    def _try_disk(self) -> None:
        self._is_failing = False
        try:
            self._spool.put("trial", b"")
            self._spool.commit()
            self._spool.trim("trial", most=0)
            for side in self._sides:
                side.sender.undone()
            self._spool.commit()
        except StorageError as error:
            with contextlib.suppress(StorageError):
                self._spool.commit()  # fails once more where the failure was before it
            self.undone(error)
            return
        for side in self._sides:
            side.sender.committed()
            side.resume()
