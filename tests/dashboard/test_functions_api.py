"""What the dashboard tells of the functions, and does to them. The runtime's HTTP side is real."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboard import functions_api
from dashboard.functions_figures import Histogram, durations, quantile
from iot_button.settings import DashboardSettings, FunctionsSettings, Settings
from tests.dashboard.guests import PASSWORD, log_in, make_accounts, make_app, token_of
from tests.dashboard.helpers import Serve
from tests.dashboard.running_functions import (
    HOSTILE,
    REQUEST_ID,
    Runtime,
    click_event,
    running,
)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with running() as one:
        yield one


def client_of(state_dir: Path, functions: FunctionsSettings, *, login: Any = "auto") -> FlaskClient:
    ours = DashboardSettings(port=0, login=login)
    settings = Settings(state_dir=str(state_dir), dashboard=ours, functions=functions)
    return make_app(settings).test_client()


@pytest.fixture
def client(tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(functions_api, "GOOD_FOR", 0.0)
    return client_of(tmp_path, runtime.settings)


def get(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_each_function_tells_its_counts_its_durations_and_what_waits(
    client: FlaskClient, runtime: Runtime
) -> None:
    for event in (b'"a"', b'"b"', b'"fail"'):
        runtime.invoke("enrich", event)
    runtime.pause("slow")
    runtime.invoke_later("slow", click_event(1))
    answer = get(client, "/api/functions")
    assert (answer["problem"], answer["address"]) == (None, client_address(runtime))
    enrich, slow = answer["functions"]
    assert (enrich["name"], enrich["state"], enrich["handler"]) == (
        "enrich",
        "active",
        "enrich.lambda_handler",
    )
    assert (enrich["invocations"], enrich["errors"], enrich["concurrencyLimit"]) == (3, 1, 2)
    assert enrich["duration"]["count"] == 3
    assert 0 < enrich["duration"]["p50"] <= enrich["duration"]["p99"] <= 100
    assert enrich["coldStarts"] == {
        "count": 0,
        "total": 0.0,
        "mean": None,
        "p50": None,
        "p90": None,
        "p99": None,
    }
    assert (slow["state"], slow["waiting"], slow["oldestWaiting"]) == ("paused", 1, 1.5)
    assert get(client, "/api/functions/slow") == slow
    assert client.get("/api/functions/nobody").status_code == 404


def client_address(runtime: Runtime) -> str:
    return f"http://127.0.0.1:{runtime.settings.port}"


def test_a_percentile_lies_within_its_bucket() -> None:
    histogram = Histogram({0.001: 50, 0.01: 90, 0.1: 100, float("inf"): 100}, 100, 0.5)
    assert quantile(histogram, 0.5) == pytest.approx(0.001)
    assert quantile(histogram, 0.9) == pytest.approx(0.01)
    assert quantile(histogram, 0.99) == pytest.approx(0.091)
    assert durations(histogram).mean == pytest.approx(5.0)


def test_what_took_longer_than_the_last_bound_is_said_to_have_taken_that() -> None:
    assert quantile(Histogram({1.0: 0, float("inf"): 4}, 4, 40.0), 0.5) == 1.0


def test_many_browsers_are_one_question_to_the_runtime(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(tmp_path, runtime.settings)
    before = get(client, "/api/functions")
    runtime.invoke("enrich", b'"a"')
    assert get(client, "/api/functions") == before
    monkeypatch.setattr(functions_api, "GOOD_FOR", 0.0)
    client.post("/api/functions/slow/resume")  # a change is seen at once
    assert get(client, "/api/functions")["functions"][0]["invocations"] == 1


def test_a_runtime_that_is_away_is_a_state_and_no_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = client_of(tmp_path, FunctionsSettings(port=port))
    answer = get(client, "/api/functions")
    assert answer["functions"] == []
    assert f"not reachable at http://127.0.0.1:{port}" in answer["problem"]
    for path in ("/enrich", "/enrich/logs", "/enrich/deadletters"):
        refused = client.get(f"/api/functions{path}")
        assert (refused.status_code, "not reachable" in refused.text) == (503, True)


def test_one_that_takes_connections_and_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.functions_client.TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = client_of(tmp_path, FunctionsSettings(port=mute.getsockname()[1]))
        assert "not reachable" in get(client, "/api/functions")["problem"]


def test_somebody_else_at_that_port_is_known_as_such(tmp_path: Path, serve: Serve) -> None:
    _hub, port = serve()  # a dashboard is no function runtime
    client = client_of(tmp_path / "other", FunctionsSettings(port=port))
    problem = get(client, "/api/functions")["problem"]
    assert "no function runtime of ours: the setting functions.port" in problem


def test_lines_are_read_on_from_where_one_was_and_cut(
    client: FlaskClient, runtime: Runtime
) -> None:
    runtime.log("enrich", HOSTILE, "x" * 5000, request_id=REQUEST_ID)
    first = get(client, "/api/functions/enrich/logs")
    hostile, long = first["lines"]
    assert (hostile["text"], hostile["requestId"], hostile["number"]) == (HOSTILE, REQUEST_ID, 1)
    assert (len(long["text"]), long["text"][-1]) == (4000, "…")
    runtime.log("enrich", "later")
    path = f"/api/functions/enrich/logs?after=2&run={first['run']}"
    assert [line["text"] for line in get(client, path)["lines"]] == ["later"]
    other = "/api/functions/enrich/logs?after=2&run=of-another-start"
    assert len(get(client, other)["lines"]) == 3
    assert client.get("/api/functions/enrich/logs?limit=0").status_code == 400
    assert client.get("/api/functions/nobody/logs").status_code == 404


def test_dead_letters_have_the_reason_and_the_payload_newest_first(
    client: FlaskClient, runtime: Runtime
) -> None:
    runtime.fail({"serialNumber": "B-1"})
    runtime.fail({"payloadBase64": "/w=="}, message="no click")
    runtime.add_dead_letter("enrich", "no record of ours")
    stranger, binary, plain = get(client, "/api/functions/enrich/deadletters")["deadLetters"]
    assert json.loads(plain["payload"]) == {"serialNumber": "B-1"}
    assert plain["reason"] == f"RetriesExhausted: {HOSTILE}"
    assert (plain["attempts"], plain["requestId"]) == (3, REQUEST_ID)
    assert (binary["payload"], binary["payloadIsBase64"]) == ("/w==", True)
    assert "cannot be read" in stranger["reason"]


def test_one_dead_letter_is_run_again_or_all(client: FlaskClient, runtime: Runtime) -> None:
    for number in range(3):
        runtime.fail({"serialNumber": f"B-{number}"})
    chosen = runtime.dead_letters("enrich")[1].id
    path = "/api/functions/enrich/redrive"
    assert client.post(path, json={"id": chosen}).json == {"redriven": 1}
    assert runtime.queued == [("enrich", click_event(1))]
    assert client.post(path, json={}).json == {"redriven": 2}
    assert get(client, "/api/functions/enrich")["deadLetters"] == 0
    gone = client.post(path, json={"id": chosen})
    assert (gone.status_code, "no such dead letter" in gone.text) == (404, True)
    assert client.post(path, json={"id": "all"}).status_code == 400
    assert client.post(path, data="{}").status_code == 415
    assert client.post("/api/functions/nobody/redrive", json={}).status_code == 404


def test_a_function_is_paused_and_killed_and_let_run_again(client: FlaskClient) -> None:
    for switch, state in (
        ("pause", "paused"),
        ("resume", "active"),
        ("kill", "killed"),
        ("restore", "active"),
    ):
        answer = client.post(f"/api/functions/enrich/{switch}")
        assert answer.json is not None
        assert answer.json["state"] == state
    assert client.post("/api/functions/nobody/pause").status_code == 404
    assert client.post("/api/functions/enrich/burn").status_code == 404


def test_a_viewer_looks_an_operator_redrives_and_an_admin_switches(
    tmp_path: Path, runtime: Runtime
) -> None:
    make_accounts(tmp_path)
    client = client_of(tmp_path, runtime.settings, login="required")
    assert client.get("/api/functions").status_code == 401
    redrive, pause = "/api/functions/enrich/redrive", "/api/functions/enrich/pause"
    for name, redrives, switches in (("vera", 403, 403), ("oscar", 200, 403), ("ada", 200, 200)):
        log_in(client, name, PASSWORD)
        token = token_of(client)
        assert client.get("/api/functions/enrich").status_code == 200
        page = client.get("/functions/enrich").text
        assert ("redrive-all" in page, "Kill switch" in page) == (redrives == 200, switches == 200)
        assert client.post(redrive, json={}, headers=token).status_code == redrives
        assert client.post(pause, headers=token).status_code == switches
        assert client.post(redrive, json={}).status_code == 403  # no token, whoever it is
        assert client.post(pause).status_code == 403
        client.post("/logout", headers=token)
