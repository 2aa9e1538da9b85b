"""Publishing what waits in the outbox, again and again, until it is known to be done.

A click is published at QoS 1. The broker's PUBACK is not the end of it, for brokers forget: it
stays in the outbox until its receipt says what a function has made of it (or, where the settings
say so, until the PUBACK). A receipt that does not come, or was missed while we were away, comes
again when the click does: it is known by its `eventId`, and not processed twice.
"""

import heapq
import itertools
import logging
import random
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from device_sim.kept import Kept, Progress
from device_sim.outbox import Outbox
from device_sim.receipts import Outcome, read_receipt
from iot_button.loop import Loop, Timer
from iot_button.traces import click_properties

log = logging.getLogger(__name__)

WINDOW = 20
"""Clicks on their way to the broker at a time, and clicks that are published again at a time."""
RESEND_SOONEST = 5.0
"""Seconds without a receipt after which a click is published again for the first time."""
RESEND_LATEST = 300.0
STUCK_AFTER = 60.0
"""Seconds without a PUBACK after which the broker is left, and connected to anew."""
_GIVEN_UP_AT_ONCE = 100
_CHECK_AGE_EVERY = 30.0
_AFTER_UNDONE = 60.0
"""Seconds until what was done, and could not be removed from the disk, is published again."""


class Publisher(Protocol):
    """What is asked of the connection."""

    @property
    def is_ready(self) -> bool:
        """Whether the connection stands."""

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        on_acknowledged: Callable[[], None],
        properties: bytes = b"",
    ) -> None:
        """Publish at QoS 1, with user properties where the broker can."""

    def reconnect(self, why: str) -> None:
        """Drop the connection for a new one."""


class _Published(msgspec.Struct):
    """A click that the broker has, and no receipt yet."""

    attempts: int
    since: float
    due: float


