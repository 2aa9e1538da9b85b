"""Asynchronous invocation of one function: queued, run, tried again, and never lost.

AWS Lambda developer guide, "Invoking a Lambda function asynchronously". Where an event is: in our
hands while it runs or waits a moment (its source keeps it meanwhile), or in the spool, on disk,
while it waits for a retry, for a free slot, or for `resume` (`backlog`). It leaves with its outputs
acknowledged by the broker, or as a dead letter that is (`endings`).
"""

import logging

from functions.runtime.backlog import MOST_OUTSTANDING, Backlog
from functions.runtime.control import State
from functions.runtime.dead_letter_box import DeadLetterBox
from functions.runtime.endings import Endings
from functions.runtime.events import ClickId, Event
from functions.runtime.manifest.model import FunctionSpec
from functions.runtime.metrics import Metrics
from functions.runtime.outcomes import DEAD_LETTER, PROCESSED
from functions.runtime.pool import Pool
from functions.runtime.result_topics import ResultError
from functions.runtime.retries import Condition, GiveUp, after_failure, is_too_old
from functions.runtime.runs import Ended, Run, error_response
from functions.runtime.shared import Shared
from iot_button.loop import Timer

log = logging.getLogger(__name__)

_WAITS_AT_MOST = 1.0
"""Seconds that an event waits for a slot before it goes to disk, and its source may forget it."""


