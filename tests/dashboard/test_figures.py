"""`/readyz` and `/metrics`, as a watchman asks for them."""

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from dashboard.store import Store
from iot_button.files import StorageError
from tests.dashboard.helpers import Mosquitto, Serve, processed
from tests.support import DEADLINE, Listener, Program, eventually


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=DEADLINE) as answer:  # noqa: S310 - ours
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def figures(address: str) -> dict[str, float]:
    """Return the figures by name and labels."""
    status, text = get(f"{address}/metrics")
    assert status == 200
    prefix = "iot_button_dashboard_"
    return {
        " ".join([sample.name.removeprefix(prefix), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_prometheus_reads_is_what_has_happened(
    dashboard: Program, publisher: Listener
) -> None:
    address = dashboard.address("dashboard")
    assert get(f"{address}/nothing")[0] == 404
    with connect(address.replace("http", "ws") + "/ws") as client:
        client.recv(timeout=DEADLINE)
        for event_id in ("one", "one", "two"):
            publisher.publish("iotprocessed", processed(eventId=event_id))
        while "two" not in str(client.recv(timeout=DEADLINE)):
            pass
        now = figures(address)
    assert now["browsers"] == 1
    assert now["buttons"] == 1
    assert now["broker_connected"] == 1
    assert now["clicks_total"] == 2
    assert now["repeated_clicks_total"] == 1
    assert now["dropped_browsers_total"] == 0
    assert now["http_requests_total GET 404"] == 1


def test_it_is_ready_while_the_broker_is_there(dashboard: Program, broker: Mosquitto) -> None:
    address = f"{dashboard.address('dashboard')}/readyz"
    assert get(address) == (200, '{"status":"ready"}\n')
    broker.kill()
    eventually(lambda: get(address)[0] == 503, what="it says that it is not ready")
    said = json.loads(get(address)[1])
    assert said["status"] == "not ready"
    assert "is lost" in said["broker"]
    assert "store" not in said


def test_it_is_not_ready_while_nothing_can_be_kept(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, _work: object) -> None:
        raise StorageError.of(store.path, OSError(28, "No space left on device"))

    monkeypatch.setattr("dashboard.store.Store.run", full)
    _hub, port = serve()
    status, text = get(f"http://127.0.0.1:{port}/readyz")
    assert status == 503
    assert "No space left" in json.loads(text)["store"]
