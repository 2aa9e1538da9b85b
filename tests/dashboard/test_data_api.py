import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboard import create_app
from dashboard.history import MAX_TEXT
from dashboard.ingest import hub_for
from dashboard.store import Store
from dashboard.store.arrivals import ButtonStatus
from dashboard.store.buttons import Change, change
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress, Settings
from tests.dashboard.helpers import click, keep

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(store: Store, tmp_path: Path) -> FlaskClient:
    connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="none")
    settings = Settings(state_dir=str(tmp_path))
    app = create_app(settings, hub=hub_for(store), connection=connection, store=store)
    return app.test_client()


def get(client: FlaskClient, path: str, **query: object) -> Any:
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def event_ids(client: FlaskClient, **query: object) -> list[str]:
    return [row["eventId"] for row in get(client, "/api/clicks", **query)["clicks"]]


def test_pages_lead_from_the_newest_to_the_oldest_click_without_gap_or_repeat(
    client: FlaskClient, store: Store
) -> None:
    keep(store, *(click(f"e{number}") for number in range(25)))
    seen, before = [], None
    while True:
        page = get(client, "/api/clicks", limit=10, **({"before": before} if before else {}))
        seen += [row["eventId"] for row in page["clicks"]]
        before = page["before"]
        if before is None:
            break
    assert seen == [f"e{number}" for number in reversed(range(25))]
    assert event_ids(client, after=22) == ["e24", "e23", "e22"]


def test_clicks_are_filtered_by_button_type_text_and_time(
    client: FlaskClient, store: Store
) -> None:
    keep(store, click("a", serial_number="A", title="In the kitchen"), at=NOON)
    keep(store, click("b", serial_number="B", click_type="LONG"), at=NOON + timedelta(hours=1))
    keep(store, click("c", serial_number="B", title="100 %_of"), at=NOON + timedelta(hours=2))
    assert event_ids(client, serialNumber="B") == ["c", "b"]
    assert event_ids(client, clickType="LONG") == ["b"]
    assert event_ids(client, serialNumber="B", clickType="SINGLE") == ["c"]
    assert event_ids(client, text="KITCHEN") == ["a"]
    assert event_ids(client, text="0 %_") == ["c"]
    assert event_ids(client, text="%") == ["c"]
    assert event_ids(client, **{"from": "2026-11-22T13:00:00Z"}) == ["c", "b"]
    assert event_ids(client, to="2026-11-22T14:00:00+01:00") == ["a"]
    assert event_ids(client, serialNumber="nobody") == []


def test_a_text_is_found_in_names_and_places_and_whatever_its_case(
    client: FlaskClient, store: Store
) -> None:
    keep(store, click("a", serial_number="A", title="Ölçü"), at=NOON)
    keep(store, click("b", serial_number="B"), at=NOON + timedelta(hours=1))
    store.run(lambda database: change(database, "B", Change(name="Küche", place="Straße")))
    assert event_ids(client, text="KÜCHE") == ["b"]
    assert event_ids(client, text="küche") == ["b"]
    assert event_ids(client, text="STRAßE") == ["b"]
    assert event_ids(client, text="öLÇÜ") == ["a"]
    assert event_ids(client, text="kuche") == []


def test_a_search_goes_through_a_long_history_in_bounded_steps(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.store.pages.WINDOW", 10)
    keep(store, click("first", title="needle"), *(click() for _ in range(30)), click("last"))
    page, pages = get(client, "/api/clicks", text="needle"), 1
    while page["before"] is not None:
        assert page["clicks"] == []
        page, pages = get(client, "/api/clicks", text="needle", before=page["before"]), pages + 1
    assert [row["eventId"] for row in page["clicks"]] == ["first"]
    assert pages == 4
    exported = client.get("/api/clicks.ndjson?text=needle").text
    assert [json.loads(line)["eventId"] for line in exported.splitlines()] == ["first"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "text=%00",
        "limit=1001",
        "limit=x",
        "before=-1",
        "before=99999999999999999999",
        "before=%C2%B2",
        "from=yesterday",
        "from=2026-11-22T12:00:00",
        f"text={'x' * (MAX_TEXT + 1)}",
    ],
)
def test_a_query_that_cannot_be_is_refused_with_a_reason(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/clicks?{query}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert query.partition("=")[0] in answer.json["error"]


def test_all_clicks_come_as_lines_of_json_oldest_first(client: FlaskClient, store: Store) -> None:
    keep(store, *(click(f"e{number}") for number in range(5)))
    answer = client.get("/api/clicks.ndjson?limit=1&after=1")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="clicks.ndjson"'
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["eventId"] for row in rows] == ["e1", "e2", "e3", "e4"]
    assert rows == get(client, "/api/clicks", after=1)["clicks"][::-1]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=cmd|" "'])
