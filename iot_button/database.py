"""One SQLite file of ours: opened by one process, written in transactions, its failures worded.

Standard library only. Write-ahead log with `synchronous=FULL`: what `commit` has returned from is
on the disk (SQLite, "Write-Ahead Logging" and "PRAGMA synchronous").
"""

import contextlib
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iot_button.files import (
    DamagedFileError,
    FileLock,
    NewerFileError,
    StorageError,
    make_private_folder,
    open_private,
    set_aside,
)
from iot_button.sqlite_errors import storage_error

Row = tuple[Any, ...]

_ALONE = "locking_mode = EXCLUSIVE"
"""Before the first access: then the log's index is no file either."""

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: fsync alone does not reach the disk there
    "checkpoint_fullfsync = ON",
    "cache_size = -1024",  # KiB
    "journal_size_limit = 4194304",  # a log that grew once is cut back to 4 MiB
    "secure_delete = OFF",  # Debian's build has it on, and it writes each freed page again
)


class Committed(ABC):
    """Something written in transactions: the end of its `with` commits, unless by an error."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self._close()

    @abstractmethod
    def commit(self) -> None:
        """Return when all changes are on the disk."""

    @abstractmethod
    def _close(self) -> None: ...


class Database(Committed):
    """The file from `with` to its end, for one thread.

    A failure to write undoes everything since the last commit: never half a transaction. From then
    on each `write` fails, until `commit` has failed too: so whoever waits for a commit learns it.

    A damaged file is set aside, and `aside` names it; a new one is begun, so that the system
    starts. Damage that shows later only ends the process's work; the next start checks the file.

    Args:
        application: SQLite's application_id, by which a file of another kind is told.
        schema: SQL scripts; number n (from 0) leads from version n to n + 1.
        load: reads what is kept in memory: when the file is open, and when a failure has undone
            what was not committed.
        is_read_by_others: other connections of this process read the file meanwhile.
    """

    def __init__(
        self,
        path: Path,
        *,
        application: int,
        schema: Sequence[str],
        load: Callable[[], None] = lambda: None,
        is_read_by_others: bool = False,
    ) -> None:
        self.path = path
        self.aside: Path | None = None
        self._application = application
        self._schema = schema
        self._load = load
        self._pragmas = _PRAGMAS if is_read_by_others else (_ALONE, *_PRAGMAS)
        self._lock = FileLock(path)
        self._suspect = path.with_name(f"{path.name}.suspect")
        self._connection: sqlite3.Connection | None = None
        self._is_changed = False
        self._failure: StorageError | None = None

    def __enter__(self) -> Self:
        make_private_folder(self.path.parent)
        self._lock.acquire()
        try:
            try:
                self._open_or_begin_anew()
            except DamagedFileError:  # found in `load`, deep in the file: now it is checked first
                self._disconnect()
                self._open_or_begin_anew()
        except BaseException:
            self._close()
            raise
        return self

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows, those of the open transaction among them.

        Raises:
            StorageError: the file cannot be read.
        """
        try:
            return self._opened.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Change something in the open transaction; return how many rows.

        Raises:
            StorageError: it cannot be written; everything since the last commit is undone.
        """
        return self._change(lambda opened: opened.execute(sql, parameters))

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Change something once for each row of parameters; as `write` otherwise."""
        return self._change(lambda opened: opened.executemany(sql, rows))

    def _change(self, execute: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> int:
        if self._failure is not None:
            raise StorageError(self.path, self._failure.reason, mend=self._failure.mend)
        try:
            if not self._is_changed:
                self._opened.execute("BEGIN")
                self._is_changed = True
            return execute(self._opened).rowcount
        except sqlite3.Error as error:
            raise self._undone(error) from error

    @property
    def is_changed(self) -> bool:
        """Whether there is something to commit, or a failure that `commit` has to tell."""
        return self._is_changed or self._failure is not None

    def commit(self) -> None:
        """Return when all changes are on the disk; at once where there are none.

        Raises:
            StorageError: they are not, and are undone.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise StorageError(self.path, failure.reason, mend=failure.mend)
        if not self._is_changed:
            return
        try:
            self._opened.execute("COMMIT")
        except sqlite3.Error as error:
            ours = self._undone(error)
            self._failure = None
            raise ours from error
        self._is_changed = False

    def undo(self) -> None:
        """Give up everything since the last commit, and a failure that nobody has been told."""
        with contextlib.suppress(sqlite3.Error):
            if self._opened.in_transaction:  # some failures undo it by themselves
                self._opened.execute("ROLLBACK")
        self._is_changed, self._failure = False, None

    @property
    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None, "used outside `with`"  # noqa: S101
        return self._connection

    def _open_or_begin_anew(self) -> None:
        try:
            self._open()
        except DamagedFileError:
            self._disconnect()
            self.aside = set_aside(self.path)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + suffix).rename(f"{self.aside}{suffix}")
            self._open()
        self._load()
        self._suspect.unlink(missing_ok=True)

    def _open(self) -> None:
        os.close(open_private(self.path, os.O_RDWR | os.O_CREAT))
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=1.0)
            for pragma in self._pragmas:
                self._connection.execute(f"PRAGMA {pragma}")
            self._bring_up_to_date()
            if self._suspect.exists():
                self._check()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _bring_up_to_date(self) -> None:
        version, application = self._number("user_version"), self._number("application_id")
        if application not in (0, self._application) or (version and not application):
            mend = "move it away, or set state_dir to another folder"
            raise StorageError(self.path, "not a file of this program", mend=mend)
        if version > len(self._schema):
            reason = (
                f"made by a newer version (format {version}; this one knows {len(self._schema)})"
            )
            raise NewerFileError(self.path, reason, mend="update iot-button, or move the file away")
        for number, script in enumerate(self._schema[version:], start=version + 1):
            marks = f"PRAGMA application_id = {self._application}; PRAGMA user_version = {number}"
            self._opened.executescript(f"BEGIN; {script}; {marks}; COMMIT;")

    def _check(self) -> None:
        (found,) = self._opened.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise DamagedFileError(self.path, str(found))

    def _number(self, pragma: str) -> int:
        return int(self._opened.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _undone(self, error: sqlite3.Error) -> StorageError:
        """Undo everything since the last commit."""
        ours = self._failed(error)
        self.undo()
        self._failure = ours
        with contextlib.suppress(StorageError):
            self._load()
        return ours

    def _failed(self, error: sqlite3.Error) -> StorageError:
        ours = storage_error(self.path, error)
        if isinstance(ours, DamagedFileError):
            with contextlib.suppress(OSError):
                self._suspect.touch(mode=0o600)
        return ours

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _close(self) -> None:
        self._disconnect()
        self._is_changed, self._failure = False, None
        self._lock.release()
