"""What the store needs of a database, and SQLite as one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dashboard.store.schema import APPLICATION, FILE, SCHEMA
from iot_button.database import Database
from iot_button.files import StorageError

_CACHE = "PRAGMA cache_size = -16384"  # KiB
_TRIES = 10  # of a second each


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

    def rewrite(self) -> None:
        """Write everything anew, so that nothing is left of what was deleted."""
        ...


class Sqlite(Database):
    """The file in the state directory."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(
            state_dir / FILE, application=APPLICATION, schema=SCHEMA, is_read_by_others=True
        )

    def __enter__(self) -> Self:
        super().__enter__()
        self.read(_CACHE)
        return self

    def used_bytes(self) -> int:
        """Return the bytes of the pages that hold something."""
        pages, free, size = (
            int(self.read(f"PRAGMA {name}")[0][0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def rewrite(self) -> None:
        """Write the file anew: secure_delete leaves copies of what once moved to another page.

        Raises:
            StorageError: there is no room for a second file, or somebody reads for long.
        """
        self.read("VACUUM")
        for _ in range(_TRIES):
            ((is_busy, _pages, _moved),) = self.read("PRAGMA wal_checkpoint(TRUNCATE)")
            if not is_busy:
                return
        raise StorageError(self.path, "somebody has been reading it all the time")
