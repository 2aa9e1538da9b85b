"""What an execution environment knows about itself: its memory, and whether anyone needs it."""

import os
import signal
import sys
from time import monotonic

_SAMPLE_EVERY = 0.1
WORTH_A_SAMPLE = 0.001
_RENEW_EVERY = 1.0
_GRACE = 5.0
_INIT = 300.0


class Memory:
    """The most memory that this process has used, in KiB; `sample_at` is when to ask again.

    Asked after invocations that took a millisecond, and otherwise ten times a second, once their
    result is out: asking takes 15 microseconds, and more when nothing else happens.
    """

    def __init__(self) -> None:
        self.peak = 0
        self.sample_at = 0.0

    def sample(self, now: float) -> int:
        """Ask, and return the peak. `now` is seconds, as of `time.monotonic`."""
        self.sample_at = now + _SAMPLE_EVERY
        self.peak = max(self.peak, _peak())
        return self.peak


def _peak() -> int:
    if not sys.platform.startswith("linux"):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most // 1024 if sys.platform == "darwin" else most
    # Not `ru_maxrss`: on Linux it is inherited from the process that started this one.
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123 - see failures.py
            status = file.read(4096)
        start = status.index(b"VmHWM:") + 6
        return int(status[start : status.index(b"kB", start)])
    except (OSError, ValueError):
        return 0  # no file descriptor is left, or no /proc: what was known stays


class Parent:
    """The runtime, which may be killed at any moment; then nobody ends a handler that hangs.

    Idle, this process looks for it each second. Busy, an alarm of the operating system ends this
    process some seconds after the runtime should have. A handler that uses SIGALRM has it for
    itself.
    """

    def __init__(self, process_id: int, *, timeout: float) -> None:
        self._process_id = process_id
        self._timeout = timeout
        self.renew_at = 0.0
        self._arm(max(_INIT, timeout))

    def check(self) -> None:
        """End this process at once if the runtime is gone."""
        if os.getppid() != self._process_id:
            os._exit(1)
        self.renew(monotonic())

    def renew(self, now: float) -> None:
        """Put the alarm off. To be called when `now` is past `renew_at`, before a handler runs."""
        self.renew_at = now + _RENEW_EVERY
        self._arm(self._timeout + _RENEW_EVERY + _GRACE)

    def _arm(self, seconds: float) -> None:
        if signal.getsignal(signal.SIGALRM) == signal.SIG_DFL:
            signal.setitimer(signal.ITIMER_REAL, seconds)
