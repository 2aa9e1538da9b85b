"""The durable queue: its order, its crashes, and the disks it may meet."""

import contextlib
import os
import random
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from iot_button.files import DamagedFileError, InUseError, NewerFileError, StorageError
from iot_button.spool import Spool
from tests.storage import lines_until_killed, no_file_above, read_only_folder, small_disk

NOW = 1_800_000_000.0
PUT_AND_COMMIT = """
import itertools, sys
from pathlib import Path
from iot_button.spool import Spool
with Spool(Path(sys.argv[1])) as spool:
    for n in itertools.count():
        ids = [spool.put("q", b"%d" % n) for _ in range(n % 4 + 1)]
        spool.commit()
        print(*ids, flush=True)
"""
PUT_ALONE = """
import sys
from pathlib import Path
from iot_button.spool import Spool
with Spool(Path(sys.argv[1])) as spool:
    print(spool.put("q", b"never committed"), flush=True)
    while True:
        spool.due("q", limit=1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.db"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    with Spool(path, clock=lambda: NOW) as opened:
        yield opened


def due_ids(spool: Spool, queue: str = "q", **options: Any) -> list[int]:
    return [entry.id for entry in spool.due(queue, **({"limit": 100} | options))]


def held(path: Path, queue: str = "q") -> list[tuple[int, bytes]]:
    with Spool(path) as spool:
        return [(entry.id, entry.body) for entry in spool.entries(queue, limit=1_000_000)]


def test_an_entry_comes_back_as_it_was_put(spool: Spool) -> None:
    id_ = spool.put("q", b"\x00body\xff", due=NOW + 5)
    (entry,) = spool.entries("q", limit=1)
    assert entry == spool.get(id_)
    assert (entry.queue, entry.due, entry.added) == ("q", NOW + 5, NOW)
    assert entry.body == b"\x00body\xff"


def test_an_id_is_not_given_twice_even_when_all_are_gone(path: Path) -> None:
    with Spool(path) as spool:
        last = [spool.put("q", b"") for _ in range(3)][-1]
        assert spool.trim("q", most=0) == 3
    with Spool(path) as spool:
        assert spool.put("q", b"") > last


def test_a_retry_that_is_due_goes_before_newer_entries_that_never_waited(path: Path) -> None:
    now = NOW
    with Spool(path, clock=lambda: now) as spool:
        retried = spool.put("q", b"", due=NOW + 60)
        newer = [spool.put("q", b"") for _ in range(3)]
        assert due_ids(spool) == newer
        now += 60
        assert due_ids(spool) == [retried, *newer]


def test_a_clock_that_jumps_back_does_not_change_the_order(path: Path) -> None:
    now = NOW
    with Spool(path, clock=lambda: now) as spool:
        first = spool.put("q", b"")
        now -= 3600
        second = spool.put("q", b"")
        assert due_ids(spool) == [first, second]
        assert spool.oldest("q") == NOW


def test_more_that_became_due_than_are_marked_at_once_are_all_found(path: Path) -> None:
    now = NOW
    with Spool(path, clock=lambda: now) as spool:
        ids = [spool.put("q", b"", due=NOW + 1 + n) for n in range(1500)]
        now += 10_000
        assert due_ids(spool, limit=2000) == ids


def test_pages_of_due_entries_follow_each_other(spool: Spool) -> None:
    ids = [spool.put("q", b"") for _ in range(5)]
    first = spool.due("q", limit=2)
    after = (first[-1].due, first[-1].id)
    assert due_ids(spool, limit=2, after=after) == ids[2:4]


def test_entries_being_worked_on_are_skipped_and_do_not_use_up_the_limit(spool: Spool) -> None:
    ids = [spool.put("q", b"") for _ in range(6)]
    assert due_ids(spool, limit=2, skip={ids[0], ids[1], ids[3]}) == [ids[2], ids[4]]


def test_the_next_due_moment_is_the_first_of_all_queues_asked_for(spool: Spool) -> None:
    spool.put("a", b"", due=NOW + 9)
    spool.put("b", b"", due=NOW + 5)
    spool.put("c", b"")
    assert spool.next_due("a", "b", "unknown") == NOW + 5
    assert spool.next_due("a", "c") == 0.0
    assert spool.next_due("a", "c", after=0.0) == NOW + 9
    assert spool.next_due("unknown") is None


def test_the_newest_entries_are_listed_first_when_asked_for(spool: Spool) -> None:
    ids = [spool.put("q", b"", due=NOW + 9 - n) for n in range(4)]
    listed = spool.entries("q", limit=2, newest=True)
    assert [entry.id for entry in listed] == [ids[3], ids[2]]


def test_an_entry_that_is_gone_is_left_alone(spool: Spool) -> None:
    spool.remove(7)
    spool.postpone(7, due=NOW)
    spool.move(7, "other")
    assert spool.get(7) is None
    assert spool.count("other") == 0


def test_what_is_not_a_time_is_due_at_once(spool: Spool) -> None:
    assert due_ids(spool) == []
    ids = [spool.put("q", b"", due=due) for due in (-5.0, float("nan"), 0.0)]
    spool.put("q", b"", due=float("inf"))
    assert due_ids(spool) == ids


class SpoolMachine(RuleBasedStateMachine):
    """The spool beside a model: ids to (queue, due, body), now and at the last commit."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "spool.db"
        self.now = NOW
        self.model: dict[int, tuple[str, float, bytes]] = {}
        self.committed = self.model.copy()
        self.given: set[int] = set()
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.path, clock=lambda: self.now)
        self.spool.__enter__()

    def teardown(self) -> None:
        self.spool.__exit__(None, None, None)
        self.folder.cleanup()

    queues = st.sampled_from("abc")
    bodies = st.binary(max_size=20)
    delays = st.sampled_from((None, -5.0, 1.0, 2.0, 60.0))

    def moment(self, delay: float | None) -> float:
        return 0.0 if delay is None else self.now + delay

    def any_id(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.model)))

    @rule(queue=queues, body=bodies, delay=delays)
    def put(self, queue: str, body: bytes, delay: float | None) -> None:
        id_ = self.spool.put(queue, body, due=self.moment(delay))
        assert id_ > max(self.model, default=0)
        self.model[id_] = (queue, self.moment(delay), body)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), body=st.none() | bodies, delay=delays)
    def postpone(self, data: st.DataObject, body: bytes | None, delay: float | None) -> None:
        id_ = self.any_id(data)
        queue, _, old = self.model[id_]
        self.spool.postpone(id_, due=self.moment(delay), body=body)
        self.model[id_] = (queue, self.moment(delay), old if body is None else body)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), queue=queues, delay=delays)
    def move(self, data: st.DataObject, queue: str, delay: float | None) -> None:
        id_ = self.any_id(data)
        self.spool.move(id_, queue, due=self.moment(delay))
        self.model[id_] = (queue, self.moment(delay), self.model[id_][2])

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id_ = self.any_id(data)
        self.spool.remove(id_)
        del self.model[id_]

    @rule(queue=queues, most=st.integers(0, 5))
    def trim(self, queue: str, most: int) -> None:
        mine = self.ids(queue)
        gone = mine[: max(0, len(mine) - most)]
        assert self.spool.trim(queue, most=most) == len(gone)
        for id_ in gone:
            del self.model[id_]

    @rule(seconds=st.sampled_from((-30.0, 1.5, 60.0)))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule(queue=queues, limit=st.integers(1, 6))
    def due(self, queue: str, limit: int) -> None:
        ripe = [id_ for id_ in self.ids(queue) if self.model[id_][1] <= self.now]
        for id_ in ripe:
            self.model[id_] = (queue, 0.0, self.model[id_][2])
        assert [entry.id for entry in self.spool.due(queue, limit=limit)] == ripe[:limit]

    @rule()
    def commit(self) -> None:
        self.spool.commit()
        self.committed = self.model.copy()

    @rule()
    def crash(self) -> None:
        error = RuntimeError()
        self.spool.__exit__(RuntimeError, error, None)
        self.model = self.committed.copy()
        self.open()

    def ids(self, queue: str) -> list[int]:
        return sorted(id_ for id_, (held_in, _, _) in self.model.items() if held_in == queue)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        for queue in "abc":
            entries = self.spool.entries(queue, limit=1000)
            expected = [(id_, self.model[id_][2]) for id_ in self.ids(queue)]
            assert [(entry.id, entry.body) for entry in entries] == expected
            assert self.spool.count(queue) == len(expected)
            assert self.spool.oldest(queue) == (entries[0].added if entries else None)
            moments = [max(0.0, self.model[id_][1]) for id_ in self.ids(queue)]
            assert self.spool.next_due(queue) == min(moments, default=None)


SpoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAgainstAModel = SpoolMachine.TestCase


def test_what_a_killed_process_had_committed_is_there_once(path: Path) -> None:
    chance = random.Random(5)
    committed: list[int] = []
    for _ in range(20):
        lines = lines_until_killed(PUT_AND_COMMIT, str(path), lines=chance.randint(1, 40))
        committed += [int(id_) for line in lines for id_ in line.split()]
    assert len(committed) > 400
    ids = [id_ for id_, _ in held(path)]
    assert ids == sorted(set(ids))
    assert set(committed) <= set(ids)
    assert len(set(committed)) == len(committed)


def test_a_batch_is_there_whole_or_not_at_all_after_a_kill(path: Path) -> None:
    for lines in (3, 8, 1, 11):
        lines_until_killed(PUT_AND_COMMIT, str(path), lines=lines)
        with Spool(path) as spool:
            bodies = [int(entry.body) for entry in spool.entries("q", limit=1_000_000)]
            spool.trim("q", most=0)
        for n in range(max(bodies) + 1):
            assert bodies.count(n) == n % 4 + 1


def test_what_was_not_committed_is_gone_after_a_kill(path: Path) -> None:
    assert lines_until_killed(PUT_ALONE, str(path), lines=1) == ["1"]
    assert held(path) == []


