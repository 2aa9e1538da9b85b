"""When a failed asynchronous invocation is tried again, and when it is given up. Pure.

AWS Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation".
"""

import enum
from dataclasses import dataclass

from functions.runtime.manifest.model import FunctionSpec

DELAYS = (60.0, 120.0)
"""Seconds before the first and before the second retry: one minute, then two."""


class Condition(enum.StrEnum):
    """Why a record is sent (the `condition` of AWS's destination records).

    AWS does not document its word for a reserved concurrency of 0; that one is ours.
    """

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, at a moment in seconds since 1970."""

    moment: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Send it to the dead letters."""

    condition: Condition


def after_failure(
    spec: FunctionSpec,
    *,
    attempts: int,
    received: float,
    now: float,
    delays: tuple[float, ...] = DELAYS,
) -> RetryAt | GiveUp:
    """Decide after a failed attempt.

    Args:
        spec: the function, for its retries and maximum event age.
        attempts: how many there were; 1 after the first.
        received: when the event came, in seconds since 1970.
        now: this moment, likewise.
        delays: seconds before each retry; the last one holds for all further.
    """
    if attempts > spec.retries:
        return GiveUp(Condition.RETRIES_EXHAUSTED)
    moment = now + delays[min(attempts, len(delays)) - 1]
    if is_too_old(spec, received=received, now=moment):
        return GiveUp(Condition.EVENT_AGE_EXCEEDED)
    return RetryAt(moment)


def is_too_old(spec: FunctionSpec, *, received: float, now: float) -> bool:
    """Whether an event is past its function's maximum age. A clock set back makes none old."""
    return now - received > spec.event_age
