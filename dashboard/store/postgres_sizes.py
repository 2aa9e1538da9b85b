"""How much room rows take in PostgreSQL, gaps left out, from a sample of each table's pages.

A table's file does not shrink when rows are deleted, and counting a million rows takes a tenth of
a second each time: so the rows of some pages are measured. Some 10 % off where what was deleted
has left gaps, exact where a table is small.
"""

from typing import NamedTuple

from dashboard.store.pages import Read

_PAGES = 400
"""Pages looked at in each table: 10 to 20 ms."""


class RowSize(NamedTuple):
    """What of a row's size is to be asked for, in SQL, and what its entries in indexes take."""

    data: str
    indexes: int


SIZES = {
    "click": RowSize("pg_column_size(click.*)", 195),
    "rollup": RowSize("pg_column_size(rollup.*)", 45),
    "button": RowSize("pg_column_size(button.*)", 60),
    "dead_letter": RowSize("pg_column_size(payload) + pg_column_size(reason) + 120", 110),
}
"""Tables. A dead letter's columns one by one: as a whole row each would be fetched from where
PostgreSQL keeps long values."""


def size_of(read: Read, table: str) -> int:
    """Return about how many bytes a table's rows and their indexes take."""
    ((percent,),) = read(_PERCENT, (_PAGES, table))
    data, indexes = SIZES[table]
    query = _SAMPLE.format(data=data, table=table)
    ((count, size),) = read(query, (percent,))
    return int((int(size) + count * (_ROW + indexes)) * 100 / percent)


_ROW = 8
"""A row's pointer in its page, and what is lost to alignment."""

_PERCENT = """
SELECT least(100.0, 100.0 * ? / greatest(1, pg_relation_size(CAST(? AS regclass)) / 8192))::float8
"""
# REPEATABLE: the same pages each time, or chance alone would delete something now and then.
_SAMPLE = """
SELECT count(*), coalesce(sum({data}), 0) FROM {table} TABLESAMPLE SYSTEM (?) REPEATABLE (1)
"""
