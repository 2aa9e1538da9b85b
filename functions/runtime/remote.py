"""The runtime's face to other threads: each question is answered on the runtime's own thread."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from functions.runtime.control import (
    DeadLetter,
    FunctionMetrics,
    FunctionStatus,
    Invocation,
    LogLine,
    State,
    ThrottledError,
    UnknownFunctionError,
)
from functions.runtime.dead_letter_box import event_of, record_of
from functions.runtime.events import Event
from functions.runtime.identity import new_request_id
from functions.runtime.member import Member
from functions.runtime.runs import Ended, Run
from functions.runtime.switches import Switch, Switches
from iot_button.errors import BrokerUnreachableError, IotButtonError
from iot_button.loop import Loop
from iot_button.mqtt import Stream
from iot_button.spool import Spool
from iot_button.topics import Topics

T = TypeVar("T")

_PUBLISH_TIMEOUT = 5.0
_ANSWER_TIMEOUT = 10.0
_LOG_POLL = 0.1
_INVOKE_MARGIN = 30.0


class Remote:
    """Carries out `functions.runtime.control.Control` for the HTTP side."""

    def __init__(
        self,
        loop: Loop,
        members: Mapping[str, Member],
        *,
        spool: Spool,
        stream: Stream,
        topics: Topics,
        switches: Switches,
        clock: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._members = members
        self._spool = spool
        self._stream = stream
        self._topics = topics
        self._switches = switches
        self._clock = clock
        self._closed = threading.Event()

    def close(self) -> None:
        """Refuse all further questions."""
        self._closed.set()

    def functions(self) -> Sequence[FunctionStatus]:
        """Return how each function does."""
        return self._ask(lambda: [member.status() for member in self._members.values()])

    def metrics(self) -> Sequence[FunctionMetrics]:
        """Return each function's metrics."""
        return self._ask(lambda: [member.measured() for member in self._members.values()])

    def invoke(
        self, name: str, event: bytes, *, client_context: Mapping[str, Any] | None = None
    ) -> Invocation:
        """Run a function and wait for its end."""
        member = self._member(name)
        header = b"" if client_context is None else _header({"clientContext": client_context})
        request_id = new_request_id()
        answer: Future[Invocation] = Future()

        def run() -> None:
            if member.queue.state is not State.ACTIVE or member.pool.is_full:
                member.metrics.throttles += 1
                answer.set_exception(ThrottledError(f"{name} is throttled: {_why(member)}"))
            else:
                member.pool.run(Run(request_id, event, on_ended, header))

        def on_ended(ended: Ended) -> None:
            answer.set_result(
                Invocation(
                    request_id=request_id,
                    payload=ended.payload,
                    function_error="Unhandled" if ended.is_error else None,
                    log_tail=member.log.tail(request_id),
                    duration=ended.duration,
                    init_duration=ended.init_duration,
                )
            )

        self._ask(run)
        return self._result(answer, member.spec.timeout + _INVOKE_MARGIN)

    def invoke_later(self, name: str, event: bytes) -> str:
        """Queue an event; it is on disk when this returns."""
        member = self._member(name)
        on_disk: Future[None] = Future()
        queued = Event(
            new_request_id(), event, self._clock(), on_safe=lambda: on_disk.set_result(None)
        )
        self._ask(lambda: member.queue.take_durably(queued))
        self._result(on_disk, _ANSWER_TIMEOUT)
        return queued.request_id

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish, and wait for the broker's acknowledgement."""
        acknowledged: Future[None] = Future()

        def send() -> None:
            if not self._stream.is_ready:  # at QoS 1 it would go out later, after our refusal
                raise BrokerUnreachableError(str(self._stream.address), self._stream.problem)
            self._stream.publish(
                self._topics.full(topic),
                payload,
                qos=qos,
                retain=retain,
                on_acknowledged=lambda: acknowledged.set_result(None),
            )

        self._ask(send)
        try:
            acknowledged.result(_PUBLISH_TIMEOUT)
        except TimeoutError:
            raise BrokerUnreachableError(
                str(self._stream.address), f"no acknowledgement within {_PUBLISH_TIMEOUT:g} s"
            ) from None

    def throttle(self, name: str, concurrency: int | None) -> None:
        """Set the reserved concurrency."""
        self._switch(name, lambda switch: replace(switch, concurrency=concurrency))

    def pause(self, name: str) -> None:
        """Keep a function's events on disk from now on."""
        self._switch(name, lambda switch: replace(switch, is_paused=True))

    def resume(self, name: str) -> None:
        """Run them."""
        self._switch(name, lambda switch: replace(switch, is_paused=False))

    def dead_letters(self, name: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return the newest dead letters, oldest first."""
        queue = self._member(name).queue.dead_letters.queue
        entries = self._ask(lambda: self._spool.entries(queue, limit=limit, newest=True))
        letters = [
            DeadLetter(id=entry.id, moment=entry.added, record=json.loads(record_of(entry)))
            for entry in entries
        ]
        return sorted(letters, key=lambda letter: letter.id)

    def redrive(self, name: str, *, id: int | None = None) -> int:  # noqa: A002
        """Queue the original events of dead letters again."""
        member = self._member(name)
        return self._ask(lambda: self._redrive(member, id))

    def logs(
        self, name: str, *, after: int = 0, limit: int = 1000, wait: float = 0
    ) -> Sequence[LogLine]:
        """Return a function's newest log lines, or wait for one."""
        member = self._member(name)
        while True:
            lines = self._ask(lambda: member.log.lines(after=after, limit=limit))
            if lines or wait <= 0 or self._closed.wait(min(wait, _LOG_POLL)):
                return lines
            wait -= _LOG_POLL

    # On the loop's thread.

    def _redrive(self, member: Member, id: int | None) -> int:  # noqa: A002
        queue = member.queue.dead_letters.queue
        if id is None:
            entries = self._spool.entries(queue, limit=self._spool.count(queue))
        else:
            entries = [e for e in (self._spool.get(id),) if e is not None and e.queue == queue]
            if not entries:
                raise IotButtonError(f"{member.spec.name} has no dead letter {id}")
        count = 0
        for entry in entries:
            event = event_of(entry)
            if event is not None and member.queue.redrive(event):
                self._spool.remove(entry.id)
                count += 1
            elif id is not None:
                why = "was no event: nothing can run again"
                if event is not None:
                    why = "is only just one: try again"
                raise IotButtonError(f"dead letter {id} {why}")
        return count

    def _switch(self, name: str, change: Callable[[Switch], Switch]) -> None:
        member = self._member(name)

        def set_it() -> None:
            switch = change(member.switch)
            self._switches.set(name, switch)
            member.set_switch(switch)

        self._ask(set_it)

    # On the asking thread.

    def _member(self, name: str) -> Member:
        member = self._members.get(name)
        if member is None:
            raise UnknownFunctionError(name, list(self._members))
        return member

    def _ask(self, question: Callable[[], T]) -> T:
        answer: Future[T] = Future()

        def on_loop() -> None:
            try:
                answer.set_result(question())
            except Exception as error:  # noqa: BLE001 - the asking thread gets it
                answer.set_exception(error)

        self._loop.call_from_thread(on_loop)
        return self._result(answer, _ANSWER_TIMEOUT)

    def _result(self, answer: "Future[T]", timeout: float) -> T:
        if self._closed.is_set():
            raise IotButtonError("the function runtime is stopping")
        try:
            return answer.result(timeout)
        except TimeoutError:
            raise IotButtonError("the function runtime did not answer in time") from None


def _header(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _why(member: Member) -> str:
    if member.queue.state is State.PAUSED:
        return "it is paused"
    if member.queue.state is State.KILLED:
        return "its reserved concurrency is 0"
    return f"all {member.pool.limit} of its environments are in use"
