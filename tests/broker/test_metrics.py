"""The broker's figures: for Prometheus, and as $SYS topics."""

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.figures import Figures
from broker.metrics import MetricsServer, metrics_text
from tests.conftest import Start
from tests.support import DEADLINE, Listener, eventually, require_program


def fetch(address: str, **headers: str) -> str:
    request = urllib.request.Request(f"{address}/metrics", headers=headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def values(text: str) -> dict[str, float]:
    return {
        sample.name + json.dumps(sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_are_in_prometheus_own_form() -> None:
    figures = Figures(connections=3, bytes_received=10)
    figures.dropped["not authorized"] += 2
    found = values(metrics_text(figures).decode())
    assert found["iot_button_broker_connections{}"] == 3
    assert found["iot_button_broker_bytes_received_total{}"] == 10
    assert found['iot_button_broker_dropped_total{"reason": "not authorized"}'] == 2


@pytest.mark.parametrize("use", ["amqtt", "mosquitto"])
def test_a_broker_shows_what_it_counts(start: Start, use: str) -> None:
    if use == "mosquitto":
        require_program("mosquitto", "mosquitto")
    ports = ("--port", "0", "--websocket-port", "0", "--metrics-port", "0")
    broker = start("broker", "--broker", use, *ports)
    address = broker.address("metrics")
    with Listener(broker.port("mqtt"), "a/b") as listener:
        listener.publish("a/b", b"x")
        listener.next()

        def counts() -> bool:
            found = values(fetch(address))
            wanted = ("subscriptions{}", "messages_received_total{}", "connections{}")
            return all(found[f"iot_button_broker_{name}"] >= 1 for name in wanted)

        eventually(counts, what="figures that have counted us", deadline=2 * DEADLINE)


def test_names_of_other_machines_are_refused() -> None:
    with MetricsServer(host="127.0.0.1", port=0, text=lambda: b"secret") as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(f"http://127.0.0.1:{server.port}", Host="evil.example")
        refused.value.close()
    assert refused.value.code == 403
