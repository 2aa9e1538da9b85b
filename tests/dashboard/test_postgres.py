import os
import pwd
import random
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from dashboard import create_app
from dashboard.ingest import hub_for, store_for
from dashboard.store import Store
from dashboard.store.arrivals import Arrival, ButtonStatus, Content, DeadLetter
from dashboard.store.buttons import Change, buttons, change, one_button
from dashboard.store.charts import Span, battery_chart, click_chart, latency_chart
from dashboard.store.dead_letters import dead_letters
from dashboard.store.pages import Filter, Read, page, pieces
from dashboard.store.tidying import Keep, Tidying, erase, erase_some
from iot_button.errors import SettingError
from iot_button.events import format_instant
from iot_button.files import InUseError
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress, DashboardSettings, Settings
from tests.dashboard.helpers import click, keep, keep_each
from tests.support import eventually, free_port, require_program

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BIN = Path("/usr/lib/postgresql")


class Cluster:
    """A PostgreSQL server of the tests' own, with a database for each test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = max(BIN.glob("*/bin"), default=Path())
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = free_port()

    def begin(self) -> None:
        if self._user is not None:
            os.chown(self._folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._run("initdb", "-A", "trust", "-U", "iot", "--no-sync", "-D", self._data)
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run(
            "pg_ctl", "-w", "-D", self._data, "-o", options, "-l", f"{self._data}.log", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "-D", self._data, "stop")

    def new_database(self, name: str) -> str:
        server = f"postgresql://iot@127.0.0.1:{self.port}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{server}/{name}"

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            user=self._user,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    require_program("psql", "postgresql")
    with tempfile.TemporaryDirectory() as folder:  # its path is short enough for a socket
        server = Cluster(Path(folder))
        server.begin()
        yield server
        server.stop()


@pytest.fixture
def url(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    return cluster.new_database(f"test_{abs(hash(request.node.name))}")


def arrivals() -> list[tuple[Content, datetime]]:
    chance = random.Random(7)
    made: list[tuple[Content, datetime]] = []
    for number in range(300):
        moment = NOON + timedelta(minutes=number * 37)
        clicked_at = moment - timedelta(milliseconds=chance.randrange(5000))
        content = click(
            f"e{number % 290}",
            serial_number=chance.choice(["A", "B", "C"]),
            click_type=chance.choice(["SINGLE", "DOUBLE", "LONG", "odd"]),
            battery_voltage=f"{1800 - number}mV",
            title=chance.choice(
                ["In the Kitchen", "100 %_of", "'; DROP TABLE click; --", "ä\U0001f600"]
            ),
            clicked_at=format_instant(clicked_at),
        )
        made.append((content, moment))
    made.append((ButtonStatus(serial_number="A", state="online"), NOON))
    for number in range(5):
        letter = DeadLetter(
            function="fg"[number % 2],
            reason="why",
            attempts=3,
            request_id=str(number % 4),
            serial_number="A" if number else None,
            payload=b"\xff\x00" if number % 2 else b"{}",
        )
        made.append((letter, NOON))
    return made


def answers(read: Read) -> dict[str, object]:
    now = NOON + timedelta(days=8)
    start = int(NOON.timestamp())
    spans = [
        Span(step=step, since=start, until=start + 9 * 86400, offset=-12600)
        for step in (3600, 86400)
    ]
    millis = start * 1000
    filters = [
        Filter(),
        Filter(before=100, after=20),
        Filter(serial_number="B"),
        Filter(click_type="LONG"),
        Filter(serial_number="B", click_type="LONG"),
        Filter(text="KITCHEN"),
        Filter(text="%_"),
        Filter(text="\U0001f600"),
        Filter(since=millis + 86_400_000, until=millis + 3 * 86_400_000),
    ]
    return {
        "pages": [page(read, wanted, limit=40) for wanted in filters],
        "pieces": [list(pieces(read, wanted, size=50)) for wanted in filters],
        "clicks": [
            click_chart(read, span, serial_number=it) for span in spans for it in (None, "B", "-")
        ],
        "latency": [
            latency_chart(read, span, serial_number=it) for span in spans for it in (None, "B")
        ],
        "battery": battery_chart(read, "B", since=0, until=start + 10**7),
        "buttons": buttons(read, now=now, offset=3600),
        "button": one_button(read, "B", now=now, offset=3600),
        "letters": [dead_letters(read, before=None, function=it, limit=2) for it in (None, "f")],
    }


def test_it_answers_everything_as_the_file_does(url: str, tmp_path: Path) -> None:
    found = []
    for name, address in (("file", None), ("postgres", url)):
        with Store(tmp_path / name, url=address) as store:
            keep_each(store, arrivals())
            for _ in range(2):  # again: everything is known
                keep_each(store, arrivals())
            assert store.run(lambda database: change(database, "B", Change(name="Böb", place=None)))
            read = store.reader()
            found.append(answers(read))
            read.close()
    assert found[0] == found[1]


def test_the_page_of_a_buttons_phone_knows_its_name(url: str, tmp_path: Path) -> None:
    with Store(tmp_path, url=url) as store:
        keep_each(store, arrivals())
        assert store.run(lambda database: change(database, "B", Change(name="Böb", place=None)))
        connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="none")
        settings = Settings(state_dir=str(tmp_path))
        app = create_app(settings, hub=hub_for(store), connection=connection, store=store)
        assert "Böb" in app.test_client().get("/press/B").text
        manifest = app.test_client().get("/press/B/app.webmanifest")
        assert (manifest.status_code, manifest.get_json(force=True)["name"]) == (200, "Böb")


def test_nothing_is_lost_and_nothing_twice_when_the_database_is_cut_off(
    url: str, cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acknowledged: list[int] = []
    with Store(tmp_path, url=url) as store:
        keep(store, click("before"))
        read = store.reader()
        assert read("SELECT count(*) FROM click") == [(1,)]
        cluster.stop()
        for number in range(50):
            store.put(Arrival(click(f"e{number}"), NOON, lambda: acknowledged.append(1)))
        eventually(lambda: "tried again" in caplog.text, what="it says so")
        assert acknowledged == []
        cluster.start()
        eventually(lambda: len(acknowledged) == 50, what="all are kept")
        assert read("SELECT count(*) FROM click") == [(51,)]
        read.close()


def test_it_begins_where_it_ended_and_serves_one_at_a_time(url: str, tmp_path: Path) -> None:
    with Store(tmp_path, url=url) as store:
        keep(store, click("a"), click("b\0"), click(title="\0"))
        name = store.id
        with pytest.raises(InUseError):
            Store(tmp_path, url=url).__enter__()
    with Store(tmp_path, url=url) as again:
        assert again.id == name
        assert [row.id for row in again.latest] == [1, 2, 3]


def test_a_button_is_deleted_and_old_clicks_too(url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Store(tmp_path, url=url, keep=Keep(days=10)) as store:
        read = store.reader()
        keep(store, click("old"), at=now - timedelta(days=20))
        keep(store, click("a", serial_number="A"), click("b", serial_number="B"))
        assert store.run(lambda database: erase(database, "A"))
        while store.run(erase_some):
            pass
        store.clean()
        assert read("SELECT serial_number FROM button ORDER BY 1") == [("B",), ("B-1",)]
    with Store(tmp_path, url=url, keep=Keep(days=10)):
        eventually(
            lambda: read("SELECT event_id FROM click") == [("b",)], what="the old one is deleted"
        )
        read.close()


FILL = """
INSERT INTO button (number, serial_number) VALUES (1, 'LEFT'), (2, 'GONE');
INSERT INTO click SELECT it, 1 + it % 2, gen_random_uuid(), 1800000000000 + it * 30000, 8, 'SINGLE',
    1716, 1716, '192.0.2.17', 'Demo event assembled by lambda python function',
    '2026-11-22T10:15:30.131Z', '2026-11-22T10:15:30.123Z', NULL FROM generate_series(1, 12000) it;
