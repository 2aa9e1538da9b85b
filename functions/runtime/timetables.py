"""Events that come by the clock: a function's schedules."""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from functions.runtime.events import Event
from functions.runtime.manifest.model import Schedule
from functions.runtime.member import Member
from functions.runtime.schedules import parse
from iot_button.loop import Loop, Timer

_LONGEST_SLEEP = 60.0
"""Seconds until the clock is looked at again: it may be set meanwhile."""


class Timetables:
    """Queues an event at each firing. One that fell into a time without a runtime is not made up.

    Args:
        clock: seconds since 1970.
    """

    def __init__(
        self, loop: Loop, members: Iterable[Member], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._plans = [(m, s) for m in members for s in m.spec.schedules if s.enabled]
        self._timers: dict[int, Timer] = {}
        self._is_stopping = False

    def start(self) -> None:
        """Begin to count: a rate fires for the first time after its period."""
        since = self._now()
        for number, (member, schedule) in enumerate(self._plans):
            self._plan(number, member, schedule, since=since, last=since)

    def stop(self) -> None:
        """Queue no more."""
        self._is_stopping = True
        for timer in self._timers.values():
            timer.cancel()

    def _plan(
        self, number: int, member: Member, schedule: Schedule, *, since: datetime, last: datetime
    ) -> None:
        moment = parse(schedule.expression).next_after(last, since=since)
        if moment is None or self._is_stopping:
            return

        def look() -> None:
            now = self._now()
            if now < moment:
                delay = min((moment - now).total_seconds(), _LONGEST_SLEEP)
                self._timers[number] = self._loop.call_later(delay, look)
                return
            member.queue.take_durably(self._event(member, schedule, moment))
            self._plan(number, member, schedule, since=since, last=max(moment, now))

        look()

    def _event(self, member: Member, schedule: Schedule, moment: datetime) -> Event:
        body = schedule.input
        if body is None:
            body = _scheduled_event(member, schedule, moment)
        return Event(str(uuid.uuid4()), json.dumps(body).encode(), self._clock())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _scheduled_event(member: Member, schedule: Schedule, moment: datetime) -> dict[str, object]:
    """Return what EventBridge sends (user guide, "Scheduled events")."""
    *_, region, account, _resource, _name = member.arn.split(":")
    rule = schedule.name or f"{member.spec.name}-schedule"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{rule}"],
        "detail": {},
    }
