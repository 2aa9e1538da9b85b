"""How many requests may wait at a time, so that those which never wait always find a thread.

A handler that runs for one request may itself ask the data plane to publish. If waiting requests
could fill every thread, those that they wait for could not come in.
"""

import contextlib
import threading
from collections.abc import Iterator

MAX_INVOCATIONS = 40
MAX_POLLS = 8
"""Of the server's 64 requests at a time (`server.MAX_REQUESTS`)."""


class Places:
    """A number of places, of which each request that waits takes one."""

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(number)

    @contextlib.contextmanager
    def taken(self) -> Iterator[bool]:
        """Take a place for the block; False where none is free."""
        has_place = self._free.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                self._free.release()
