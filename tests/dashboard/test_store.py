import contextlib
import functools
import sqlite3
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.store import Reader, Store
from dashboard.store.arrivals import Arrival
from dashboard.store.engine import Engine
from dashboard.store.pages import Filter, page
from iot_button.files import DamagedFileError, InUseError, StorageError
from tests.dashboard.helpers import click, keep
from tests.storage import no_file_above
from tests.support import DEADLINE, eventually

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ids(path: Path, **wanted: object) -> list[str | None]:
    reader = Reader(path)
    try:
        return [row.event_id for row in page(reader, Filter(**wanted), limit=100).rows]  # type: ignore[arg-type]
    finally:
        reader.close()


def test_a_click_that_comes_twice_is_kept_once_also_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        with Store(tmp_path) as store:
            keep(store, click("a"), click("b"), click("a"), click("a", serial_number="B-2"))
            repeated = store.repeated
    assert ids(store.path) == ["a", "b", "a"]
    assert repeated == 4


def test_clicks_without_an_event_id_are_all_kept(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        keep(store, click(), click(), click())
    assert ids(store.path) == [None] * 3


def test_a_click_is_told_and_acknowledged_when_it_is_on_the_disk_and_not_before(
    tmp_path: Path,
) -> None:
    seen: list[tuple[str, int]] = []

    def on_disk() -> int:
        with contextlib.closing(sqlite3.connect(store.path)) as connection:
            return int(connection.execute("SELECT count(*) FROM click").fetchone()[0])

    with Store(tmp_path) as store:
        store.tell(lambda _rows: seen.append(("told", on_disk())))
        store.put(Arrival(click("a"), NOON, lambda: seen.append(("acknowledged", on_disk()))))
    assert seen == [("told", 1), ("acknowledged", 1)]


def test_it_begins_with_what_it_had_and_under_the_same_name(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        keep(store, click("a"), click("b"))
        name = store.id
    with Store(tmp_path) as again:
        assert again.id == name
        assert [row.id for row in again.latest] == [1, 2]
        assert again.buttons == 1


def test_another_file_has_another_name(tmp_path: Path) -> None:
    with Store(tmp_path / "a") as one, Store(tmp_path / "b") as other:
        assert one.id != other.id


def test_no_other_user_may_read_the_file_and_no_other_process_may_have_it(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        keep(store, click("a"))
        for file in tmp_path.glob("dashboard.db*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        with pytest.raises(InUseError):
            Store(tmp_path).__enter__()


def test_what_a_full_disk_does_not_take_is_kept_when_it_takes_it_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []
    with Store(tmp_path) as store:
        store.tell(lambda rows: told.extend(row.id for row in rows))
        with no_file_above(store.path.with_name("dashboard.db-wal").stat().st_size + 1000):
            for number in range(20):
                store.put(Arrival(click(f"e{number}", title="x" * 200), NOON, lambda: None))
            eventually(lambda: "tried again" in caplog.text, what="it says so")
            assert told == []
        eventually(lambda: len(told) == 20, what="all are kept")
    assert caplog.text.count("tried again") == 1
    assert len(ids(store.path)) == 20


def test_it_can_be_stopped_while_the_disk_is_full_and_more_waits_than_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dashboard.store.store.MAX_WAITING", 5)
    acknowledged: list[int] = []
    with Store(tmp_path) as store:
        with no_file_above(store.path.with_name("dashboard.db-wal").stat().st_size + 1000):
            store.put(Arrival(click(), NOON, lambda: acknowledged.append(1)))
            eventually(lambda: "tried again" in caplog.text, what="it is in trouble")
            for _ in range(5):
                store.put(Arrival(click(), NOON, lambda: acknowledged.append(1)))
            store.__exit__(None, None, None)
        assert acknowledged == []
    assert ids(store.path) == []


def test_a_damaged_file_is_set_aside_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "dashboard.db").write_bytes(b"no database" * 1000)
    with Store(tmp_path) as store:
        keep(store, click("a"))
    assert ids(store.path) == ["a"]
    assert (tmp_path / "dashboard.db.damaged-1").exists()


def forget_and_count(database: Engine) -> None:
    database.read("PRAGMA shrink_memory")  # or the pages in memory would be read
    database.read("SELECT count(*) FROM click")


def test_damage_that_shows_later_ends_the_work(tmp_path: Path) -> None:
    ended = threading.Event()
    store = Store(tmp_path, on_failed=ended.set).__enter__()
    size = store.path.stat().st_size
    store.run(lambda database: database.read("PRAGMA wal_checkpoint(TRUNCATE)"))
    store.path.write_bytes(b"\xff" * size)
    acknowledged = threading.Event()
    with pytest.raises(DamagedFileError):
        store.run(forget_and_count)
    assert ended.wait(DEADLINE)
    store.put(Arrival(click("a"), NOON, acknowledged.set))
    with pytest.raises(StorageError):
        store.run(lambda database: database.read("SELECT 1"))
    with pytest.raises(DamagedFileError):
        store.__exit__(None, None, None)
    assert not acknowledged.is_set()
    with Store(tmp_path):
        assert (tmp_path / "dashboard.db.damaged-1").exists()


@pytest.mark.parametrize("text", ["\x00", "'; DROP TABLE click; --", "\u202e", "\U0001f600", ""])
def test_hostile_texts_are_kept_as_they_are(tmp_path: Path, text: str) -> None:
    with Store(tmp_path) as store:
        keep(store, click("a", serial_number=text, title=text, click_type=text, ip_address=text))
        reader = Reader(store.path)
        (row,) = page(reader, Filter(), limit=5).rows
        reader.close()
    assert {row.serial_number, row.title, row.click_type, row.ip_address} == {text}


def test_a_message_that_makes_us_fail_is_passed_over_and_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acknowledged: list[str] = []
    with Store(tmp_path) as store:
        for name, bad in (("a", ""), ("b", "\ud800"), ("c", "")):  # SQLite takes no surrogate
            told = functools.partial(acknowledged.append, name)
            store.put(Arrival(click(name, title=bad), NOON, told))
    assert acknowledged == ["a", "b", "c"]
    assert ids(store.path) == ["c", "a"]
    assert "passed over" in caplog.text


def test_a_button_remembers_its_highest_voltage_and_no_other_has_it(tmp_path: Path) -> None:
    voltages = [("A", "3000mV"), ("B", "1716mV"), ("A", "1750mV"), ("C", None)]
    with Store(tmp_path) as store:
        for serial, text in voltages:
            keep(store, click(serial_number=serial, battery_voltage=text))
    with Store(tmp_path) as store:
        keep(store, click(serial_number="A", battery_voltage="1700mV"))
        reader = Reader(store.path)
        rows = page(reader, Filter(), limit=10).rows
        reader.close()
    assert [row.battery_highest for row in rows] == [3000, None, 3000, 1716, 3000]
