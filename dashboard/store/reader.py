"""The way out: a read-only connection for each thread that asks."""

import contextlib
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, Full, LifoQueue
from typing import Any

from iot_button.sqlite_errors import storage_error

MAX_IDLE = 4
"""Connections kept for the next who ask; each has its own 8 MiB of cache at most."""

_PRAGMAS = ("query_only = ON", "cache_size = -8192")


class Reader:
    """Lends connections to whoever reads; `close` ends those that nobody has.

    Each query reads what is committed at its moment, and holds up neither the writing nor others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: LifoQueue[Any] = LifoQueue(MAX_IDLE)
        self._is_closed = False
        weakref.finalize(self, _close_all, self._idle)  # for who forgets to close it

    def __call__(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            StorageError: the file cannot be read.
        """
        try:
            return self._rows(sql, parameters)
        except sqlite3.Error as error:
            raise storage_error(self._path, error) from error

    def close(self) -> None:
        """Close the connections."""
        self._is_closed = True
        self._forget_idle()

    def _forget_idle(self) -> None:
        _close_all(self._idle)

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._lent() as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql, parameters).fetchall()
        return found

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Any]:
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connect()
        try:
            yield connection
            if not self._is_closed:
                self._idle.put_nowait(connection)
                return
        except Full:
            pass
        except BaseException:
            connection.close()
            raise
        connection.close()

    def _connect(self) -> Any:
        uri = f"{self._path.as_uri()}?mode=rw"  # read-only could not recover the log of a crash
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own knows A to Z alone.
        connection.create_function("lower", 1, str.lower, deterministic=True)
        return connection


def _close_all(connections: LifoQueue[Any]) -> None:
    with contextlib.suppress(Empty):
        while True:
            connections.get_nowait().close()
