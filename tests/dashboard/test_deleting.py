import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from msgspec.structs import replace

from dashboard import create_app
from dashboard.ingest import hub_for
from dashboard.store import Reader, Store
from dashboard.store.arrivals import Arrival, ButtonStatus, DeadLetter
from dashboard.store.buttons import Change, change
from dashboard.store.engine import HAS_LEFTOVERS
from dashboard.store.leftovers import MOST_PAGES, middle
from dashboard.store.schema import APPLICATION, FILE, SCHEMA
from dashboard.store.tidying import NEWEST, STEP_ROWS, Keep, Tidying, erase, erase_some
from iot_button.database import Database
from iot_button.events import utc_now
from iot_button.files import StorageError
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress, Settings
from tests.dashboard.helpers import click, keep, keep_each
from tests.support import eventually

SECRET = "SECRET-BUTTON"


def app_of(store: Store, tmp_path: Path) -> Flask:
    connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="none")
    settings = Settings(state_dir=str(tmp_path))
    return create_app(settings, hub=hub_for(store), connection=connection, store=store)


def letter(serial_number: str | None, request_id: str) -> DeadLetter:
    return DeadLetter(
        function="enrich",
        reason="why",
        attempts=1,
        request_id=request_id,
        serial_number=serial_number,
        payload=f'{{"serialNumber":"{serial_number}"}}'.encode(),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def test_nothing_of_a_deleted_button_is_in_the_files_and_all_of_the_others_is(
    store: Store, tmp_path: Path
) -> None:
    for number in range(40):
        both = [
            click(f"{serial}-{number}-{copy}", serial_number=serial, title=f"{serial} says hello")
            for serial in (SECRET, "OTHER")
            for copy in range(20)
        ]
        keep(store, *both)
    keep(store, ButtonStatus(serial_number=SECRET, state="online"))
    keep(store, letter(SECRET, "1"), letter("OTHER", "2"))
    client = app_of(store, tmp_path).test_client()
    client.patch(f"/api/buttons/{SECRET}", json={"name": "SECRET-NAME"})
    assert client.delete(f"/api/buttons/{SECRET}").status_code == 204
    for file in tmp_path.glob("dashboard.db*"):
        assert b"SECRET" not in file.read_bytes(), file
    (other,) = client.get("/api/buttons").json["buttons"]  # type: ignore[index]
    assert (other["serialNumber"], other["clicksTotal"]) == ("OTHER", 800)
    assert len(client.get("/api/clicks.ndjson").text.splitlines()) == 800
    assert len(client.get("/api/deadletters").json["deadLetters"]) == 1  # type: ignore[index]
    assert store.run(lambda database: database.read("PRAGMA integrity_check")) == [("ok",)]


def test_clicks_of_others_are_kept_while_a_button_is_deleted(store: Store, tmp_path: Path) -> None:
    keep(store, *(click(f"{number}", serial_number=SECRET) for number in range(3 * STEP_ROWS)))
    client = app_of(store, tmp_path).test_client()
    kept: list[int] = []
    is_over = threading.Event()

    def press_again() -> None:
        kept.append(1)
        if not is_over.is_set():
            store.put(Arrival(click(f"o{len(kept)}"), utc_now(), press_again))

    press_again()
    assert client.delete(f"/api/buttons/{SECRET}").status_code == 204
    meanwhile = len(kept)
    is_over.set()
    assert meanwhile > 5  # each step of the deletion lets in what waits
    assert client.get("/api/buttons/B-1").json["clicksTotal"] >= meanwhile - 1  # type: ignore[index]


@pytest.mark.parametrize("most_pages", [MOST_PAGES, 1])
def test_what_sqlite_leaves_in_the_middle_of_a_page_is_overwritten(
    store: Store, monkeypatch: pytest.MonkeyPatch, most_pages: int
) -> None:
    monkeypatch.setattr("dashboard.store.engine.MOST_PAGES", most_pages)
    keep(store, *(click(f"{number}") for number in range(100)))
    store.clean()
    pages = store.path.read_bytes()
    middles = [
        (offset + start, end - start)
        for offset in range(4096, len(pages), 4096)
        for start, end in [middle(pages[offset : offset + 4096])]
        if end - start > len(SECRET)
    ]
    assert len(middles) > 3
    with store.path.open("r+b") as file:
        for place, _size in middles:
            file.seek(place)
            file.write(SECRET.encode())
        file.flush()
        store.clean()
        assert SECRET.encode() not in store.path.read_bytes()
    assert store.run(lambda database: database.read("PRAGMA integrity_check")) == [("ok",)]
    assert store.run(lambda database: database.read("SELECT count(*) FROM click")) == [(100,)]


def test_a_file_from_before_rows_were_overwritten_is_written_anew_once(tmp_path: Path) -> None:
    old = Database(tmp_path / FILE, application=APPLICATION, schema=SCHEMA[:2])
    with old:
        old.write("INSERT INTO button (serial_number) VALUES ('B-1')")
        old.write_many("INSERT INTO fact VALUES (?, '1')", [(f"{SECRET}{n}",) for n in range(999)])
        old.commit()
        old.write("DELETE FROM fact WHERE name LIKE 'SECRET%'")
    assert SECRET.encode() in old.path.read_bytes()
    with Store(tmp_path) as store:
        store.clean()
        assert SECRET.encode() not in store.path.read_bytes()
        assert store.run(lambda database: database.read(HAS_LEFTOVERS)) == []


def test_who_reads_the_file_is_waited_for_and_holds_up_no_click(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.store.store.CLEAN_TIMEOUT", 0.2)
    keep(store, click("a"))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM click").fetchall()
        keep(store, click("b"))
        with pytest.raises(StorageError, match="reading it all the time"):
            store.clean()
        keep(store, click("c"))
    store.clean()


def test_a_deletion_that_was_cut_off_goes_on_at_the_next_start(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        keep(store, *(click(f"{number}", serial_number=SECRET) for number in range(STEP_ROWS + 5)))
        assert store.run(lambda database: erase(database, SECRET))
        assert store.run(erase_some)
    with Store(tmp_path) as store:
        reader = Reader(store.path)
        eventually(lambda: reader("SELECT count(*) FROM click") == [(0,)], what="all are deleted")
        eventually(lambda: reader("SELECT count(*) FROM button") == [(0,)], what="the button too")
        reader.close()


def test_a_button_that_is_pressed_again_after_its_deletion_begins_anew(
    store: Store, tmp_path: Path
) -> None:
    keep(store, click("a", serial_number=SECRET))
    store.run(lambda database: erase(database, SECRET))
    keep(store, click("a", serial_number=SECRET))
    client = app_of(store, tmp_path).test_client()
    (button,) = client.get("/api/buttons").json["buttons"]  # type: ignore[index]
    assert button["clicksTotal"] == 1


def test_a_file_that_is_too_large_loses_its_oldest_clicks_while_others_come_in(
    tmp_path: Path,
) -> None:
    with Store(tmp_path, keep=Keep(megabytes=1)) as store:
        for number in range(8):
            keep(store, *(click(f"{number}-{n}", title="x" * 200) for n in range(500)))
    with Store(tmp_path, keep=Keep(megabytes=1)) as store:
        reader = Reader(store.path)
        eventually(
            lambda: reader("SELECT min(id) FROM click") > [(1000,)], what="the oldest are deleted"
        )
        keep(store, click("newest"))
        ((newest,),) = reader("SELECT event_id FROM click ORDER BY id DESC LIMIT 1")
        ((total,),) = reader("SELECT single FROM rollup WHERE step = 86400 AND button = 0")
        reader.close()
    assert newest == "newest"
    assert total == 4001


def test_a_flood_of_dead_letters_does_not_push_out_the_clicks(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        keep(store, *(click(f"{number}") for number in range(1500)))
        for first in range(0, 400, 100):
            letters = (letter(None, f"{first + number}") for number in range(100))
            keep(store, *(replace(one, payload=bytes(10_000)) for one in letters))
    with Store(tmp_path, keep=Keep(megabytes=1)) as store:
        read = Reader(store.path)
        eventually(lambda: _used(store.path) < 1_000_000, what="letters make room", deadline=60)
        keep(store, click("newest"))
        assert read("SELECT count(*) FROM click") == [(1501,)]
        assert read("SELECT max(id) FROM dead_letter") == [(400,)]
        read.close()


def test_the_newest_clicks_stay_whatever_else_there_is(tmp_path: Path) -> None:
    """A lone click each quarter of an hour has more in its sums than it has itself."""
    begin = datetime.now(UTC) - timedelta(days=200)
    lone = [(click(f"{n}"), begin + timedelta(minutes=15 * n)) for n in range(19_000)]
    with Store(tmp_path) as store:
        keep_each(store, lone)
    with Store(tmp_path, keep=Keep(megabytes=1)) as store:
        read = Reader(store.path)
        eventually(lambda: _used(store.path) < 1_000_000, what="there is room", deadline=60)
        ((clicks,),) = read("SELECT count(*) FROM click")
        ((days,),) = read("SELECT count(*) FROM rollup WHERE step = 86400 AND button = 0")
        read.close()
    assert clicks >= NEWEST
    assert days >= 197


def test_the_newest_clicks_stay_where_a_deleted_button_left_gaps(store: Store) -> None:
    keep(store, *(click(f"a{n}", serial_number="QUIET") for n in range(NEWEST)))
    keep(store, *(click(f"b{n}", serial_number=SECRET) for n in range(NEWEST + 5)))
    keep(store, click("c", serial_number="QUIET"))
    store.run(lambda database: erase(database, SECRET))
    while store.run(erase_some):
        pass
    no_room = Tidying(Keep(megabytes=0))
    while store.run(no_room.step):
        pass
    count, oldest = "SELECT count(*) FROM click", "SELECT event_id FROM click ORDER BY id LIMIT 1"
    found = store.run(lambda database: (database.read(count), database.read(oldest)))
    assert found == ([(NEWEST,)], [("a1",)])


def _used(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        pages, free, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def test_what_is_too_old_is_deleted_and_what_is_young_enough_is_not(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Store(tmp_path, keep=Keep(days=1000)) as store:
        for days in (31, 29):
            keep(store, click(f"{days}"), at=now - timedelta(days=days))
            keep(store, letter(None, f"{days}"), at=now - timedelta(days=days))
    with Store(tmp_path, keep=Keep(days=30)) as store:
        reader = Reader(store.path)
        eventually(lambda: reader("SELECT event_id FROM click") == [("29",)], what="only the young")
        assert reader("SELECT request_id FROM dead_letter") == [("29",)]
        reader.close()


def test_whoever_invents_serial_numbers_fills_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.store.tidying.MOST_BUTTONS", 3)
    old = datetime.now(UTC) - timedelta(days=40)
    with Store(tmp_path, keep=Keep(days=1000)) as store:
        for number in range(6):
            keep(store, click(serial_number=f"OLD-{number}"), at=old + timedelta(hours=number))
        keep(store, click(serial_number="PRESSED"))
        store.run(lambda database: change(database, "OLD-0", Change(name="Door")))
    with Store(tmp_path, keep=Keep(days=30)) as store:
        read = store.reader()
        wanted = [("OLD-0",), ("OLD-5",), ("PRESSED",)]  # named, last of the old, still pressed
        eventually(
            lambda: read("SELECT serial_number FROM button ORDER BY 1") == wanted,
            what="the stalest are forgotten",
        )
        assert read("SELECT count(DISTINCT button) FROM rollup WHERE button > 0") == [(3,)]
        read.close()