class Asynchronous:
    """The event queue of one function. All on the loop's thread."""

    def __init__(
        self,
        spec: FunctionSpec,
        arn: str,
        pool: Pool,
        metrics: Metrics,
        shared: Shared,
        state: State = State.ACTIVE,
    ) -> None:
        self.spec = spec
        self.arn = arn
        self.state = state
        self.dead_letters = DeadLetterBox(spec.name, shared.spool)
        self.backlog = Backlog(spec.name, shared, self._run_again, is_paused=state is State.PAUSED)
        self.endings = Endings(
            spec,
            arn,
            metrics,
            shared,
            box=self.dead_letters,
            let_go=self._let_go,
            remove=self.backlog.remove,
        )
        self._pool = pool
        self._metrics = metrics
        self._shared = shared
        self._in_hand: dict[str, Event] = {}
        self._clicks: set[ClickId | None] = set()
        """Those of the events in hand."""
        self._patience: Timer | None = None
        self._is_stopping = False

    # Events come.

    def take(self, event: Event) -> None:
        """Take a new event."""
        if event.request_id in self._in_hand or (event.click and event.click in self._clicks):
            event.safe()  # as below, and the one in hand is on disk, or it would be known as it is
            return
        self._metrics.async_events_received += 1
        if self.state is State.KILLED:
            self._give_up(event, Condition.ZERO_CONCURRENCY, None)
        elif self._must_wait():
            self._store(event)
        else:
            self._run(event)

    def take_durably(self, event: Event) -> None:
        """Take a new event whose source keeps nothing: it goes to disk first."""
        self._metrics.async_events_received += 1
        self._store(event)

    def redrive(self, event: Event) -> bool:
        """Take an event again that had become a dead letter, as new.

        False: it is becoming one in this moment, and would be taken for done; later it can be.
        """
        if event.request_id in self._in_hand:
            return False
        event.attempts = 0
        event.received = self._shared.clock()
        if event.click is not None:
            self._shared.seen.forget(event.click.key(self.spec.name))
        self.take_durably(event)
        return True

    def change(self, state: State) -> None:
        """Go on, hold events on disk, or send them to the dead letters."""
        self.state = state
        self.backlog.is_paused = state is State.PAUSED
        if state is not State.ACTIVE:
            self._store_waiting()
        self.backlog.refill()

    def stop(self) -> None:
        """Start nothing more; what has no end yet stays with its source, or on disk."""
        self._is_stopping = True
        self.backlog.stop()
        if self._patience is not None:
            self._patience.cancel()

    @property
    def waiting(self) -> int:
        """How many events wait, in memory and on disk."""
        return len(self._waiting_runs()) + self.backlog.waiting

    def _waiting_runs(self) -> list[Run]:
        """Return what waits for a slot; the pool has others' runs, too."""
        return [run for run in self._pool.waiting if run.request_id in self._in_hand]

    def _must_wait(self) -> bool:
        return (
            self.state is State.PAUSED
            or self.backlog.is_behind  # there is a line on disk, and this one belongs to its end
            or self._shared.outstanding() > MOST_OUTSTANDING
        )

    # Running.

    def _run(self, event: Event) -> None:
        if event.attempts == 0:
            age = max(0.0, self._shared.clock() - event.received)
            self._metrics.async_event_age.add(age)
        self._hold(event)
        run = Run(event.request_id, event.body, lambda ended: self._on_ended(event, run, ended))
        self._pool.run(run)
        if self._pool.waiting and self._patience is None:
            self._patience = self._shared.loop.call_later(_WAITS_AT_MOST, self._lose_patience)

    def _hold(self, event: Event) -> None:
        self._in_hand[event.request_id] = event
        self._clicks.add(event.click)

    def _let_go(self, event: Event) -> None:
        self._in_hand.pop(event.request_id, None)
        self._clicks.discard(event.click)

    def _on_ended(self, event: Event, run: Run, ended: Ended) -> None:
        event.attempts += 1
        topic = None
        try:
            if not ended.is_error:
                topic = self.endings.topic_for(ended.payload)
        except ResultError as error:
            ended = Ended(True, error_response(error.kind, str(error)), ended.duration)
        try:
            if ended.is_error:
                self._failed(event, ended.payload)
            else:
                self.endings.succeeded(event, run, ended, topic)
        except Exception:  # too many messages wait for the broker, say
            log.exception("%s: an event's end could not be told; it is tried again", self.spec.name)
            self._store(event, due=self._shared.clock() + self._shared.delays[0])

    def _failed(self, event: Event, response: bytes) -> None:
        decision = after_failure(
            self.spec,
            attempts=event.attempts,
            received=event.received,
            now=self._shared.clock(),
            delays=self._shared.delays,
        )
        if isinstance(decision, GiveUp):
            self._give_up(event, decision.condition, response)
        else:
            self._store(event, due=decision.moment)

    def _give_up(self, event: Event, condition: Condition, response: bytes | None) -> None:
        self._hold(event)
        self.endings.give_up(event, condition, response)

    # To disk and back.

    def _store(self, event: Event, *, due: float = 0.0) -> None:
        """Put an event on disk; its source may forget it once it is there."""
        self._let_go(event)
        self.backlog.put(event, due=due)

    def _store_waiting(self) -> None:
        """Put on disk what waits for a slot; its place in the line is kept there."""
        for run in self._waiting_runs():
            self._pool.waiting.remove(run)
            self._store(self._in_hand[run.request_id])

    def _lose_patience(self) -> None:
        self._patience = None
        if self._is_stopping or not self._pool.waiting:
            return
        now = self._shared.clock()
        oldest = self._in_hand.get(self._pool.waiting[0].request_id)
        if oldest is not None and oldest.entry is None and now - oldest.received > _WAITS_AT_MOST:
            self._metrics.throttles += len(self._pool.waiting)
            self._store_waiting()
        self._patience = self._shared.loop.call_later(_WAITS_AT_MOST, self._lose_patience)

    def _run_again(self, event: Event) -> None:
        outcome = self.backlog.outcome(event)
        if outcome in (PROCESSED, DEAD_LETTER):  # only its removal was lost in a crash
            self.endings.done(event, outcome)
        elif event.request_id in self._in_hand or (event.click and event.click in self._clicks):
            # It lies here twice: the window is bounded, and had forgotten it when it came again.
            self.backlog.remove(event.entry)
        elif self.state is State.KILLED:
            self._give_up(event, Condition.ZERO_CONCURRENCY, None)
        elif is_too_old(self.spec, received=event.received, now=self._shared.clock()):
            self._give_up(event, Condition.EVENT_AGE_EXCEEDED, None)
        else:
            self._run(event)