def test_no_cell_of_a_table_is_a_formula(client: FlaskClient, store: Store, formula: str) -> None:
    keep(store, click("a", title=formula, serial_number=formula))
    answer = client.get("/api/clicks.csv")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["title"], row["serialNumber"]) == (f"'{formula}", f"'{formula}")
    assert answer.mimetype == "text/csv"


def test_a_button_tells_its_last_click_its_battery_its_state_and_its_hours(
    client: FlaskClient, store: Store
) -> None:
    now = datetime.now(UTC)
    keep(store, click(serial_number="A", battery_voltage="3000mV"), at=now - timedelta(hours=30))
    keep(store, click(serial_number="A", battery_voltage="2900mV"), at=now - timedelta(hours=2))
    keep(store, click(serial_number="A", click_type="LONG"), at=now)
    keep(store, ButtonStatus(serial_number="S", state="sleeping"), at=NOON)
    pressed, silent = get(client, "/api/buttons")["buttons"]
    assert pressed["serialNumber"] == "A"
    assert (pressed["clicksTotal"], pressed["lastClickType"]) == (3, "LONG")
    assert (pressed["batteryMillivolts"], pressed["batteryHighest"]) == (2900, 3000)
    assert (pressed["hours"][-1], pressed["hours"][-3], sum(pressed["hours"])) == (1, 1, 2)
    assert (silent["state"], silent["stateAt"]) == ("sleeping", "2026-11-22T12:00:00.000Z")
    assert (silent["lastClickAt"], silent["clicksTotal"], silent["hours"]) == (None, 0, [0] * 24)


@pytest.mark.parametrize("offset", [-720, -210, 0, 60, 345, 840])
def test_today_begins_at_the_midnight_of_who_asks(
    client: FlaskClient, store: Store, offset: int
) -> None:
    there = datetime.now(UTC) + timedelta(minutes=offset)
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(minutes=offset)
    keep(store, click(), at=midnight - timedelta(seconds=1))
    keep(store, click(), at=midnight)
    keep(store, click(), at=midnight + timedelta(seconds=1))
    (button,) = get(client, "/api/buttons", offset=offset)["buttons"]
    assert button["clicksToday"] == 2


def test_the_heat_map_has_the_hours_and_weekdays_of_who_asks(
    client: FlaskClient, store: Store
) -> None:
    sunday_noon = NOON
    keep(store, click(), click(), at=sunday_noon)
    at_home = get(client, "/api/buttons/B-1")["heatMap"]
    assert at_home[6][12] == 2
    further_east = get(client, "/api/buttons/B-1", offset=13 * 60)["heatMap"]
    assert further_east[0][1] == 2
    assert sum(map(sum, further_east)) == 2


def test_a_button_can_be_named_and_the_name_taken_away(client: FlaskClient, store: Store) -> None:
    keep(store, click())
    wanted = {"name": "Front <b>door</b>", "place": "hall", "colour": "#ff8800"}
    answer = client.patch("/api/buttons/B-1", json=wanted)
    assert answer.json is not None
    assert {name: answer.json[name] for name in wanted} == wanted
    client.patch("/api/buttons/B-1", json={"place": None})
    button = get(client, "/api/buttons/B-1")
    assert (button["name"], button["place"]) == ("Front <b>door</b>", None)
    named = {"serialNumber": "B-1", "name": "Front <b>door</b>", "place": None}
    assert get(client, "/api/names") == {"buttons": [named]}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 65},
        {"colour": "red"},
        {"colour": "#ff8800\n"},
        {"serialNumber": "B-2"},
        {"name": 7},
        [],
    ],
)
def test_a_change_that_cannot_be_is_refused(
    client: FlaskClient, store: Store, body: object
) -> None:
    keep(store, click())
    assert client.patch("/api/buttons/B-1", json=body).status_code == 400
    assert client.patch("/api/buttons/B-1", data="{}").status_code == 415


@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_unknown_button_is_not_found(client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)("/api/buttons/nobody")
    assert (answer.status_code, answer.json) == (404, {"error": "there is no such button"})
    assert client.patch("/api/buttons/nobody", json={"name": "x"}).status_code == 404
