"""What a function wrote, as lines with START, END and REPORT."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.logs import (
    LONGEST_LINE,
    MOST_BYTES_OF_A_RUN,
    MOST_RECORDS,
    LogBook,
    printable,
)
from functions.runtime.runs import Ended

OK = Ended(False, b"null", 0.00123, 34)


def texts(book: LogBook, *, after: int = 0) -> list[str]:
    return [line.text for line in book.lines(after=after)]


def test_a_silent_run_has_start_end_and_report_as_on_aws() -> None:
    book = LogBook(128)
    book.finish("id", Ended(False, b"1", 0.00123, 34, 0.1))
    assert texts(book) == [
        "START RequestId: id Version: $LATEST",
        "END RequestId: id",
        "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB"
        "\tMax Memory Used: 34 MB\tInit Duration: 100.00 ms",
    ]


def test_what_a_run_writes_stands_between_its_start_and_its_end() -> None:
    said: list[tuple[str, str]] = []
    book = LogBook(128, lambda request_id, line: said.append((request_id, line)))
    book.write("id", b"one\ntw")
    book.write("id", b"o\nthree")
    book.finish("id", OK)
    assert texts(book)[1:4] == ["one", "two", "three"]
    assert [text.split()[0] for text in texts(book)] == [
        *("START", "one", "two", "three", "END", "REPORT")
    ]
    assert said == [("id", "one"), ("id", "two"), ("id", "three")]


def test_runs_that_write_at_the_same_time_keep_their_lines_apart() -> None:
    book = LogBook(128)
    book.write("a", b"from ")
    book.write("b", b"from ")
    book.write("a", b"a\n")
    book.write("b", b"b\n")
    book.finish("a", OK)
    lines = {(line.request_id, line.text) for line in book.lines()}
    assert {("a", "from a"), ("b", "from b")} <= lines
    assert "from b" not in book.tail("a")


def test_lines_are_numbered_without_gaps_and_can_be_asked_for_from_any_on() -> None:
    book = LogBook(128)
    for number in range(10):
        book.write(f"{number}", b"a line\n")
        book.finish(f"{number}", OK)
    numbers = [line.number for line in book.lines()]
    assert numbers == list(range(1, 41))
    assert [line.number for line in book.lines(after=37)] == [38, 39, 40]
    assert [line.number for line in book.lines(limit=2)] == [39, 40]
    assert book.lines(after=40) == []


def test_a_run_that_writes_gigabytes_is_cut_and_says_so() -> None:
    book = LogBook(128)
    for _ in range(100):
        book.write("id", b"x" * 999_999 + b"\n")
    book.finish("id", OK)
    assert sum(map(len, texts(book))) < MOST_BYTES_OF_A_RUN + 1_000
    left_out = 100 * 1_000_000 - MOST_BYTES_OF_A_RUN
    assert f"({left_out} more bytes of this run are left out)" in texts(book)


def test_a_line_without_end_is_kept_in_pieces() -> None:
    book = LogBook(128)
    for _ in range(5):
        book.write("id", b"x" * LONGEST_LINE)
    book.finish("id", OK)
    assert all(len(text) <= LONGEST_LINE for text in texts(book))


def test_old_lines_make_room() -> None:
    book = LogBook(128)
    for number in range(MOST_RECORDS + 100):
        book.finish(f"{number}", OK)
    lines = book.lines(limit=1_000_000)
    assert len(lines) == 3 * MOST_RECORDS
    assert lines[-1].number == 3 * (MOST_RECORDS + 100)


def test_the_tail_is_the_last_4_kilobytes() -> None:
    book = LogBook(128)
    for _ in range(20):
        book.write("id", b"x" * 1_000 + b"\n")
    book.finish("id", OK)
    assert len(book.tail("id")) == 4096
    assert book.tail("id").endswith("Max Memory Used: 34 MB")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("tab\there", "tab\there"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\r\0", "\\r\\x00"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}", "\\u202e"),
        ("\N{SNOWMAN}", "\N{SNOWMAN}"),
    ],
)
def test_control_characters_are_spelled_out(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(pieces=st.lists(st.binary(max_size=50), max_size=20))
def test_no_output_of_any_kind_reaches_a_terminal_raw(pieces: list[bytes]) -> None:
    book = LogBook(128)
    for piece in pieces:
        book.write("id", piece)
    book.finish("id", OK)
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", "".join(texts(book)))
