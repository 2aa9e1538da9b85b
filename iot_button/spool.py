"""The durable queue on disk: what must outlive a crash, a `kill -9` or a power cut.

One file holds any number of queues by name. It knows nothing of what the entries are.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from iot_button import spool_sql
from iot_button.database import Database, Row
from iot_button.salvage import salvage

log = logging.getLogger(__name__)

_RIPEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `id` counts up over all queues and is never given twice.

    `due`: not before this moment, in seconds since 1970 (UTC); 0.0: at once, or found due already.
    `added`: when it was put, in seconds since 1970, by a clock that may have jumped since.
    """

    id: int
    queue: str
    due: float
    added: float
    body: bytes


class Spool:
    """Queues of bytes in one SQLite file, used by the one thread that opened it.

    Changes are seen here at once and are durable when `commit` returns: one fsync for all of them.
    A failure to write undoes everything since the last commit, and `commit` then fails too.
    The end of `with` commits, unless it ends by an exception.

    A damaged file is set aside under another name, and what can still be read of it is taken over.

    Args:
        clock: tells the time in seconds since 1970.

    Raises:
        InUseError: another process uses the file.
        NewerFileError: a newer version made it.
        StorageError: from any method: the disk is full, or cannot be read or written.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._database = Database(
            path, application=spool_sql.APPLICATION, schema=spool_sql.SCHEMA, load=self._load
        )
        self._numbers: dict[str, int] = {}
        self._counts: dict[int, int] = {}
        self._last_id = 0

    def __enter__(self) -> Self:
        self._database.__enter__()
        try:
            if self._database.aside is not None:
                self._take_over(self._database.aside)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.__exit__(kind, error, trace)

    def put(self, queue: str, body: bytes, *, due: float = 0.0) -> int:
        """Add an entry and return its id."""
        number = self._number(queue)
        # Counted here too: an id whose put was undone is not given again to another.
        self._last_id += 1
        self._insert(self._last_id, number, due, self._clock(), body)
        return self._last_id

    def postpone(self, id: int, *, due: float, body: bytes | None = None) -> None:  # noqa: A002
        """Let an entry wait until `due`, with another body where one is given.

        Nothing happens where it is gone. It keeps its id, and with it its place among the due.
        """
        self._database.write(
            "UPDATE entry SET due = ?, body = coalesce(?, body) WHERE id = ?",
            (max(0.0, due), body, id),
        )

    def move(self, id: int, queue: str, *, due: float = 0.0, body: bytes | None = None) -> None:  # noqa: A002
        """Put an entry into another queue under its id; nothing happens where it is gone."""
        if (held := self._queue_of(id)) is None:
            return
        number = self._number(queue)
        self._database.write("UPDATE entry SET queue = ? WHERE id = ?", (number, id))
        self._counts[held] -= 1
        self._counts[number] += 1
        self.postpone(id, due=due, body=body)

    def remove(self, id: int) -> None:  # noqa: A002
        """Remove an entry; nothing happens where it is gone."""
        if (number := self._queue_of(id)) is not None:
            self._database.write("DELETE FROM entry WHERE id = ?", (id,))
            self._counts[number] -= 1

    def get(self, id: int) -> Entry | None:  # noqa: A002
        """Return an entry, or None where it is gone."""
        rows = self._database.read(f"{spool_sql.ENTRY} WHERE id = ?", (id,))
        return Entry(*rows[0]) if rows else None

    def due(
        self,
        queue: str,
        *,
        limit: int,
        after: tuple[float, int] | None = None,
        skip: Collection[int] = frozenset(),
    ) -> list[Entry]:
        """Return entries that are due now, in the order in which they came: by id.

        An entry whose time has come is marked with `due` 0.0, so that a retry is not left behind
        by newer entries which never had to wait. That is done for 1,000 at a time; where more
        became due since the last call, the rest comes after these, by its time.

        Args:
            queue: its name; one that never had an entry is empty.
            limit: how many at most.
            after: the (due, id) of the last one seen; only what comes after it.
            skip: ids not to return, such as those that are being worked on.
        """
        number, now = self._numbers.get(queue, 0), self._clock()
        self._ripen(number, now)
        last, last_id = after or (-1.0, 0)
        sought = limit + len(skip)
        rows: list[Row] = []
        # Two queries: for one comparison of pairs SQLite walks through all that have the same due.
        if after is not None and last <= now:
            rows = self._database.read(spool_sql.DUE_AT, (number, last, last_id, sought))
        rows += self._database.read(spool_sql.DUE_AFTER, (number, last, now, sought))
        ids = [id for (id,) in rows if id not in skip][:limit]  # noqa: A001
        return [entry for id in ids if (entry := self.get(id)) is not None]  # noqa: A001

    def next_due(self, *queues: str, after: float = -1.0) -> float | None:
        """Return the first moment at which an entry of these queues is due: 0.0 where one is ready.

        What is due at `after` or before it is left out; at 0.0, what is ready and waits for a slot.
        """
        numbers = [self._numbers[queue] for queue in queues if queue in self._numbers]
        found = [
            row for n in numbers for row in self._database.read(spool_sql.NEXT_DUE, (n, after))
        ]
        return min(found)[0] if found else None

    def entries(self, queue: str, *, limit: int, newest: bool = False) -> list[Entry]:
        """Return the oldest entries, or the newest ones first, whenever they are due."""
        rows = self._database.read(
            f"{spool_sql.ENTRY} WHERE queue = ? ORDER BY id {'DESC' if newest else ''} LIMIT ?",
            (self._numbers.get(queue, 0), limit),
        )
        return [Entry(*row) for row in rows]

    def queues(self) -> list[str]:
        """Return the names of the queues that have an entry."""
        return [name for name, number in self._numbers.items() if self._counts[number]]

    def count(self, queue: str) -> int:
        """Return how many entries a queue has. Kept in memory: costs nothing."""
        return self._counts.get(self._numbers.get(queue, 0), 0)

    def oldest(self, queue: str) -> float | None:
        """Return when the entry with the lowest id was added; None where the queue is empty."""
        rows = self._database.read(spool_sql.OLDEST, (self._numbers.get(queue, 0),))
        return rows[0][0] if rows else None

    def trim(self, queue: str, *, most: int) -> int:
        """Remove the oldest entries beyond `most`, and return how many those were."""
        excess = self.count(queue) - most
        if excess <= 0:
            return 0
        number = self._numbers[queue]
        gone = self._database.write(spool_sql.TRIM, (number, excess))
        self._counts[number] -= gone
        return gone

    @property
    def is_changed(self) -> bool:
        """Whether there is something to commit."""
        return self._database.is_changed

    def commit(self) -> None:
        """Return when everything since the last commit is on the disk; at once if nothing is new.

        Raises:
            StorageError: it is not; all of it is undone.
        """
        self._database.commit()

    def _insert(self, id: int, number: int, due: float, added: float, body: bytes) -> None:  # noqa: A002
        self._database.write(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (id, number, max(0.0, due), added, body)
        )
        self._counts[number] += 1

    def _ripen(self, number: int, now: float) -> None:
        ripe = self._database.read(spool_sql.RIPE, (number, now, _RIPEN_AT_ONCE))
        for row in ripe:
            self._database.write("UPDATE entry SET due = 0 WHERE id = ?", row)

    def _queue_of(self, id: int) -> int | None:  # noqa: A002
        rows = self._database.read("SELECT queue FROM entry WHERE id = ?", (id,))
        return rows[0][0] if rows else None

    def _number(self, queue: str) -> int:
        """Return the number of a queue, made where it is new."""
        number = self._numbers.get(queue)
        if number is None:
            number = len(self._numbers) + 1
            self._database.write("INSERT INTO queue VALUES (?, ?)", (number, queue))
            self._numbers[queue] = number
            self._counts[number] = 0
        return number

    def _load(self) -> None:
        """Read what is kept in memory: at the start, and when changes were undone."""
        self._numbers = dict(self._database.read("SELECT name, number FROM queue"))
        counts = self._database.read("SELECT queue, count(*) FROM entry GROUP BY queue")
        self._counts = dict.fromkeys(self._numbers.values(), 0) | dict(counts)
        last = self._database.read("SELECT seq FROM sqlite_sequence WHERE name = 'entry'")
        self._last_id = max(self._last_id, last[0][0] if last else 0)

    def _take_over(self, damaged: Path) -> None:
        taken = 0
        for id, queue, due, added, body in salvage(damaged, spool_sql.ENTRY, key="id"):  # noqa: A001
            self._insert(id, self._number(queue), due, added, body)
            self._last_id = max(self._last_id, id)
            taken += 1
        self.commit()
        log.error("%d entries of %s were taken over", taken, damaged.name)
