"""How a process of ours ends: on Ctrl-C or SIGTERM, with its terminal, or with its supervisor."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as shells have it."""
_STDIN = 0


class Lifetime:
    """The time from `with` until someone asks the process to stop.

    A second Ctrl-C while stopping ends the process at once.

    Python runs a signal's handler on the main thread alone, and a main thread that is just about to
    wait for a lock misses it until the lock comes. So the signal itself, below Python, writes its
    number to a socket (`signal.set_wakeup_fd`), and a thread reads it there.

    Args:
        until_stdin_closes: also stop when standard input reaches its end. A supervisor holds the
            other end of that pipe, so its death, even by SIGKILL, stops us too.
        on_asked: called at the moment of asking, on a thread.
    """

    def __init__(
        self, *, until_stdin_closes: bool = False, on_asked: Callable[[], None] = lambda: None
    ) -> None:
        self._until_stdin_closes = until_stdin_closes
        self._on_asked = on_asked
        self._asked = threading.Event()
        self.interrupted = False

    def __enter__(self) -> Self:
        self._numbers, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)
        threading.Thread(target=self._read_signals, name="signals", daemon=True).start()
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, lambda *_: None)  # the default would end us, or raise
        if self._until_stdin_closes:
            threading.Thread(target=self._read_stdin, name="stdin", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(-1)
        self._wakeup.close()  # ends the thread
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

    def _read_signals(self) -> None:
        with self._numbers:
            while number := self._numbers.recv(1):
                is_ctrl_c = number[0] == signal.SIGINT
                if is_ctrl_c and self.is_over:
                    os._exit(INTERRUPTED)
                self.interrupted = self.interrupted or is_ctrl_c
                self.stop()

    def _read_stdin(self) -> None:
        # Not by sys.stdin: its lock, held by this thread, would abort the interpreter's shutdown.
        # It is None where standard input was closed before we began; the number is then another's.
        if sys.stdin is not None:
            with contextlib.suppress(OSError):
                while os.read(_STDIN, 4096):
                    pass
        self.stop()
