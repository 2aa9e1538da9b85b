"""The window of seen events and the outputs under way: bounds, crashes, damage."""

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.seen import Output, Seen, Stage, key_of
from functions.runtime.window import Window
from iot_button.files import InUseError, NewerFileError, StorageError
from tests.storage import lines_until_killed, no_file_above, read_only_folder

DAY = 86400.0
NOW = 1_800_000_000.0
HANDLE_EVENTS = """
import itertools, sys
from pathlib import Path
from functions.runtime.seen import Seen
payload = bytes(20_000)  # so that the journal begins anew within a few dozen events
with Seen(Path(sys.argv[1])) as seen:
    for n in itertools.count(int(sys.argv[2])):
        key = n.to_bytes(8, "little") * 2
        seen.send(key, n % 65535 + 1, f"topic/{n}", payload)
        seen.commit()
        print("SENT", n, flush=True)
        seen.release(key)
        seen.commit()
        print("RELEASED", n, flush=True)
        seen.done(key, "processed")
        seen.commit()
        print("done", n, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "seen"


@pytest.fixture
def seen(path: Path) -> Iterator[Seen]:
    with Seen(path, clock=lambda: NOW) as opened:
        yield opened


def key(n: int) -> bytes:
    return n.to_bytes(8, "little") * 2


def journal(path: Path) -> Path:
    (found,) = path.glob("journal-*")
    return found


def known(path: Path, numbers: range, *, size: int = 100_000) -> list[int]:
    with Seen(path, size=size) as seen:
        return [n for n in numbers if seen.outcome(key(n))]


names = st.text(max_size=5)


@given(st.tuples(names, names, names), st.tuples(names, names, names))
def test_other_events_have_other_keys(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert len(key_of(*one)) == 16
    assert (key_of(*one) == key_of(*other)) == (one == other)


def test_parts_that_read_the_same_in_a_row_have_other_keys() -> None:
    triples = [("a", "b", "c"), ("ab", "", "c"), ("", "ab", "c"), ("", "", "abc"), ("a", "bc", "")]
    assert len({key_of(*triple) for triple in triples}) == len(triples)


def test_an_event_that_is_done_is_known_after_a_restart(path: Path) -> None:
    with Seen(path) as seen:
        seen.done(key(1), "processed")
        seen.done(key(2), "deadletter")
        assert seen.outcome(key(1)) == "processed"
    with Seen(path) as seen:
        assert [seen.outcome(key(n)) for n in (1, 2, 3)] == ["processed", "deadletter", None]


def test_an_output_goes_through_its_stages_and_leaves_an_outcome(path: Path) -> None:
    expected = Output(key(1), 65535, Stage.SENT, "tópic", b"\x00payload", b"extra")
    with Seen(path) as seen:
        seen.send(key(1), 65535, "tópic", b"\x00payload", b"extra")
        assert seen.under_way() == [expected]
        assert seen.outcome(key(1)) is None
    with Seen(path) as seen:
        assert seen.under_way() == [expected]
        seen.release(key(1))
    for _ in range(2):  # the second start reads what the first wrote when it began a new journal
        with Seen(path) as seen:
            assert [output.stage for output in seen.under_way()] == [Stage.RELEASED]
    with Seen(path) as seen:
        seen.done(key(1), "processed")
        assert seen.under_way() == []
    with Seen(path) as seen:
        assert seen.under_way() == []
        assert seen.outcome(key(1)) == "processed"


def test_outputs_come_back_in_the_order_in_which_they_were_sent(path: Path) -> None:
    with Seen(path) as seen:
        for n in (5, 3, 9, 4):
            seen.send(key(n), n, "t", b"")
        seen.release(key(9))
        seen.send(key(5), 55, "t", b"again")  # under a new packet id: now the newest
    with Seen(path) as seen:
        assert [output.packet_id for output in seen.under_way()] == [3, 9, 4, 55]


def test_an_output_that_is_sent_again_is_not_released(path: Path) -> None:
    with Seen(path) as seen:
        seen.send(key(1), 1, "t", b"")
        seen.release(key(1))
        seen.send(key(1), 2, "t", b"")
    with Seen(path) as seen:
        assert [(o.packet_id, o.stage) for o in seen.under_way()] == [(2, Stage.SENT)]


def test_a_release_of_an_unknown_output_changes_nothing(path: Path) -> None:
    with Seen(path) as seen:
        seen.release(key(1))
    with Seen(path) as seen:
        assert seen.under_way() == []


def test_an_event_that_was_forgotten_can_be_done_again(path: Path) -> None:
    with Seen(path) as seen:
        seen.done(key(1), "deadletter")
        seen.forget(key(1))
        assert seen.outcome(key(1)) is None
    with Seen(path) as seen:
        assert seen.outcome(key(1)) is None
        seen.done(key(1), "processed")
    with Seen(path) as seen:
        assert seen.outcome(key(1)) == "processed"


def test_an_outcome_that_does_not_exist_is_refused(seen: Seen) -> None:
    with pytest.raises(ValueError, match="no outcome: 'lost'"):
        seen.done(key(1), "lost")


def test_the_window_keeps_the_newest_events_up_to_its_size(path: Path) -> None:
    with Seen(path, size=10) as seen:
        for n in range(35):
            seen.done(key(n), "processed")
            seen.commit()
        assert len(seen) == 10
        assert [n for n in range(35) if seen.outcome(key(n))] == list(range(25, 35))
    assert known(path, range(35), size=10) == list(range(25, 35))


def test_a_window_can_be_made_smaller_and_larger_between_starts(path: Path) -> None:
    with Seen(path, size=20) as seen:
        for n in range(20):
            seen.done(key(n), "processed")
    assert known(path, range(20), size=5) == list(range(15, 20))
    assert set(known(path, range(20), size=100)) >= set(range(15, 20))


def test_the_files_stay_small(path: Path) -> None:
    with Seen(path, size=1000) as seen:
        for n in range(10_000):
            one = key_of("f", "s", str(n))
            seen.send(one, 1, "t", bytes(5000))  # the journal begins anew every 200 events
            seen.done(one, "processed")
            seen.commit()
    sizes = {file.name: file.stat().st_size for file in path.iterdir()}
    assert sizes.pop("window-old") < 20_000  # 16 bytes an event
    assert sizes.pop("window-new") < 20_000
    assert [size < 1_100_000 for size in sizes.values()] == [True]


def test_events_that_are_too_old_are_forgotten_a_few_at_a_time(path: Path) -> None:
    now = NOW
    with Seen(path, age=7 * DAY, clock=lambda: now) as seen:
        for n in range(500):
            seen.done(key(n), "processed")
        seen.commit()
        now += 7 * DAY
        seen.done(key(1000), "processed")
        seen.commit()
        assert len(seen) == 501  # seven days is not too old
        now += 1
        lengths = []
        for n in range(2000, 2004):
            seen.done(key(n), "processed")
            seen.commit()
            lengths.append(len(seen))
        assert lengths == [302, 103, 4, 5]
        assert [n for n in range(500) if seen.outcome(key(n))] == []
        assert seen.outcome(key(1000)) == "processed"


class ModelWindow:
    """A window as a plain list of [key, outcome, moment]; a forgotten one keeps its place."""

    def __init__(self, size: int, age: float) -> None:
        self.size, self.age = size, age
        self.entries: list[tuple[bytes, int, int]] = []

    def note(self, key: bytes, outcome: int, moment: int) -> None:
        for place, (known, held, since) in enumerate(self.entries):
            if known == key and held:
                self.entries[place] = (key, outcome, since)
                return
        if outcome:
            self.entries = [*self.entries, (key, outcome, moment)][-self.size :]

    def prune(self, now: float) -> None:
        while self.entries and self.entries[0][2] < now - self.age:
            del self.entries[0]

    def outcome(self, key: bytes) -> int:
        return next((held for known, held, _ in self.entries if known == key and held), 0)


# Few homes in the hash table, the last slots among them, so that entries collide and wrap round.
colliding = st.builds(
    lambda home, n: (home | n << 20).to_bytes(8, "little") * 2,
    st.sampled_from((0, 1, 6, 7, 14, 15)),
    st.integers(0, 3),
)
steps = st.lists(st.tuples(colliding, st.integers(0, 2), st.integers(0, 3)), max_size=60)


@given(size=st.integers(1, 9), steps=steps)
def test_the_window_does_what_a_plain_list_does(
    size: int, steps: list[tuple[bytes, int, int]]
) -> None:
    window, model, now = Window(size=size, age=10), ModelWindow(size, 10), 0
    used = {key for key, _, _ in steps}
    for one, outcome, seconds in steps:
        now += seconds
        window.note(one, outcome, now)
        model.note(one, outcome, now)
        window.prune(now)
        model.prune(now)
        assert {k: window.outcome(k) for k in used} == {k: model.outcome(k) for k in used}
        assert len(window) == len(model.entries)


@given(steps=steps)
def test_a_window_that_is_loaded_knows_what_the_one_that_was_written_knew(
    steps: list[tuple[bytes, int, int]],
) -> None:
    written, loaded = Window(size=100, age=1e9), Window(size=100, age=1e9)
    loaded.load(b"".join(written.note(one, outcome, now) for one, outcome, now in steps))
    for one, _, _ in steps:
        assert loaded.outcome(one) == written.outcome(one)


def test_each_stage_that_was_committed_outlives_a_kill(path: Path) -> None:
    chance = random.Random(3)
    next_event = finished = 0
    for _ in range(25):
        count = chance.randint(1, 60)
        lines = lines_until_killed(HANDLE_EVENTS, str(path), str(next_event), lines=count)
        said, n = lines[-1].split()
        with Seen(path) as seen:
            # It may have come one step further than what it said last.
            outcomes = [seen.outcome(key(number)) for number in range(finished, int(n))]
            assert outcomes == ["processed"] * len(outcomes)
            stages = {int.from_bytes(o.key[:8], "little"): o.stage for o in seen.under_way()}
            if said == "SENT":
                assert stages in ({int(n): Stage.SENT}, {int(n): Stage.RELEASED})
            elif said == "RELEASED":
                is_done = seen.outcome(key(int(n))) == "processed"
                assert is_done == (not stages)
                assert stages in ({}, {int(n): Stage.RELEASED})
            else:
                assert seen.outcome(key(int(n))) == "processed"
                assert stages in ({}, {int(n) + 1: Stage.SENT})
            for output in seen.under_way():
                assert output.payload == bytes(20_000)
                seen.done(output.key, "processed")
        finished, next_event = int(n), int(n) + 2
        with Seen(path) as seen:
            seen.done(key(int(n) + 1), "processed")
    assert finished > 200


def test_a_journal_cut_anywhere_keeps_the_commits_before(path: Path) -> None:
    with Seen(path) as seen:
        seen.send(key(1), 1, "t", b"first")
        seen.commit()
        file = journal(path)
        whole = file.stat().st_size
        seen.send(key(2), 2, "t", b"second")
        seen.commit()
        data = file.read_bytes()
    for length in range(whole, len(data) + 1):
        journal(path).unlink()
        file.write_bytes(data[:length])
        with Seen(path) as seen:
            sent = [output.packet_id for output in seen.under_way()]
        assert sent == ([1, 2] if length == len(data) else [1])


def test_a_damaged_frame_ends_the_journal_and_the_commits_before_it_count(path: Path) -> None:
    with Seen(path) as seen:
        for n in (1, 2):
            seen.send(key(n), n, "t", b"payload")
            seen.commit()
    data = bytearray(journal(path).read_bytes())
    data[-1] ^= 1
    journal(path).write_bytes(data)
    with Seen(path) as seen:
        assert [output.packet_id for output in seen.under_way()] == [1]


def test_a_journal_begun_and_cut_leaves_the_one_before_in_force(path: Path) -> None:
    with Seen(path) as seen:
        seen.send(key(1), 1, "t", b"")
    old = journal(path)
    number = int(old.name.removeprefix("journal-"))
    data = old.read_bytes()
    for length in range(25):
        journal(path).unlink()
        old.write_bytes(data)
        old.with_name(f"journal-{number + 1}").write_bytes(data[:length])
        with Seen(path) as seen:
            assert [output.packet_id for output in seen.under_way()] == [1]


def test_a_journal_that_is_none_is_set_aside(path: Path) -> None:
    with Seen(path) as seen:
        seen.done(key(1), "processed")
    with Seen(path) as seen:  # which moved what is done to the window's files
        pass
    file = journal(path)
    file.write_bytes(b"something else")
    assert known(path, range(3)) == [1]
    assert file.with_name(f"{file.name}.damaged-1").read_bytes() == b"something else"


def test_a_window_that_is_none_is_set_aside(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "window-new").write_bytes(os.urandom(999))
    assert known(path, range(3)) == []
    assert (path / "window-new.damaged-1").stat().st_size == 999


def test_a_window_file_that_a_power_cut_left_with_zeros_keeps_the_rest(path: Path) -> None:
    with Seen(path) as seen:
        for n in range(100):
            seen.done(key(n), "processed")
    with Seen(path):
        pass
    data = bytearray((path / "window-new").read_bytes())
    data[160:320] = bytes(160)
    (path / "window-new").write_bytes(data + b"cut")
    assert known(path, range(100)) == [*range(10), *range(20, 100)]


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    with Seen(path):
        pass
    journal(path).write_bytes(b"iot-button journal 7\nnew things")
    with pytest.raises(NewerFileError, match="made by a newer version"):
        Seen(path).__enter__()
    assert journal(path).read_bytes() == b"iot-button journal 7\nnew things"


def test_a_commit_that_fails_can_be_made_good(path: Path) -> None:
    with Seen(path) as seen:
        seen.send(key(1), 1, "t", bytes(1000))
        with no_file_above(500):
            for _ in range(2):
                with pytest.raises(StorageError, match="make room on that disk"):
                    seen.commit()
        seen.release(key(1))
        seen.commit()
    with Seen(path) as seen:
        assert [(o.packet_id, o.stage) for o in seen.under_way()] == [(1, Stage.RELEASED)]


def test_a_journal_that_cannot_begin_anew_goes_on_and_loses_nothing(path: Path) -> None:
    with Seen(path) as seen:
        with no_file_above(1_100_000):
            for n in range(60):
                seen.done(key(n), "processed")
                seen.send(key(1000 + n), n + 1, "t", bytes(20_000))
                with contextlib.suppress(StorageError):
                    seen.commit()
        seen.commit()
    with Seen(path) as seen:
        assert len(seen.under_way()) == 60
        assert len(seen) == 60


def test_a_folder_without_write_permission_is_a_clear_error() -> None:
    with read_only_folder() as folder, pytest.raises(StorageError, match="state_dir") as caught:
        Seen(folder / "seen").__enter__()
    assert str(folder) in caught.value.problem


def test_a_second_opening_names_the_process_that_has_the_folder(path: Path, seen: Seen) -> None:
    with pytest.raises(InUseError, match=f"in use by process {os.getpid()}"):
        Seen(path).__enter__()
    assert len(seen) == 0


def test_a_commit_of_nothing_writes_nothing(path: Path, seen: Seen) -> None:
    seen.done(key(1), "processed")
    seen.commit()
    size = journal(path).stat().st_size
    seen.commit()
    assert journal(path).stat().st_size == size


def test_long_outputs_under_way_are_not_copied_at_each_commit(path: Path, seen: Seen) -> None:
    for number in range(4):
        seen.send(key(number), number + 1, "out", bytes(500_000))
    seen.commit()
    names = set()
    for number in range(100, 150):
        seen.done(key(number), "processed")
        seen.commit()
        names.add(journal(path).name)
    assert len(names) == 1
