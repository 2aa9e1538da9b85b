"""When the outbox goes to the disk: a new click at once, and what is done a little later."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from device_sim.kept import Kept
from device_sim.moments import Moment
from device_sim.outbox import Outbox, OutboxFullError
from iot_button.files import StorageError
from iot_button.loop import Loop

log = logging.getLogger(__name__)

_TIDY_AFTER = 1.0
"""Seconds. What is done may stay on the disk so long: the worst is that it is sent again."""


class Commits:
    """Puts clicks into the outbox, and tells of each when it is on the disk, or when it is refused.

    Args:
        on_taken: gets the id of each click that is on the disk, and the click.
        on_refused: called when a click, or several, could not be put there.
        on_undone: called when a commit has failed: what was done since the last one waits again.
    """

    def __init__(
        self,
        loop: Loop,
        outbox: Outbox,
        *,
        on_taken: Callable[[int, Kept], None],
        on_refused: Callable[[], None],
        on_undone: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._outbox = outbox
        self._on_taken = on_taken
        self._on_refused = on_refused
        self._on_undone = on_undone
        self._has_failed = False
        self._just_put: list[int] = []
        self._then: list[Callable[[], None]] = []
        self._is_tidying = False

    @property
    def is_pending(self) -> bool:
        """Whether something has to be told when it is on the disk."""
        return bool(self._just_put or self._then)

    def put(self, event: dict[str, Any], pressed: Moment, *, has_own_time: bool = False) -> None:
        """Put a click into the outbox; it is told of at the end of the turn."""
        try:
            self._just_put.append(self._outbox.put(event, pressed, has_own_time=has_own_time))
        except (OutboxFullError, StorageError) as error:
            self._has_failed |= isinstance(error, StorageError)
            log.error("a %s click was refused: %s", event["clickType"], error)
            self._on_refused()

    def then(self, callback: Callable[[], None]) -> None:
        """Call when all that has changed so far is on the disk; never where that fails."""
        self._then.append(callback)

    def end_of_turn(self) -> None:
        """Write what cannot wait; and after a failure, what makes the outbox writable again."""
        if self.is_pending or self._has_failed:
            self._commit()
        elif self._outbox.is_changed and not self._is_tidying:
            self._is_tidying = True
            self._loop.call_later(_TIDY_AFTER, self._commit)

    def _commit(self) -> None:
        just_put, self._just_put = self._just_put, []
        then, self._then = self._then, []
        self._is_tidying = self._has_failed = False
        try:
            self._outbox.commit()
        except StorageError as error:
            log.error("clicks refused: %d; what was done waits again: %s", len(just_put), error)
            if just_put:
                self._on_refused()
            self._on_undone()
            return
        for id in just_put:  # noqa: A001
            self._safely(functools.partial(self._tell, id))
        for callback in then:
            self._safely(callback)

    def _tell(self, id: int) -> None:  # noqa: A002
        kept = self._outbox.get(id)
        if kept is not None:
            self._on_taken(id, kept)

    @staticmethod
    def _safely(callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:  # what went wrong with one click must not keep another waiting
            log.exception("an error after a click was written")
