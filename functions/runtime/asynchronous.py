"""Asynchronous invocation of one function: queued, run, tried again, and never lost.

AWS Lambda developer guide, "Invoking a Lambda function asynchronously". Where an event is: in our
hands while it runs or waits a moment (its source keeps it meanwhile), or in the spool, on disk,
while it waits for a retry, for a free slot, or for `resume`. It leaves with its outputs
acknowledged by the broker, or as a dead letter that is.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from functions.runtime import dead_letters, traces
from functions.runtime.control import State
from functions.runtime.events import ClickId, Event
from functions.runtime.manifest.model import FunctionSpec
from functions.runtime.metrics import Metrics
from functions.runtime.outputs import MOST_BYTES, Outputs
from functions.runtime.pool import Pool
from functions.runtime.result_topics import ResultError, topic_of
from functions.runtime.retries import DELAYS, Condition, GiveUp, after_failure, is_too_old
from functions.runtime.runs import Ended, Run, error_response
from functions.runtime.seen import Seen
from iot_button.events import utc_now
from iot_button.loop import Loop, Timer
from iot_button.spool import Spool

log = logging.getLogger(__name__)

EVENTS = "events/"
PROCESSED = "processed"
DEAD_LETTER = "deadletter"
HELD = "held"
"""What `Seen` knows of a click whose event lies in the spool: it will come to its end."""

_IN_HAND = 256
"""Events from the spool that are in our hands at once; the rest stays on disk."""
_WAITS_AT_MOST = 1.0
"""Seconds that an event waits for a slot before it goes to disk, and its source may forget it."""
_MOST_OUTSTANDING = 10_000
_MOST_DEAD_LETTERS = 1_000
_LONGEST_SLEEP = 60.0
_BACK_OFF = 0.1


class Settled(Protocol):
    """Who hears that a click has come to its end for one function."""

    def __call__(
        self, function: str, click: ClickId, outcome: str, on_told: Callable[[], None]
    ) -> None:
        """Hear it; the outcome is in `Seen` already. `on_told`: the button has its receipt."""


@dataclass(slots=True)
class Shared:
    """What all functions of a runtime share.

    `folder`: for events on their way. `kept`: where each function may have a folder that stays.
    `trace_budget`: how many processed clicks say where their time went.
    """

    loop: Loop
    spool: Spool
    seen: Seen
    outputs: Outputs
    settled: Settled
    outstanding: Callable[[], int]
    clock: Callable[[], float]
    when_on_disk: Callable[[Callable[[], None]], None]
    folder: Path
    delays: tuple[float, ...] = DELAYS
    kept: Path | None = None
    trace_budget: traces.Budget = field(default_factory=traces.Budget)


@dataclass(slots=True)
class Asynchronous:
    """The event queue of one function. All on the loop's thread."""

    spec: FunctionSpec
    arn: str
    pool: Pool
    metrics: Metrics
    shared: Shared
    state: State = State.ACTIVE
    _in_hand: dict[str, Event] = field(default_factory=dict)
    _clicks: set[ClickId | None] = field(default_factory=set)
    """Those of the events in hand."""
    _entries: set[int] = field(default_factory=set)
    _timer: Timer | None = None
    _patience: Timer | None = None
    _is_behind: bool = False
    _is_stopping: bool = False

    # Events come.

    def take(self, event: Event) -> None:
        """Take a new event."""
        if event.request_id in self._in_hand or (event.click and event.click in self._clicks):
            event.safe()  # as below, and the one in hand is on disk, or it would be known as it is
            return
        self.metrics.async_events_received += 1
        if self.state is State.KILLED:
            self._give_up(event, Condition.ZERO_CONCURRENCY, None)
        elif self._must_wait():
            self._store(event)
        else:
            self._run(event)

    def take_durably(self, event: Event) -> None:
        """Take a new event whose source keeps nothing: it goes to disk first."""
        self.metrics.async_events_received += 1
        self._store(event)

    def redrive(self, event: Event) -> bool:
        """Take an event again that had become a dead letter, as new.

        False: it is becoming one in this moment, and would be taken for done; later it can be.
        """
        if event.request_id in self._in_hand:
            return False
        event.attempts = 0
        event.received = self.shared.clock()
        if event.click is not None:
            self.shared.seen.forget(event.click.key(self.spec.name))
        self.take_durably(event)
        return True

    def change(self, state: State) -> None:
        """Go on, hold events on disk, or send them to the dead letters."""
        self.state = state
        if state is not State.ACTIVE:
            self._store_waiting()
        self.refill()

    def stop(self) -> None:
        """Start nothing more; what has no end yet stays with its source, or on disk."""
        self._is_stopping = True
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()

    @property
    def queue(self) -> str:
        """The name of its queue in the spool."""
        return f"{EVENTS}{self.spec.name}"

    @property
    def dead_letter_queue(self) -> str:
        """The name of its dead letters' queue in the spool."""
        return f"deadletters/{self.spec.name}"

    @property
    def waiting(self) -> int:
        """How many events wait, in memory and on disk."""
        in_memory = sum(1 for run in self.pool.waiting if run.request_id in self._in_hand)
        return in_memory + self.shared.spool.count(self.queue) - len(self._entries)

    def _must_wait(self) -> bool:
        return (
            self.state is State.PAUSED
            or self._is_behind  # there is a line on disk, and this one belongs to its end
            or self.shared.outstanding() > _MOST_OUTSTANDING
        )

    # Running.

    def _run(self, event: Event) -> None:
        if event.attempts == 0:
            age = max(0.0, self.shared.clock() - event.received)
            self.metrics.async_event_age.add(age)
        self._hold(event)
        run = Run(event.request_id, event.body, lambda ended: self._on_ended(event, run, ended))
        self.pool.run(run)
        if self.pool.waiting and self._patience is None:
            self._patience = self.shared.loop.call_later(_WAITS_AT_MOST, self._lose_patience)

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
                topic = self._topic_for(ended.payload)
        except ResultError as error:
            ended = Ended(True, error_response(error.kind, str(error)), ended.duration)
        try:
            if ended.is_error:
                self._failed(event, ended.payload)
            else:
                output = self._traced(event, run, ended, topic)
                self._succeeded(event, ended.payload, topic, output)
        except Exception:  # too many messages wait for the broker, say
            log.exception("%s: an event's end could not be told; it is tried again", self.spec.name)
            self._store(event, due=self.shared.clock() + self.shared.delays[0])

    def _traced(self, event: Event, run: Run, ended: Ended, topic: str | None) -> bytes:
        if topic != traces.PROCESSED:
            return ended.payload
        now = self.shared.clock()
        if not self.shared.trace_budget.takes_one(now):
            return ended.payload
        return traces.traced(ended.payload, self.spec.name, event, run, ended, now=now)

    def _topic_for(self, result: bytes) -> str | None:
        """Return where a result is published; None: nowhere. ResultError: it cannot be."""
        template = self.spec.publish_result_to
        is_published = template is not None or self.spec.on_success is not None
        if is_published and len(result) > MOST_BYTES:
            raise ResultError.too_large(len(result), MOST_BYTES)
        return None if template is None or result == b"null" else topic_of(template)(result)

    def _succeeded(self, event: Event, result: bytes, topic: str | None, output: bytes) -> None:
        records = []
        if self.spec.on_success is not None:
            record = self._record(event, Condition.SUCCESS, result)
            records.append((self.spec.on_success, record))

        if topic is None:
            self.shared.outputs.publish(records, lambda: self._done(event, PROCESSED))
        else:
            self._publish(event, records, last=(topic, output), outcome=PROCESSED)

    def _publish(
        self,
        event: Event,
        outputs: list[tuple[str, bytes]],
        *,
        last: tuple[str, bytes],
        outcome: str,
    ) -> None:
        """Publish what an event leads to, the last of it exactly once if it is a click with an id.

        Until that one has begun, a crash runs the event again; from then on it is only finished.
        """

        def on_done() -> None:
            if outcome == DEAD_LETTER:
                self._keep_and_end(last[1], event, again=event)
            else:
                self._done(event, outcome)

        self.shared.outputs.publish(
            outputs,
            lambda: self.shared.outputs.publish_last(
                *last,
                key=None if event.click is None else event.click.key(self.spec.name),
                extra=lambda: self._extra(event, outcome),
                on_done=on_done,
            ),
        )

    def _failed(self, event: Event, response: bytes) -> None:
        decision = after_failure(
            self.spec,
            attempts=event.attempts,
            received=event.received,
            now=self.shared.clock(),
            delays=self.shared.delays,
        )
        if isinstance(decision, GiveUp):
            self._give_up(event, decision.condition, response)
        else:
            self._store(event, due=decision.moment)

    def _give_up(self, event: Event, condition: Condition, response: bytes | None) -> None:
        self.metrics.async_events_dropped += 1
        record = self._record(event, condition, response)
        outputs = []
        if self.spec.on_failure is not None:
            outputs.append((self.spec.on_failure, record))
        if self.spec.dead_letter_topic is not None:
            if len(event.body) <= MOST_BYTES:
                outputs.append((self.spec.dead_letter_topic, event.body))
            else:
                self.metrics.dead_letter_errors += 1
        self._hold(event)
        last = (f"deadletter/{self.spec.name}", record)
        self._publish(event, outputs, last=last, outcome=DEAD_LETTER)

    def _record(self, event: Event, condition: Condition, response: bytes | None) -> bytes:
        return dead_letters.of_invocation(
            event, arn=self.arn, condition=condition, response=response, moment=utc_now()
        )

    def keep_dead_letter(self, record: bytes, event: Event | None) -> None:
        """Keep a dead letter on disk, with the event that a redrive runs again."""
        again = b"" if event is None else event.to_bytes()
        size = len(record).to_bytes(4, "big")
        self.shared.spool.put(self.dead_letter_queue, size + record + again)
        self.shared.spool.trim(self.dead_letter_queue, most=_MOST_DEAD_LETTERS)

    def _keep_and_end(self, record: bytes, event: Event, *, again: Event | None) -> None:
        """Keep a dead letter, and let go of its event when that is on disk."""
        self.keep_dead_letter(record, again)
        self.shared.when_on_disk(lambda: self._done(event, DEAD_LETTER))

    def _done(self, event: Event, outcome: str) -> None:
        """Let go of an event whose outputs the broker has."""
        self._let_go(event)
        self.settle(event.click, outcome, on_told=lambda: self._remove(event.entry))
        event.safe()

    def _remove(self, entry: int | None) -> None:
        """Remove an event from disk: its outcome is there, and its button has been told."""
        if entry is not None:
            self.shared.spool.remove(entry)
            self._entries.discard(entry)
            self._look_at_disk_soon()

    def settle(
        self, click: ClickId | None, outcome: str, *, on_told: Callable[[], None] = lambda: None
    ) -> None:
        """Remember a click's outcome, for its repeats and for its receipt."""
        if click is None:
            on_told()
        else:
            self.shared.seen.done(click.key(self.spec.name), outcome)
            self.shared.settled(self.spec.name, click, outcome, on_told)

    # On disk.

    def _extra(self, event: Event, outcome: str) -> bytes:
        """Return what is needed to finish the event in another process."""
        slim = Event(event.request_id, b"", event.received, event.click, attempts=event.attempts)
        entry = b"" if event.entry is None else str(event.entry).encode()
        return b"\n".join((self.spec.name.encode(), outcome.encode(), entry, slim.to_bytes()))

    def know_those_on_disk(self) -> None:
        """Know the newest events on disk as held, before the first message comes.

        Killed in between, the process before us had put an event on disk and not yet noted that;
        its source has it too, and sends it again.
        """
        for entry in self.shared.spool.entries(self.queue, limit=_IN_HAND, newest=True):
            event = Event.from_bytes(entry.body, entry=entry.id)
            if event.click is not None and self._outcome(event) is None:
                self.shared.seen.done(event.click.key(self.spec.name), HELD)

    def expect_resumed(self, entry: int) -> None:
        """Leave an entry of the spool alone: its event has been run, its output is under way."""
        self._entries.add(entry)

    def finish_resumed(self, outcome: str, entry: int | None, event: Event, output: bytes) -> None:
        """Let go of an event whose last output was under way when the process before us died."""
        event.entry = entry
        if outcome == DEAD_LETTER:
            body = dead_letters.payload_of(output)
            event.body = body or b""
            self._keep_and_end(output, event, again=None if body is None else event)
        else:
            self._done(event, outcome)

    def _store(self, event: Event, *, due: float = 0.0) -> None:
        """Put an event on disk; its source may forget it once it is there."""
        self._let_go(event)
        if event.entry is None:
            event.entry = self.shared.spool.put(self.queue, event.to_bytes(), due=due)
            self.shared.when_on_disk(lambda: self._is_on_disk(event))
        else:
            self.shared.spool.postpone(event.entry, due=due, body=event.to_bytes())
            self._entries.discard(event.entry)
        self._look_at_disk_soon()

    def _is_on_disk(self, event: Event) -> None:
        """Let the source forget an event, and know its repeats, unless it is done already."""
        if event.click is not None and self._outcome(event) is None:
            self.shared.seen.done(event.click.key(self.spec.name), HELD)
        event.safe()

    def _look_at_disk_soon(self) -> None:
        """Refill once, however many were stored in this turn."""
        self._wake_after(0.0)

    def _store_waiting(self) -> None:
        """Put on disk what waits for a slot; its place in the line is kept there."""
        waiting = [run for run in self.pool.waiting if run.request_id in self._in_hand]
        for run in waiting:
            self.pool.waiting.remove(run)
            self._store(self._in_hand[run.request_id])

    def _lose_patience(self) -> None:
        self._patience = None
        if self._is_stopping or not self.pool.waiting:
            return
        now = self.shared.clock()
        oldest = self._in_hand.get(self.pool.waiting[0].request_id)
        if oldest is not None and oldest.entry is None and now - oldest.received > _WAITS_AT_MOST:
            self.metrics.throttles += len(self.pool.waiting)
            self._store_waiting()
        self._patience = self.shared.loop.call_later(_WAITS_AT_MOST, self._lose_patience)

    def refill(self) -> None:
        """Take from disk what is due, as far as there is room."""
        if self._is_stopping or self.state is State.PAUSED:
            return
        if self.shared.outstanding() > _MOST_OUTSTANDING:
            self._wake_after(_BACK_OFF)
            return
        room = _IN_HAND - len(self._entries)
        due = self.shared.spool.due(self.queue, limit=room + 1, skip=self._entries)
        self._is_behind = len(due) > room
        for entry in due[:room]:
            self._entries.add(entry.id)
            self._run_again(Event.from_bytes(entry.body, entry=entry.id))
        self._wake_when_due()

    def _run_again(self, event: Event) -> None:
        outcome = self._outcome(event)
        if outcome in (PROCESSED, DEAD_LETTER):  # only its removal was lost in a crash
            self._done(event, outcome)
        elif event.request_id in self._in_hand or (event.click and event.click in self._clicks):
            # It lies here twice: the window is bounded, and had forgotten it when it came again.
            self._remove(event.entry)
        elif self.state is State.KILLED:
            self._give_up(event, Condition.ZERO_CONCURRENCY, None)
        elif is_too_old(self.spec, received=event.received, now=self.shared.clock()):
            self._give_up(event, Condition.EVENT_AGE_EXCEEDED, None)
        else:
            self._run(event)

    def _outcome(self, event: Event) -> str | None:
        if event.click is None:
            return None
        return self.shared.seen.outcome(event.click.key(self.spec.name))

    def _wake_when_due(self) -> None:
        """Look at the disk again when the next retry is due; what is due is in hand by then."""
        now = self.shared.clock()
        moment = self.shared.spool.next_due(self.queue, after=now)
        self._wake_after(None if moment is None else min(moment - now, _LONGEST_SLEEP))

    def _wake_after(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None and not self._is_stopping and self.state is not State.PAUSED:
            self._timer = self.shared.loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._wake_after(_WAITS_AT_MOST)  # where the disk cannot be read now; else it is replaced
        self.refill()
