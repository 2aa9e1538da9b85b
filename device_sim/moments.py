"""When a button was pressed, on machines whose clock jumps: a Raspberry Pi has no clock of its own.

Beside the wall clock each moment keeps the machine's uptime. Within one boot the uptime tells how
long ago a moment was, whatever happened to the wall clock since. Across boots the wall clock is all
there is, and is believed where it was right at both moments: set by network time.
"""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # random(4)
_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8)
_JUMP = 1.0
"""Seconds by which the wall clock must have been put right before we believe that it was."""
_LAST = 253_402_300_799.0  # the end of the year 9999, where dates end


class Moment(msgspec.Struct, frozen=True):
    """One moment. `wall`: seconds since 1970, as the clock then had it; `uptime`: seconds.

    `is_right`: the wall clock had been set by network time.
    """

    wall: float
    boot: str
    uptime: float
    is_right: bool = True


class Moments:
    """Makes moments and compares them with now.

    Args:
        wall: tells seconds since 1970.
        uptime: tells seconds since the boot, the machine's sleep included where that is known.
        boot: names this boot; None: asks Linux, and where nobody knows, stands for this process:
            the uptime then tells as long as it runs.
        is_right: tells whether the wall clock has been set by network time; None: asks systemd. A
            machine that keeps time by another program counts as one that does not.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        uptime: Callable[[], float] | None = None,
        boot: str | None = None,
        is_right: Callable[[], bool] | None = None,
    ) -> None:
        self._wall = wall
        self._uptime = uptime or _uptime
        self._boot = _boot_id() if boot is None else boot
        self._is_right = is_right or _SYNCHRONISED.exists
        self._began = self._uptime()

    def ago(self, seconds: float) -> Moment:
        """Return the moment so many seconds before now."""
        wall, uptime = self._wall() - seconds, self._uptime() - seconds
        return Moment(wall, self._boot, uptime, self._is_right())

    def age(self, moment: Moment) -> float:
        """Return how many seconds ago a moment was, never below 0.

        Where nobody can know, one of an earlier boot counts from when this object was made.
        """
        if moment.boot == self._boot:
            return max(0.0, self._uptime() - moment.uptime)
        if moment.is_right and self._is_right():
            return max(0.0, self._wall() - moment.wall)
        return self._uptime() - self._began

    def date(self, moment: Moment) -> datetime:
        """Return a moment's date: by the clock as it was then, or as it was put right since."""
        if moment.boot != self._boot:
            return _date(moment.wall)
        right = self._wall() - self.age(moment)
        return _date(moment.wall if abs(right - moment.wall) < _JUMP else right)


def _date(wall: float) -> datetime:
    return datetime.fromtimestamp(min(max(0.0, wall), _LAST), UTC)


def _uptime() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the first on Linux alone
    return time.clock_gettime(clock)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return f"process {secrets.token_hex(8)}"
