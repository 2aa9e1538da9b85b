"""Recorded edges: read, refused with the line that is wrong, and written as they come."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.bounce import Edge
from device_sim.edges import PAUSE, EdgeRecorder, EdgesError, read_edges
from iot_button.files import StorageError
from tests.device_sim.edge_trains import random_train
from tests.storage import no_file_above


def read(text: str | bytes) -> list[Edge]:
    data = text.encode() if isinstance(text, str) else text
    return read_edges(data.splitlines(), source="a file")


def recorded(path: Path) -> list[Edge]:
    return read_edges(path.read_bytes().splitlines(), source=str(path))


def test_comments_and_blank_lines_are_no_edges() -> None:
    text = "# at the door\n\n 1.250 D   # down\r\n1.25\tU\n   # end\n2 D\n-0.5e1"
    assert read(text.removesuffix("\n-0.5e1")) == [
        Edge(True, 1.25),
        Edge(False, 1.25),
        Edge(True, 2.0),
    ]
    assert read("\ufeff-5e-1 D") == [Edge(True, -0.5)]  # as an editor on Windows saves it
    assert read("") == []


@pytest.mark.parametrize(
    "line",
    [
        *("1.0", "D 1.0", "1.0 d", "1.0 DOWN", "1,5 D", "nan D", "inf U", "1e999 D", "1.0D"),
        *("\u0661 D", "1.0 D 2.0 U", "0x10 D", "1_0 D", "- D", "\x00", "1.0 D\x1b[2J"),
    ],
)
def test_a_line_that_is_no_edge_is_named_by_its_number(line: str) -> None:
    with pytest.raises(EdgesError, match=r"^a file, line 3: '.* is no edge") as raised:
        read(f"# one\n0.5 U\n{line}\n7.0 D\n")
    assert raised.value.line == 3
    assert "\x1b" not in str(raised.value)


def test_bytes_that_are_no_text_and_endless_lines_are_refused_in_short() -> None:
    for data in (b"1.0 D\n\xff\xfe\x00", b"1.0 D\n" + b"9" * 1_000_000):
        with pytest.raises(EdgesError, match=r"^a file, line 2: ") as raised:
            read(data)
        assert len(str(raised.value)) < 200


def test_moments_must_not_go_backward() -> None:
    with pytest.raises(EdgesError, match=r"^a file, line 4: 1.9 s is before 2 s, where the last"):
        read("1 D\n2 U\n# so far, so good\n1.9 D\n")


@given(st.integers(0, 2**32))
def test_what_is_written_as_text_is_read_as_it_was(seed: int) -> None:
    edges = random_train(seed).edges
    text = "".join(f"{moment:.6f} {'D' if level else 'U'}\n" for level, moment in edges)
    assert read(text) == edges
    assert (
        read("".join(f"{moment!r} {'D' if level else 'U'}\n" for level, moment in edges)) == edges
    )


def test_each_edge_is_in_the_file_as_soon_as_it_has_come(tmp_path: Path) -> None:
    path = tmp_path / "edges.txt"
    with EdgeRecorder(path) as recorder:
        recorder.edge(True, 1000.5)
        assert path.read_text() == "0.000000 D\n"
        recorder.edge(False, 1000.625)
        assert path.read_text() == "0.000000 D\n0.125000 U\n"
    recorder.edge(True, 1001.0)  # it has ended: nothing happens
    assert len(recorded(path)) == 2


def test_a_clock_that_begins_anew_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "edges.txt"
    with EdgeRecorder(path) as recorder:
        recorder.start_over()
        recorder.edge(True, 50.0)
        recorder.edge(False, 49.0)  # backward: as the last
        recorder.edge(True, 51.0)
        recorder.start_over()
        recorder.start_over()
        recorder.edge(False, 3.0)
        recorder.edge(True, 4.0)
    assert [moment for _level, moment in recorded(path)] == [0.0, 0.0, 1.0, 1 + PAUSE, 2 + PAUSE]


def test_a_second_recording_goes_on_after_the_first(tmp_path: Path) -> None:
    path = tmp_path / "edges.txt"
    path.write_text("# mine\n5.0 D\n5.5 U")  # an editor that ends no line
    for _ in range(2):
        with EdgeRecorder(path) as recorder:
            recorder.edge(True, 0.0)
            recorder.edge(False, 0.25)
    moments = [5.0, 5.5, 5.5 + PAUSE, 5.75 + PAUSE, 5.75 + 2 * PAUSE, 6 + 2 * PAUSE]
    assert [moment for _level, moment in recorded(path)] == moments
    assert path.read_text().startswith("# mine\n")


def test_a_recorder_touches_no_file_that_has_something_else_in_it(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader\n")
    with pytest.raises(EdgesError, match=r"letter\.txt, line 1"), EdgeRecorder(path):
        pass
    assert path.read_text() == "Dear reader\n"


def test_what_cannot_be_recorded_into_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "edges.txt", Path("/dev/full")):
        with pytest.raises(StorageError, match=str(path)), EdgeRecorder(path):
            pass


def test_a_full_disk_ends_the_recording_without_a_half_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "edges.txt"
    with EdgeRecorder(path) as recorder, no_file_above(30):
        for moment in range(5):
            recorder.edge(moment % 2 == 0, float(moment))
    assert recorded(path) == [Edge(True, 0.0), Edge(False, 1.0)]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "nothing more is recorded" in record.getMessage()
