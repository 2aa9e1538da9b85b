"""How a process of ours ends: on Ctrl-C, on SIGTERM, or with the process that started it."""

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
        self._asked = threading.Event()
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
        return self._asked.is_set()

    def stop(self) -> None:
        """End the lifetime from inside."""
        self._asked.set()
        self._on_asked()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until asked to stop, at most `timeout` seconds; return whether we were."""
        return self._asked.wait(timeout)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set() and number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        self.interrupted = number == signal.SIGINT
        self.stop()

    def _read_stdin(self) -> None:
        # Not sys.stdin: its lock, held by this thread, would abort the interpreter's shutdown.
        while os.read(_STDIN, 4096):
            pass
        self.stop()
