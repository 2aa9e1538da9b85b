"""How an event of one function ends: with its result published, or as a dead letter.

Its source may forget it, and the spool loses it, when the broker has acknowledged all that it led
to, and its button knows. Until its last output has begun, a crash runs the event again; from then
on it is only finished.
"""

from collections.abc import Callable

from functions.runtime import dead_letters, traces, unfinished
from functions.runtime.dead_letter_box import DeadLetterBox
from functions.runtime.events import ClickId, Event
from functions.runtime.manifest.model import FunctionSpec
from functions.runtime.metrics import Metrics
from functions.runtime.outcomes import DEAD_LETTER, PROCESSED
from functions.runtime.outputs import MOST_BYTES
from functions.runtime.result_topics import ResultError, topic_of
from functions.runtime.retries import Condition
from functions.runtime.runs import Ended, Run
from functions.runtime.shared import Shared
from iot_button.events import utc_now


class Endings:
    """Brings the events of one function to their ends. All on the loop's thread.

    Args:
        let_go: called with each event whose outputs the broker has.
        remove: called with an event's entry in the spool, where it has one, when it may leave it.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        arn: str,
        metrics: Metrics,
        shared: Shared,
        *,
        box: DeadLetterBox,
        let_go: Callable[[Event], None],
        remove: Callable[[int | None], None],
    ) -> None:
        self._spec = spec
        self._arn = arn
        self._metrics = metrics
        self._shared = shared
        self._box = box
        self._let_go = let_go
        self._remove = remove

    def topic_for(self, result: bytes) -> str | None:
        """Return where a result is published; None: nowhere.

        Raises:
            ResultError: it cannot be; the event has failed.
        """
        template = self._spec.publish_result_to
        is_published = template is not None or self._spec.on_success is not None
        if is_published and len(result) > MOST_BYTES:
            raise ResultError.too_large(len(result), MOST_BYTES)
        return None if template is None or result == b"null" else topic_of(template)(result)

    def succeeded(self, event: Event, run: Run, ended: Ended, topic: str | None) -> None:
        """Publish a result to `topic`, and the record of it where the function wants one."""
        output = self._traced(event, run, ended, topic)
        records = []
        if self._spec.on_success is not None:
            record = self._record(event, Condition.SUCCESS, ended.payload)
            records.append((self._spec.on_success, record))

        if topic is None:
            self._shared.outputs.publish(records, lambda: self.done(event, PROCESSED))
        else:
            self._publish(event, records, last=(topic, output), outcome=PROCESSED)

    def give_up(self, event: Event, condition: Condition, response: bytes | None) -> None:
        """Make an event a dead letter. `response`: of its last attempt; None: it never ran."""
        self._metrics.async_events_dropped += 1
        record = self._record(event, condition, response)
        outputs = []
        if self._spec.on_failure is not None:
            outputs.append((self._spec.on_failure, record))
        if self._spec.dead_letter_topic is not None:
            if len(event.body) <= MOST_BYTES:
                outputs.append((self._spec.dead_letter_topic, event.body))
            else:
                self._metrics.dead_letter_errors += 1
        last = (f"deadletter/{self._spec.name}", record)
        self._publish(event, outputs, last=last, outcome=DEAD_LETTER)

    def done(self, event: Event, outcome: str) -> None:
        """Let go of an event whose outputs the broker has."""
        self._let_go(event)
        self.settle(event.click, outcome, on_told=lambda: self._remove(event.entry))
        event.safe()

    def settle(
        self, click: ClickId | None, outcome: str, *, on_told: Callable[[], None] = lambda: None
    ) -> None:
        """Remember a click's outcome, for its repeats and for its receipt."""
        if click is None:
            on_told()
        else:
            self._shared.seen.done(click.key(self._spec.name), outcome)
            self._shared.settled(self._spec.name, click, outcome, on_told)

    def finish_resumed(self, outcome: str, event: Event, output: bytes) -> None:
        """Let go of an event whose last output was under way when the process before us died."""
        if outcome == DEAD_LETTER:
            body = dead_letters.payload_of(output)
            event.body = body or b""
            self._keep_and_end(output, event, again=None if body is None else event)
        else:
            self.done(event, outcome)

    def _traced(self, event: Event, run: Run, ended: Ended, topic: str | None) -> bytes:
        if topic != traces.PROCESSED:
            return ended.payload
        now = self._shared.clock()
        if not self._shared.trace_budget.takes_one(now):
            return ended.payload
        return traces.traced(ended.payload, self._spec.name, event, run, ended, now=now)

    def _record(self, event: Event, condition: Condition, response: bytes | None) -> bytes:
        return dead_letters.of_invocation(
            event, arn=self._arn, condition=condition, response=response, moment=utc_now()
        )

    def _publish(
        self,
        event: Event,
        outputs: list[tuple[str, bytes]],
        *,
        last: tuple[str, bytes],
        outcome: str,
    ) -> None:
        """Publish what an event leads to; the last of it exactly once where its click has an id."""

        def on_done() -> None:
            if outcome == DEAD_LETTER:
                self._keep_and_end(last[1], event, again=event)
            else:
                self.done(event, outcome)

        self._shared.outputs.publish(
            outputs,
            lambda: self._shared.outputs.publish_last(
                *last,
                key=None if event.click is None else event.click.key(self._spec.name),
                extra=lambda: unfinished.to_bytes(self._spec.name, outcome, event),
                on_done=on_done,
            ),
        )

    def _keep_and_end(self, record: bytes, event: Event, *, again: Event | None) -> None:
        """Keep a dead letter, and let go of its event when that is on disk."""
        self._box.keep(record, again)
        self._shared.when_on_disk(lambda: self.done(event, DEAD_LETTER))
