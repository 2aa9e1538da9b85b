"""The events of one function that wait on disk: for a retry, for a free slot, or for `resume`.

An event stays in the spool until it has come to its end. Those whose turn has come are in our hands
too, a few hundred at once; what they lead to is not for this module.
"""

from collections.abc import Callable

from functions.runtime.events import Event
from functions.runtime.outcomes import HELD
from functions.runtime.shared import Shared
from iot_button.loop import Timer

EVENTS = "events/"
"""What the name of each backlog's queue in the spool begins with; the function's name follows."""
MOST_OUTSTANDING = 10_000
"""Outputs that the broker has not acknowledged; with more of them, events wait."""

_IN_HAND = 256
"""Events from the spool that are in our hands at once; the rest stays on disk."""
_LONGEST_SLEEP = 60.0
_BACK_OFF = 0.1
_UNREADABLE_AGAIN = 1.0


class Backlog:
    """One function's line on disk. All on the loop's thread.

    `is_paused`: nothing is taken from it. `is_behind`: more is due than there is room for, so that
    a new event belongs to the line's end. `queue`: its name in the spool.

    Args:
        run_again: gets an event whose turn has come.
    """

    def __init__(
        self,
        function: str,
        shared: Shared,
        run_again: Callable[[Event], None],
        *,
        is_paused: bool = False,
    ) -> None:
        self.queue = f"{EVENTS}{function}"
        self.is_paused = is_paused
        self.is_behind = False
        self._function = function
        self._shared = shared
        self._run_again = run_again
        self._entries: set[int] = set()
        """Those in hand."""
        self._timer: Timer | None = None
        self._is_stopping = False

    @property
    def waiting(self) -> int:
        """How many events wait here, and are not in our hands."""
        return self._shared.spool.count(self.queue) - len(self._entries)

    def stop(self) -> None:
        """Take nothing more from disk."""
        self._is_stopping = True
        self._wake_after(None)

    def put(self, event: Event, *, due: float = 0.0) -> None:
        """Put an event on disk, or back there; its source may forget it once it is there.

        `due`: when its turn comes, in seconds since 1970.
        """
        if event.entry is None:
            event.entry = self._shared.spool.put(self.queue, event.to_bytes(), due=due)
            self._shared.when_on_disk(lambda: self._is_on_disk(event))
        else:
            self._shared.spool.postpone(event.entry, due=due, body=event.to_bytes())
            self._entries.discard(event.entry)
        self._look_soon()

    def remove(self, entry: int | None) -> None:
        """Remove an event from disk: its outcome is there, and its button has been told."""
        if entry is not None:
            self._shared.spool.remove(entry)
            self._entries.discard(entry)
            self._look_soon()

    def outcome(self, event: Event) -> str | None:
        """Return what is known of an event's click; None: nothing, or it is of no click."""
        if event.click is None:
            return None
        return self._shared.seen.outcome(event.click.key(self._function))

    # At the start.

    def know_newest(self) -> None:
        """Know the newest events on disk as held, before the first message comes.

        Killed in between, the process before us had put an event on disk and not yet noted that;
        its source has it too, and sends it again.
        """
        for entry in self._shared.spool.entries(self.queue, limit=_IN_HAND, newest=True):
            self._know_as_held(Event.from_bytes(entry.body, entry=entry.id))

    def expect(self, entry: int) -> None:
        """Leave an entry of the spool alone: its event has been run, its output is under way."""
        self._entries.add(entry)

    def _is_on_disk(self, event: Event) -> None:
        """Let the source forget an event, and know its repeats, unless it is done already."""
        self._know_as_held(event)
        event.safe()

    def _know_as_held(self, event: Event) -> None:
        if event.click is not None and self.outcome(event) is None:
            self._shared.seen.done(event.click.key(self._function), HELD)

    # Whose turn it is.

    def refill(self) -> None:
        """Take from disk what is due, as far as there is room."""
        if self._is_stopping or self.is_paused:
            return
        if self._shared.outstanding() > MOST_OUTSTANDING:
            self._wake_after(_BACK_OFF)
            return
        room = _IN_HAND - len(self._entries)
        due = self._shared.spool.due(self.queue, limit=room + 1, skip=self._entries)
        self.is_behind = len(due) > room
        for entry in due[:room]:
            self._entries.add(entry.id)
            self._run_again(Event.from_bytes(entry.body, entry=entry.id))
        self._wake_when_due()

    def _look_soon(self) -> None:
        """Refill once, however many were stored in this turn."""
        self._wake_after(0.0)

    def _wake_when_due(self) -> None:
        """Look at the disk again when the next retry is due; what is due is in hand by then."""
        now = self._shared.clock()
        moment = self._shared.spool.next_due(self.queue, after=now)
        self._wake_after(None if moment is None else min(moment - now, _LONGEST_SLEEP))

    def _wake_after(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None and not self._is_stopping and not self.is_paused:
            self._timer = self._shared.loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._wake_after(_UNREADABLE_AGAIN)  # else it is replaced
        self.refill()