def test_what_an_exception_ends_is_not_committed(path: Path) -> None:
    with contextlib.suppress(RuntimeError), Spool(path) as spool:
        spool.put("q", b"kept")
        spool.commit()
        spool.put("q", b"dropped")
        raise RuntimeError
    assert [body for _, body in held(path)] == [b"kept"]


def test_a_second_opening_names_the_process_that_has_the_file(path: Path, spool: Spool) -> None:
    with pytest.raises(InUseError, match=f"spool.db: in use by process {os.getpid()}"):
        Spool(path).__enter__()
    spool.put("q", b"")  # and the first is unharmed
    spool.commit()


def test_folder_and_files_are_for_the_user_alone(path: Path) -> None:
    mask = os.umask(0)
    try:
        with Spool(path) as spool:
            spool.put("q", b"")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(mask)
    assert modes == dict.fromkeys(("spool.db", "spool.db-wal", "spool.db.lock"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def fill(spool: Spool, committed: list[int]) -> None:
    """Put and commit until the disk refuses."""
    for _ in range(100):
        id_ = spool.put("q", bytes(50_000))
        spool.commit()
        committed.append(id_)


def put_more_than_memory_holds(spool: Spool) -> None:
    """Put without a commit, so much that SQLite writes it before."""
    for _ in range(100):
        spool.put("q", bytes(100_000))


def test_a_commit_that_fails_undoes_its_own_changes_and_no_others(spool: Spool) -> None:
    committed: list[int] = []
    with no_file_above(300_000), pytest.raises(StorageError, match="make room on that disk"):
        fill(spool, committed)
    assert [entry.id for entry in spool.entries("q", limit=100)] == committed != []
    assert spool.count("q") == len(committed)
    after = spool.put("new queue", b"")
    spool.commit()
    assert due_ids(spool, "new queue") == [after]
    assert after > committed[-1] + 1  # the id that was undone is not given again


def test_a_commit_fails_too_when_a_write_before_it_has(spool: Spool) -> None:
    spool.put("q", b"small")
    with no_file_above(300_000):
        with pytest.raises(StorageError):
            put_more_than_memory_holds(spool)
        with pytest.raises(StorageError):
            spool.put("q", b"another's")
        with pytest.raises(StorageError):
            spool.commit()
    assert spool.entries("q", limit=10) == []
    assert spool.count("q") == 0
    after = spool.put("q", b"after")
    spool.commit()
    assert due_ids(spool) == [after]


def test_a_full_disk_is_a_clear_error_and_takes_nothing_that_was_committed(tmp_path: Path) -> None:
    committed: list[int] = []
    with small_disk(tmp_path / "small", size="1m") as folder:
        path = folder / "spool.db"
        with Spool(path) as spool, pytest.raises(StorageError, match="make room on that disk"):
            fill(spool, committed)
        assert [id_ for id_, _ in held(path)] == committed != []


def test_a_folder_without_write_permission_is_a_clear_error() -> None:
    with read_only_folder() as folder:
        for path in (folder / "spool.db", folder / "new" / "spool.db"):
            with pytest.raises(StorageError, match="state_dir") as caught:
                Spool(path).__enter__()
            assert str(folder) in caught.value.problem


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    held(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(NewerFileError, match=r"newer version \(format 99; this one knows 1\)"):
        Spool(path).__enter__()
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["PRAGMA application_id = 5", "PRAGMA user_version = 1"])
def test_the_database_of_another_program_is_refused(path: Path, statement: str) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    with pytest.raises(StorageError, match="not a file of this program"):
        Spool(path).__enter__()


def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    assert held(path) == []
    aside = path.with_name("spool.db.damaged-1")
    assert aside.read_bytes() == b"not a database" * 1000


def test_a_second_damaged_file_does_not_replace_the_first(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"first" * 1000, b"second" * 1000):
        path.write_bytes(content)
        held(path)
    assert path.with_name("spool.db.damaged-1").read_bytes() == b"first" * 1000
    assert path.with_name("spool.db.damaged-2").read_bytes() == b"second" * 1000


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_what_can_be_read_of_a_damaged_file_is_taken_over(path: Path, place: float) -> None:
    with Spool(path) as spool:
        ids = [spool.put("q", b"%d " % n * 200, due=float(n)) for n in range(2000)]
    data = bytearray(path.read_bytes())
    start = int(len(data) * place) // 4096 * 4096
    data[start : start + 4 * 4096] = os.urandom(4 * 4096)
    path.write_bytes(data)

    with contextlib.suppress(DamagedFileError):  # found while it runs: it ends ...
        held(path)
    rescued = held(path)  # ... and the next start mends it
    assert path.with_name("spool.db.damaged-1").exists()
    assert len(rescued) > 1900
    assert all(body == b"%d " % (id_ - ids[0]) * 200 for id_, body in rescued)
    with Spool(path) as spool:
        assert spool.put("q", b"") > max(ids)
        assert len(spool.due("q", limit=5000)) == len(rescued) + 1


def test_it_is_used_by_the_thread_that_opened_it_alone(spool: Spool) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            spool.put("q", b"")
        except sqlite3.ProgrammingError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(10)
    assert len(caught) == 1
