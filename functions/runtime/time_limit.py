"""How long an execution environment may take: for its start, and then for each event."""

import signal
import time
from collections.abc import Callable

from functions.runtime.runs import Ended, Run, crashed, timed_out
from iot_button.loop import Loop, Timer

_INIT_TIMEOUT = 10.0
"""Seconds for the import of a handler: AWS's limit for the init phase."""


class TimeLimit:
    """Ends an environment in which something takes too long.

    `since`: when what runs now began (`time.monotonic`). Its user sets it at each further event.

    Args:
        timeout: seconds for one event.
        is_running: whether an event runs.
        kill: ends the environment.
    """

    def __init__(
        self,
        loop: Loop,
        timeout: float,
        *,
        is_running: Callable[[], bool],
        kill: Callable[[], None],
    ) -> None:
        self.since = 0.0
        self._loop = loop
        self._timeout = timeout
        self._is_running = is_running
        self._kill = kill
        self._timer: Timer | None = None
        self._is_over = False

    def begin_init(self) -> None:
        """Give it the time of its start."""
        self.since = time.monotonic()
        self._timer = self._loop.call_later(_INIT_TIMEOUT, self._too_late)

    def begin(self) -> None:
        """Give an event its time, after nothing had run."""
        self.since = time.monotonic()
        # One timer for many events: when it rings it looks who runs now.
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._check)

    def cancel(self) -> None:
        """Limit nothing until the next `begin`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def why(self, run: Run, status: int, *, is_ready: bool) -> Ended:
        """Return how the run ended under which the process did.

        Args:
            run: the one that ran, or was to be the first.
            status: the process's, as of `subprocess`.
            is_ready: whether its handler was imported.
        """
        late = time.monotonic() - self.since >= self._timeout
        if self._is_over or (late and status == -signal.SIGALRM):  # its own guard
            return timed_out(run, self._timeout if is_ready else _INIT_TIMEOUT)
        return crashed(run, status, time.monotonic() - self.since)

    def _check(self) -> None:
        self._timer = None
        if not self._is_running():
            return
        deadline = self.since + self._timeout
        if time.monotonic() >= deadline:
            self._too_late()
        else:
            self._timer = self._loop.call_at(deadline, self._check)

    def _too_late(self) -> None:
        self._timer = None
        self._is_over = True
        self._kill()
