"""The API keeps to its document: no answer but those that are in it, and none in the 500s."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dashboard import create_app
from dashboard.access import route_name
from dashboard.ingest import hub_for
from dashboard.openapi import document
from dashboard.store import Store
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress, Settings
from tests.dashboard.guests import make_app, settings_of
from tests.dashboard.helpers import Mosquitto, click, keep
from tests.dashboard.running_functions import running
from tests.support import DEADLINE

CHECKS = [
    checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A dashboard with two buttons, at a broker and a function runtime that run."""
    state_dir = tmp_path_factory.mktemp("state")
    broker = Mosquitto(state_dir)
    broker.start()
    connection = Connection(BrokerAddress(host="127.0.0.1", port=broker.port), client_id="api")
    with Store(state_dir) as store, connection, running() as runtime:
        connection.wait_ready(DEADLINE)
        keep(store, *(click(f"e{number}") for number in range(30)))
        runtime.invoke("enrich", b'"a"')
        runtime.fail({"serialNumber": SERIAL})
        settings = Settings(state_dir=str(state_dir), functions=runtime.settings)
        yield create_app(settings, hub=hub_for(store), connection=connection, store=store)
    broker.kill()


def paths() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document()["paths"]
    return found


def takes_something(path: str, method: str) -> bool:
    operation = paths()[path][method]
    return "requestBody" in operation or bool(operation["parameters"])


SERIAL = "B-1"
BUTTON = {"serialNumber": SERIAL}
ENRICH = {"name": "enrich"}
OPERATIONS = [(path, method) for path, methods in paths().items() for method in methods]

ASKED = [
    (*operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    # Where nothing is given, nothing can be got wrong.
    if mode is GenerationMode.POSITIVE or takes_something(*operation)
]


def test_each_route_of_the_api_is_in_the_document(tmp_path: Path) -> None:
    app = make_app(settings_of(tmp_path, login="auto"))
    routes = {
        route_name(method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") or rule.rule in ("/healthz", "/readyz", "/metrics")
    }
    told = {f"{method.upper()} {re.sub('{.*?}', '*', path)}" for path, method in OPERATIONS}
    assert told == routes


@pytest.mark.parametrize(("path", "method", "mode"), ASKED)
def test_whatever_one_asks_the_answer_is_one_of_the_document(
    app: Flask, path: str, method: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_wsgi("/api/openapi.json", app)[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()


@pytest.mark.parametrize(
    ("route", "status", "more"),
    [
        ("get /api/clicks", 200, {"query": {"limit": 3, "serialNumber": SERIAL}}),
        ("get /api/clicks.ndjson", 200, {}),
        ("get /api/clicks.csv", 200, {}),
        ("get /api/buttons", 200, {"query": {"offset": 345}}),
        ("get /api/names", 200, {}),
        ("get /api/buttons/{serialNumber}", 200, {"path_parameters": BUTTON}),
        (
            "patch /api/buttons/{serialNumber}",
            200,
            {"path_parameters": BUTTON, "body": {"name": "Bell", "colour": "#c2410c"}},
        ),
        ("get /api/charts/clicks", 200, {"query": {"step": "day"}}),
        ("get /api/charts/latency", 200, {"query": {"step": "minute", "serialNumber": SERIAL}}),
        ("get /api/charts/battery", 200, {"query": {"serialNumber": SERIAL}}),
        ("post /api/press", 202, {"body": {"clickType": "LONG"}}),
        ("get /api/clicks/{id}/trace", 200, {"path_parameters": {"id": 1}}),
        ("get /api/costs", 200, {}),
        ("get /api/functions", 200, {}),
        ("get /api/functions/{name}", 200, {"path_parameters": ENRICH}),
        ("get /api/functions/{name}/logs", 200, {"path_parameters": ENRICH}),
        ("get /api/functions/{name}/deadletters", 200, {"path_parameters": ENRICH}),
        ("post /api/functions/{name}/redrive", 200, {"path_parameters": ENRICH, "body": {}}),
        (
            "post /api/functions/{name}/{switch}",
            200,
            {"path_parameters": ENRICH | {"switch": "pause"}},
        ),
        ("get /readyz", 200, {}),
        ("delete /api/buttons/{serialNumber}", 204, {"path_parameters": BUTTON}),
        ("get /api/buttons/{serialNumber}", 404, {"path_parameters": {"serialNumber": "NONE"}}),
    ],
)
def test_answers_about_a_real_button_are_as_the_document_says(
    app: Flask, route: str, status: int, more: dict[str, Any]
) -> None:
    method, path = route.split()
    operation = schemathesis.openapi.from_wsgi("/api/openapi.json", app)[path][method]
    case = operation.Case(**more, media_type="application/json" if "body" in more else None)
    assert case.call_and_validate(checks=CHECKS).status_code == status


def test_a_breach_would_be_seen(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = schemathesis.openapi.from_wsgi("/api/openapi.json", app)["/api/session"]["get"]
    wrong = app.response_class('{"name": 7}', mimetype="application/json")
    monkeypatch.setitem(app.view_functions, "login.session", lambda: wrong)
    with pytest.raises(schemathesis.core.failures.FailureGroup):
        operation.Case().call_and_validate(checks=CHECKS)
