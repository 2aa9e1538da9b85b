"""What the store needs of a database, and SQLite as one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dashboard.store.leftovers import MOST_PAGES, Leftovers
from dashboard.store.schema import APPLICATION, FILE, SCHEMA
from iot_button.database import Database
from iot_button.files import StorageError

_PRAGMAS = (
    "cache_size = -16384",  # KiB
    "secure_delete = ON",  # what is deleted is overwritten: a person has a right to that
)
_PAGES_AT_ONCE = 1000
"""Pages looked through in one step: 10 ms of processor time, 20 with the reading."""

TRUNCATE = -1
"""The last place of `clean`: what is left to be done is the log."""


class Engine(Protocol):
    """A database from `with` to its end, for one thread; `Database` says what each method does."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        ...

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Change something in the open transaction; return how many rows."""
        ...

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Change something once for each row of parameters."""
        ...

    def commit(self) -> None:
        """Return when all changes are on the disk."""
        ...

    def undo(self) -> None:
        """Give up everything since the last commit."""
        ...

    def used_bytes(self) -> int:
        """Return how much room what is kept takes."""
        ...

    def clean(self, place: int) -> int | None:
        """Take what is left of deleted rows off the disk, a part of it, outside a transaction.

        Returns:
            The place to go on at, the same where others are in the way; None: nothing is left.
            The first place is 0.
        """
        ...


class Sqlite(Database):
    """The file in the state directory."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(
            state_dir / FILE, application=APPLICATION, schema=SCHEMA, is_read_by_others=True
        )
        self._leftovers: Leftovers | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        for pragma in _PRAGMAS:
            self.read(f"PRAGMA {pragma}")
        return self

    def used_bytes(self) -> int:
        """Return the bytes of the pages that hold something."""
        pages = self._pages("page_count") - self._pages("freelist_count")
        return pages * self._pages("page_size")

    def clean(self, place: int) -> int | None:
        """Take a part of what is left of deleted rows off the disk; `Engine` says what it returns.

        A file from before rows were overwritten is written anew once, and one of `MOST_PAGES` each
        time.

        Raises:
            StorageError: it is, and there is no room for a second one.
        """
        if place == TRUNCATE:
            return self._cut_log()
        if place > 0:
            return self._overwrite(place)
        is_too_large = self._pages("page_count") >= MOST_PAGES
        if is_too_large or self.read(HAS_LEFTOVERS):
            self.read("VACUUM")
            self.write(_HAS_NONE)
            self.commit()
        return TRUNCATE if is_too_large else self._overwrite(0)

    def _pages(self, what: str) -> int:
        return int(self.read(f"PRAGMA {what}")[0][0])

    def _overwrite(self, place: int) -> int:
        ((version,),) = self.read(_VERSION)
        ((is_busy, pages, moved),) = self.read("PRAGMA wal_checkpoint(PASSIVE)")
        if is_busy or pages != moved:
            return place
        self.read("PRAGMA shrink_memory")  # or pages in memory would bring it back
        self.read("BEGIN IMMEDIATE")
        try:
            if self.read(_VERSION) != [(version,)]:  # another program has written something
                return place
            following = self._opened_leftovers().overwrite(place, _PAGES_AT_ONCE)
        except OSError as error:
            raise StorageError.of(self.path, error) from error
        finally:
            self.read("ROLLBACK")
        return TRUNCATE if following is None else following

    def _cut_log(self) -> int | None:
        self.read("PRAGMA busy_timeout = 0")  # who reads is waited for elsewhere
        ((is_busy, _pages, _moved),) = self.read("PRAGMA wal_checkpoint(TRUNCATE)")
        self.read("PRAGMA busy_timeout = 1000")
        return TRUNCATE if is_busy else None

    def _opened_leftovers(self) -> Leftovers:
        if self._leftovers is None:
            self._leftovers = Leftovers(self.path).__enter__()
        return self._leftovers

    def _close(self) -> None:
        super()._close()
        if self._leftovers is not None:
            self._leftovers.__exit__(None, None, None)
            self._leftovers = None


_VERSION = "PRAGMA data_version"
HAS_LEFTOVERS = "SELECT * FROM fact WHERE name = 'has_leftovers'"
_HAS_NONE = "DELETE FROM fact WHERE name = 'has_leftovers'"
