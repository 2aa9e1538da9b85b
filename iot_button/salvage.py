"""What can still be read of a damaged SQLite file."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any


def salvage(path: Path, select: str, *, key: str) -> Iterator[tuple[Any, ...]]:
    """Yield each readable row once: from the file's start up to the damage, then from its end.

    Args:
        path: the damaged file.
        select: a query without an order; its first column is `key`.
        key: an integer primary key, so that both ways are walks through the table.
    """
    known: set[int] = set()
    with closing(sqlite3.connect(path)) as connection:
        for order in ("ASC", "DESC"):
            with contextlib.suppress(sqlite3.Error):
                for row in connection.execute(f"{select} ORDER BY {key} {order}"):
                    if row[0] in known:
                        return
                    known.add(row[0])
                    yield row
