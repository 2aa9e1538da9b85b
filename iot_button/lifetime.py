"""How a process of ours ends: on Ctrl-C, on SIGTERM, or with the process that started it."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as shells have it."""
_STDIN = 0


class Lifetime:
    """The time from `with` until someone asks the process to stop.

    A second Ctrl-C while stopping ends the process at once.

    Args:
        until_stdin_closes: also stop when standard input reaches its end. A supervisor holds the
            other end of that pipe, so its death, even by SIGKILL, stops us too.
        on_asked: called at the moment of asking, possibly inside a signal handler.
    """

    def __init__(
        self, *, until_stdin_closes: bool = False, on_asked: Callable[[], None] = lambda: None
    ) -> None:
        self._until_stdin_closes = until_stdin_closes
        self._on_asked = on_asked
        # Held until the end. Not a threading.Event: its lock is not re-entrant, so that a signal in
        # the middle of its wait() would wait for itself in its set(), for ever.
        self._running = threading.Lock()
        self._running.acquire()
        self._is_over = False
        self.interrupted = False

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        if self._until_stdin_closes:
            threading.Thread(target=self._read_stdin, name="stdin", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.interrupted and error is None:
            sys.exit(INTERRUPTED)

    @property
    def is_over(self) -> bool:
        """Whether someone has asked us to stop."""
        return self._is_over

    def stop(self) -> None:
        """End the lifetime from inside."""
        self._is_over = True
        self._let_waiters_go()
        self._on_asked()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until asked to stop, at most `timeout` seconds; return whether we were."""
        asked = self._running.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
        if asked:
            self._let_waiters_go()  # the next one
        return asked

    def _let_waiters_go(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is released already
            self._running.release()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._is_over and number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        self.interrupted = self.interrupted or number == signal.SIGINT
        self.stop()

    def _read_stdin(self) -> None:
        # Not sys.stdin: its lock, held by this thread, would abort the interpreter's shutdown.
        with contextlib.suppress(OSError):  # it was closed before we began
            while os.read(_STDIN, 4096):
                pass
        self.stop()
