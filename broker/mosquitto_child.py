"""One run of mosquitto as our child."""

import logging
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from iot_button.errors import StopTimeoutError

log = logging.getLogger(__name__)

_MINUTE, _LINES = 60.0, 50
"""Each line once a minute, and so many at most: strangers cause some, such as failures of TLS."""


class MosquittoChild:
    """One run of mosquitto: begins with the object, and ends with `end` or by itself.

    Args:
        program: mosquitto's path.
        configuration: its mosquitto.conf.
        stopping: set when it may end. The thread that has started it may not live as long as it:
            the kernel ends a child with that thread (PR_SET_PDEATHSIG, prctl(2)).
        on_failure: called, on a thread, when it ends without being told to.
    """

    def __init__(
        self,
        program: str,
        configuration: Path,
        *,
        stopping: threading.Event,
        on_failure: Callable[[], None],
    ) -> None:
        self._stopping = stopping
        self._on_failure = on_failure
        self._is_to_end = threading.Event()
        self._process = subprocess.Popen(
            [*_ended_with_us(), program, "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert self._process.stderr is not None  # noqa: S101 - for the type checker: it is a PIPE
        reader = threading.Thread(target=self._watch, args=(self._process.stderr,), daemon=True)
        reader.start()

    @property
    def status(self) -> int | None:
        """Its exit status; None: it runs."""
        return self._process.poll()

    def end(self, timeout: float) -> None:
        """Let it write its database and end.

        Raises:
            StopTimeoutError: it had to be killed.
        """
        self._is_to_end.set()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise StopTimeoutError("mosquitto", timeout) from error

    def _watch(self, lines: IO[str]) -> None:
        said: set[str] = set()
        until = 0.0
        with lines:
            for line in lines:
                if time.monotonic() >= until:
                    said.clear()
                    until = time.monotonic() + _MINUTE
                if line not in said and len(said) < _LINES:
                    said.add(line)
                    log.warning("mosquitto: %s", line.rstrip())
        status = self._process.wait()
        if not (self._is_to_end.is_set() or self._stopping.is_set()):
            log.error("mosquitto ended by itself (status %d)", status)
            self._on_failure()


def _ended_with_us() -> list[str]:
    """Have the kernel end mosquitto when we are killed; where that is not known, nothing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