INSERT INTO rollup SELECT 60, button, received_at / 60000 * 60, 1, 0, 0, 0, 1716, 'abcdef'
    FROM click;
INSERT INTO dead_letter (received_at, function, reason, payload) SELECT 1800000000000, 'f', 'why',
    decode(repeat(md5(it::text), 200), 'hex') FROM generate_series(1, 100) it;
UPDATE fact SET value = '12000' WHERE name = 'last_click'
"""

DISK = """
SELECT sum(pg_total_relation_size(it::regclass))
FROM (VALUES ('click'), ('rollup'), ('button'), ('dead_letter')) AS tables (it)
"""


def test_its_size_is_that_of_what_is_kept_without_the_gaps_of_a_deleted_button(
    url: str, tmp_path: Path
) -> None:
    with Store(tmp_path, url=url):
        pass
    with psycopg.connect(url, options="-c search_path=iot_button") as connection:
        connection.execute(FILL)
    with Store(tmp_path, url=url) as store:
        assert store.run(lambda database: erase(database, "GONE"))
        while store.run(erase_some):
            pass
        reckoned = store.run(lambda database: database.used_bytes())
        store.clean()
        ((size,),) = store.run(lambda database: database.read(DISK))
        assert reckoned == pytest.approx(float(size), rel=0.3)

        most = Tidying(Keep(days=10_000, megabytes=2))
        while store.run(most.step):
            pass
        count, lowest = "SELECT count(*) FROM click", "SELECT min(id) FROM click"
        ((clicks,),) = store.run(lambda database: database.read(count))
        ((oldest,),) = store.run(lambda database: database.read(lowest))
    assert 2_000 < clicks < 6_000
    assert oldest == 12_000 - 2 * (clicks - 1)  # the newest: every second id was GONE's


@pytest.mark.parametrize("address", ["mysql://x/y", "sqlite:///x", "x"])
def test_an_address_of_another_kind_is_refused(tmp_path: Path, address: str) -> None:
    dashboard = DashboardSettings(database=address)
    with pytest.raises(SettingError, match="no address of a PostgreSQL"):
        store_for(Settings(state_dir=str(tmp_path), dashboard=dashboard), lambda: None)
