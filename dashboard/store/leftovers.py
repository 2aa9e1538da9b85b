"""What SQLite leaves of deleted rows inside pages, and how that is overwritten.

With `secure_delete` deleted rows and free pages are overwritten with zeros. What it misses are
copies: where SQLite moves rows together within a page, the bytes that they had before stay in the
page's unused middle (seen with 3.40: one of 60,000 clicks). Here the middles are overwritten too,
in the file itself: no statement reaches them. The layout is from "Database File Format" (SQLite),
sections 1.3 and 1.6.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_HEADER = 100
"""Bytes before the first page's own content."""

_POINTERS = {2: 12, 5: 12, 10: 8, 13: 8}
"""Where the pointers to a page's cells begin, by its kind. Other pages have no middle."""

MOST_PAGES = 2 << 24
"""Pages (137 GB of 4 KiB) from which on kinds cannot be told: pages of long rows and free ones
begin with the high byte of a page's number, which is 0 or 1 below."""

_LARGEST = 65_536  # is written as 0 and 1


def middle(page: bytes, begin: int = 0) -> tuple[int, int]:
    """Return where a page's unused middle begins and ends; nothing, where it has none.

    `begin`: where the page's content begins.
    """
    kind, _free, cells, end = struct.unpack_from(">BHHH", page, begin)
    pointers = _POINTERS.get(kind)
    if pointers is None:
        return 0, 0
    start = begin + pointers + 2 * cells
    end = end or _LARGEST
    return (start, end) if start <= end <= len(page) else (0, 0)


class Leftovers:
    """The unused middles of a file's pages, from `with` to its end.

    The file is kept open: closing it takes away the locks that SQLite has on it in this process
    (POSIX, fcntl). So it is to be closed after the last connection.

    Only while nobody writes, everything is in the file and none of it in a cache that may be
    written again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_RDWR)
        return self

    def __exit__(self, *details: object) -> None:
        os.close(self._file)

    def overwrite(self, first: int, count: int) -> int | None:
        """Overwrite those of some pages, from number `first` (0 is the first) on.

        Returns:
            The number of the page to go on with; None at the end.
        """
        size = self._page_size()
        pages = os.pread(self._file, count * size, first * size)
        found = list(_found(pages, size, is_beginning=first == 0))
        for start, end in found:
            os.pwrite(self._file, bytes(end - start), first * size + start)
        if found:
            os.fsync(self._file)
        return first + count if len(pages) == count * size else None

    def _page_size(self) -> int:
        (size,) = struct.unpack(">H", os.pread(self._file, 2, 16))
        return _LARGEST if size == 1 else int(size)


def _found(pages: bytes, size: int, *, is_beginning: bool) -> Iterator[tuple[int, int]]:
    for offset in range(0, len(pages), size):
        page = pages[offset : offset + size]
        start, end = middle(page, _HEADER if is_beginning and offset == 0 else 0)
        if page.count(0, start, end) != end - start:
            yield offset + start, offset + end