class Delivery:
    """Delivers the clicks of one outbox. Everything happens on the loop's thread.

    Args:
        topic: where the clicks go.
        done_at_broker: a click is done at its PUBACK; there are no receipts.
        give_up_after: seconds after the press when a click is given up.
        on_progress: gets each click that has come further.
    """

    def __init__(
        self,
        loop: Loop,
        publisher: Publisher,
        outbox: Outbox,
        *,
        topic: str,
        done_at_broker: bool,
        give_up_after: float,
        on_progress: Callable[[Kept, Progress], None],
        jitter: Callable[[], float] = lambda: random.uniform(0.75, 1.25),  # noqa: S311 - no secret
    ) -> None:
        self._loop = loop
        self._publisher = publisher
        self._outbox = outbox
        self._topic = topic
        self._done_at_broker = done_at_broker
        self._give_up_after = give_up_after
        self._on_progress = on_progress
        self._jitter = jitter
        self._waiting: list[int] = []
        self._under_way: dict[int, float] = {}  # since when, by time.monotonic
        self._published: dict[int, _Published] = {}
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Take over what waits in the outbox from before."""
        self._waiting = self._outbox.ids()  # sorted, so it is a heap
        self._look_again_in(0.0)

    def stop(self) -> None:
        """Publish nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._published.clear()

    @property
    def has_unpublished(self) -> bool:
        """Whether there are clicks that the broker does not have."""
        return bool(self._waiting or self._under_way)

    def resume(self) -> None:
        """Take over what is in the outbox and not with us: a commit or a read has failed."""
        due = time.monotonic() + _AFTER_UNDONE * self._jitter()
        known = self._published.keys() | self._under_way.keys() | set(self._waiting)
        for id in self._outbox.ids():  # noqa: A001
            if id not in known:
                self._published[id] = _Published(attempts=1, since=due, due=due)

    def add(self, id: int) -> None:  # noqa: A002
        """Deliver a click that is on the disk."""
        self._published.pop(id, None)  # where `resume` saw it before it was told of
        heapq.heappush(self._waiting, id)
        self._send_waiting()

    def connected(self) -> None:
        """Publish what waits; and soon again what was published: its receipt may have passed by."""
        now = time.monotonic()
        self._under_way = dict.fromkeys(self._under_way, now)
        for published in self._published.values():
            published.due = min(published.due, now + self._jitter())
        self._send_waiting()
        self._look_again_in(0.0)

    def take_receipt(self, payload: bytes) -> None:
        """Take a message from the button's receipt topic; what is no receipt of ours is nothing."""
        receipt = read_receipt(payload)
        if receipt is None:
            return
        id = self._outbox.find(receipt.event_id)  # noqa: A001
        kept = None if id is None else self._outbox.get(id)
        if receipt.outcome is Outcome.PROCESSED:  # also where its button has sent it anew since
            self._outbox.done_after_all(receipt.event_id)
        if id is None or kept is None:
            return
        self._published.pop(id, None)
        self._outbox.remove(kept)
        self._ask_again_soon()
        is_processed = receipt.outcome is Outcome.PROCESSED
        self._on_progress(kept, Progress.PROCESSED if is_processed else Progress.DEAD_LETTER)
        self._look_again_in(0.0)  # another may be published again in its place

    def _ask_again_soon(self) -> None:
        """Let the oldest not wait longer than those of now: there are receipts again."""
        for published in itertools.islice(self._published.values(), WINDOW):
            published.due = min(published.due, published.since + RESEND_SOONEST)

    def _send_waiting(self) -> None:
        while self._waiting and len(self._under_way) < WINDOW and self._publisher.is_ready:
            self._send(heapq.heappop(self._waiting), attempts=0)

    def _send(self, id: int, *, attempts: int) -> None:  # noqa: A002
        kept = self._outbox.get(id)
        if kept is None or self._is_given_up(kept):
            self._published.pop(id, None)
            return
        self._under_way[id] = time.monotonic()
        self._publisher.publish(
            self._topic,
            self._outbox.payload(kept),
            on_acknowledged=lambda: self._acknowledged(id, attempts + 1),
            properties=click_properties(kept.event_id),
        )

    def _acknowledged(self, id: int, attempts: int) -> None:  # noqa: A002
        self._under_way.pop(id, None)
        kept = self._outbox.get(id)
        if kept is not None and self._done_at_broker:
            self._outbox.remove(kept)
            self._on_progress(kept, Progress.PROCESSED)
        elif kept is not None:  # otherwise the receipt was faster
            delay = min(RESEND_LATEST, RESEND_SOONEST * 2.0 ** min(attempts - 1, 10))
            delay *= self._jitter()
            now = time.monotonic()
            self._published[id] = _Published(attempts, since=now, due=now + delay)
            if attempts == 1:
                self._on_progress(kept, Progress.PUBLISHED)
            self._look_again_in(delay)
        self._send_waiting()

    def _look_again_in(self, delay: float) -> None:
        moment = time.monotonic() + min(delay, _CHECK_AGE_EVERY)
        if self._timer is not None and self._timer.callback is not None:
            if self._timer.moment <= moment:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._look_again_in(_CHECK_AGE_EVERY)  # also where what follows fails
        self.resume()
        self._give_up_on_old()
        self._send_waiting()  # what a read that failed left behind
        now = time.monotonic()
        if (
            self._publisher.is_ready
            and now > min(self._under_way.values(), default=now) + STUCK_AFTER
        ):
            self._publisher.reconnect("it does not acknowledge")
            return
        next_due = now + _CHECK_AGE_EVERY
        # The oldest few alone: where no function runs, the rest would only fill the broker.
        for id, published in list(itertools.islice(self._published.items(), WINDOW)):  # noqa: A001
            if id in self._under_way:
                continue
            if published.due <= now and self._publisher.is_ready:
                self._send(id, attempts=published.attempts)
            else:
                next_due = min(next_due, max(published.due, now + 1.0))
        self._look_again_in(next_due - now)

    def _give_up_on_old(self) -> None:
        for ids in (self._published, self._waiting):  # each is in the order of the presses
            for _ in range(_GIVEN_UP_AT_ONCE):
                if not ids or not self._is_over(next(iter(ids))):
                    break
            else:
                self._look_again_in(0.0)  # the loop has other things to do as well

    def _is_over(self, id: int) -> bool:  # noqa: A002
        """Whether a click waits no longer; one of that age is given up."""
        kept = self._outbox.get(id)
        if kept is not None and not self._is_given_up(kept):
            return False
        self._published.pop(id, None)
        if self._waiting and self._waiting[0] == id:
            heapq.heappop(self._waiting)
        return True

    def _is_given_up(self, kept: Kept) -> bool:
        if self._outbox.age(kept) <= self._give_up_after:
            return False
        log.warning("gave up a click of %.0f s ago: %s", self._outbox.age(kept), kept.event_id)
        self._outbox.give_up(kept)
        self._on_progress(kept, Progress.GIVEN_UP)
        return True
