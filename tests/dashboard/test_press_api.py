import http.client
import json
from typing import Any

import pytest

from tests.dashboard.helpers import Mosquitto, Serve
from tests.support import Listener, Program, eventually

JSON = {"Content-Type": "application/json"}


def ask(
    port: int, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def press(port: int, body: str) -> tuple[int, dict[str, Any]]:
    return ask(port, "POST", "/api/press", body, **JSON)


def test_a_press_is_published_as_a_click(dashboard: Program, broker: Mosquitto) -> None:
    with Listener(broker.port, "iotbutton/+") as listener:
        status, answer = press(
            dashboard.port("dashboard"), '{"clickType":"DOUBLE","serialNumber":"B-1"}'
        )
        message = listener.next()
    assert status == 202
    assert message.topic == "iotbutton/B-1"
    assert json.loads(message.payload) == answer
    assert answer["clickType"] == "DOUBLE"
    assert answer["batteryVoltage"] is None


def test_a_press_without_a_serial_number_is_the_web_button(
    dashboard: Program, broker: Mosquitto
) -> None:
    with Listener(broker.port, "iotbutton/+") as listener:
        press(dashboard.port("dashboard"), '{"clickType":"SINGLE"}')
        assert listener.next().topic == "iotbutton/WEB-BUTTON"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("", "not a press"),
        ("[]", "not a press"),
        ("{", "not a press"),
        ("{}", "clickType"),
        ('{"clickType":"TRIPLE"}', "SINGLE, DOUBLE, LONG"),
        ('{"clickType":"SINGLE","serialNumber":"a/b"}', "serialNumber"),
        ('{"clickType":"SINGLE","serialNumber":"a\\n"}', "serialNumber"),
        ('{"clickType":"SINGLE","serialNumber":""}', "serialNumber"),
        ('{"clickType":"SINGLE","serialNumber":"+"}', "serialNumber"),
        ('{"clickType":"SINGLE","serial":"B"}', "serial"),
        ("[" * 3000, "not a press"),
    ],
)
def test_what_is_no_press_is_refused_with_words(serve: Serve, body: str, word: str) -> None:
    _hub, port = serve()
    status, answer = press(port, body)
    assert status == 400
    assert word in answer["error"]


def test_a_press_that_is_not_json_is_refused(serve: Serve) -> None:
    _hub, port = serve()
    body = '{"clickType":"SINGLE"}'
    assert ask(port, "POST", "/api/press", body, Content_Type="text/plain")[0] == 415


def test_a_huge_body_is_refused(serve: Serve) -> None:
    _hub, port = serve()
    assert press(port, " " * 100_000)[0] == 413


def test_a_press_with_the_broker_away_is_refused_and_never_sent_later(
    dashboard: Program, broker: Mosquitto
) -> None:
    port = dashboard.port("dashboard")
    broker.kill()
    eventually(
        lambda: ask(port, "GET", "/healthz")[1] == {"status": "ok", "broker": "lost"},
        what="the dashboard has lost the broker",
    )
    status, answer = press(port, '{"clickType":"SINGLE"}')
    assert status == 503
    assert f"127.0.0.1:{broker.port} is lost" in answer["error"]
    broker.start()
    with Listener(broker.port, "iotbutton/+") as listener:
        eventually(
            lambda: ask(port, "GET", "/healthz")[1]["broker"] == "connected",
            what="the dashboard has found the broker",
        )
        assert press(port, '{"clickType":"LONG"}')[0] == 202
        assert json.loads(listener.next().payload)["clickType"] == "LONG"


def test_a_press_that_the_broker_does_not_acknowledge_is_called_not_confirmed(
    dashboard: Program, broker: Mosquitto
) -> None:
    broker.pause()
    try:
        status, answer = press(dashboard.port("dashboard"), '{"clickType":"SINGLE"}')
    finally:
        broker.resume()
    assert status == 504
    assert "not confirmed" in answer["error"]


def test_paths_that_are_not_there_are_answered_in_json(serve: Serve) -> None:
    _hub, port = serve()
    assert ask(port, "GET", "/nothing")[0] == 404
