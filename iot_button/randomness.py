"""Random digits for ids, from the operating system, fetched many at a time.

A system call for each id costs more than all else about it. Not for secrets: what is fetched lies
in memory until it is used.
"""

import os
import threading

_FETCHED_BYTES = 2048


class _Store:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digits = ""

    def take(self, count: int) -> str:
        with self._lock:
            if len(self._digits) < count:
                self._digits = os.urandom(max(_FETCHED_BYTES, count)).hex()
            taken, self._digits = self._digits[:count], self._digits[count:]
        return taken

    def forget(self) -> None:
        """Forget all in a forked child, which would give out the same digits as its parent."""
        self._lock = threading.Lock()
        self._digits = ""


_store = _Store()
os.register_at_fork(after_in_child=_store.forget)

random_hex = _store.take
"""Return that many random digits, 0 to f; from any thread."""
