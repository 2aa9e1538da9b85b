"""What the commands print. Text from handlers is anyone's text: a terminal gets it cleaned."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def clean(text: str) -> str:
    r"""Return text that a terminal shows and does not obey: what is not printable as `\x1b`.

    A terminal would otherwise let log lines move its cursor, rename its window, or hide text by
    turning its direction.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def print_json(value: Any) -> None:
    """Write a JSON line, ASCII only."""
    _write(json.dumps(value, separators=(",", ":")))


def print_text(text: str) -> None:
    """Write a line for a person."""
    encoding = sys.stdout.encoding or "ascii"
    _write(clean(text).encode(encoding, "backslashreplace").decode(encoding))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write columns, each as wide as its longest cell."""
    lines = [[clean(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print_text("  ".join(cells).rstrip())


def timestamp(moment: float) -> str:
    """Return a moment, seconds since 1970, in RFC 3339's form, UTC, in milliseconds."""
    at = datetime.fromtimestamp(moment, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
