"""The broker's figures for Prometheus, of our own broker and of mosquitto."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.figures import Figures
from broker.metrics import MetricsServer, metrics_text
from iot_button.messages import Session
from tests.broker.guarded import added
from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream
from tests.conftest import Start
from tests.support import DEADLINE, Listener, eventually, is_listening, require_program

FREE = ("--port", "0", "--websocket-port", "0", "--metrics-port", "0")


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


@pytest.fixture(params=["amqtt", "mosquitto"])
def use(request: pytest.FixtureRequest) -> str:
    """Each broker's name in turn."""
    if request.param == "mosquitto":
        require_program("mosquitto", "mosquitto")
    return str(request.param)


def shown(address: str, name: str) -> float:
    return values(fetch(address))[f"iot_button_broker_{name}{{}}"]


def test_a_broker_shows_what_it_counts(start: Start, use: str) -> None:
    broker = start("broker", "--broker", use, *FREE)
    address, port = broker.address("metrics"), broker.port("mqtt")
    with Listener(port, "a/b", session=Session.KEPT, client_id="away"):
        pass
    with Listener(port, "here") as listener:
        listener.publish("kept", b"x")
        for _ in range(3):
            listener.publish("a/b", b"x")
        listener.publish("here", b"x")
        listener.next()

        def counts() -> bool:
            found = values(fetch(address))
            wanted = ("messages_received_total", "bytes_sent_total", "connections", "sessions")
            return (
                all(found[f"iot_button_broker_{name}{{}}"] >= 1 for name in wanted)
                and found["iot_button_broker_queued_messages{}"] == 3
                and found["iot_button_broker_subscriptions{}"] >= 2
            )

        eventually(counts, what="figures that have counted us", deadline=2 * DEADLINE)


def test_what_mosquitto_does_not_tell_is_left_out(start: Start) -> None:
    require_program("mosquitto", "mosquitto")
    of_each = {}
    for kind in ("amqtt", "mosquitto"):
        page = fetch(start("broker", "--broker", kind, *FREE).address("metrics"))
        of_each[kind] = {family.name for family in text_string_to_metric_families(page)}
    # A count of which there is none yet has no sample, but its family.
    missing = {
        f"iot_button_broker_{name}"
        for name in ("connections_made", "queued_bytes", "refused_connections")
    }
    assert of_each["amqtt"] - of_each["mosquitto"] == missing
    assert of_each["mosquitto"] <= of_each["amqtt"]


def test_figures_come_also_where_accounts_are_asked_for(
    start: Start, environment: dict[str, str], use: str
) -> None:
    added(environment, "me", "--admin")
    broker = start("broker", "--broker", use, *FREE, IOT_BUTTON_BROKER_HOST="0.0.0.0")
    address = broker.address("metrics")
    assert address.startswith("http://127.0.0.1:")
    with Wire(TcpStream(broker.port("mqtt"))):  # mosquitto's own figures know our reader itself
        eventually(lambda: shown(address, "connections") >= 1, what="a connection")


def test_who_is_refused_is_counted_by_reason(start: Start) -> None:
    broker = start("broker", *FREE)
    with Wire(TcpStream(broker.port("mqtt"))) as wire:
        wire.send(b"\x00\x00\x00\x00")
        wire.expect_closed()

    def refused() -> bool:
        found = values(fetch(broker.address("metrics")))
        return any(
            name.startswith('iot_button_broker_refused_connections_total{"reason": "') and count
            for name, count in found.items()
        )

    eventually(refused, what="a connection that was refused")


def test_all_parts_in_one_go_show_the_brokers_figures(start: Start) -> None:
    program = start("up", *FREE, "--dashboard-port", "0")
    assert shown(program.address("metrics"), "connections") >= 1


def test_a_port_that_is_taken_is_named_with_what_to_do(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        broker = start("broker", "--port", "0", "--websocket-port", "0", "--metrics-port", port)
        assert broker.end() == 1
    assert f"port {port} on 127.0.0.1 is taken by another program" in broker.said[0]
    assert "--metrics-port 0" in broker.said[1]


def test_who_hangs_up_early_and_what_breaks_leave_one_line_and_no_trace(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def page() -> bytes:
        asked.set()
        may_answer.wait(DEADLINE)
        raise ValueError("broken")

    with MetricsServer(host="127.0.0.1", port=0, text=page) as server:
        for raw in (b"", b"GET", b"\xff\xfe\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as client:
                client.sendall(raw)
        may_answer.set()
        with pytest.raises(OSError, match="closed connection"):
            fetch(f"http://127.0.0.1:{server.port}")
        eventually(lambda: caplog.records, what="what broke")
    assert [record.getMessage() for record in caplog.records] == [
        "the broker's figures cannot be shown: ValueError('broken')"
    ]
    assert "Traceback" not in capfd.readouterr().err


def test_it_stops_while_a_client_says_nothing() -> None:
    begin = time.monotonic()
    with (
        MetricsServer(host="127.0.0.1", port=0, text=lambda: b"") as server,
        socket.create_connection(("127.0.0.1", server.port), DEADLINE) as silent,
    ):
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
    assert time.monotonic() - begin < 2.0
    assert not is_listening(server.port)


def test_there_is_one_page_only() -> None:
    with MetricsServer(host="127.0.0.1", port=0, text=lambda: b"") as server:
        assert server.answer("/metrics?x", "localhost:1")[0] == 200
        assert server.answer("/", "localhost")[0] == 404
        for host in ("", "127.0.0.1.evil.example", "localhost@evil.example", "a b"):
            assert server.answer("/metrics", host)[0] == 403


def test_names_of_other_machines_are_refused() -> None:
    with MetricsServer(host="127.0.0.1", port=0, text=lambda: b"secret") as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(f"http://127.0.0.1:{server.port}", Host="evil.example")
        refused.value.close()
    assert refused.value.code == 403
