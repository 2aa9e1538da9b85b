"""What the runtime subscribes to, and what comes of it."""

import itertools
import json
import re
from pathlib import Path

from functions.runtime.rules import topic_matches
from functions.runtime.rules.filters import covers, widest
from tests.conftest import Start
from tests.functions.conftest import broker_option
from tests.ground.fake_broker import CONNACK, CONNECT, FakeBroker
from tests.support import Listener, Program

SERVICE = """
service: overlapping
provider: {name: aws, runtime: python3.11}
custom: {iot-button: {results: {narrow: out/narrow, wide: out/wide}}}
functions:
  narrow: {handler: echo.handler, events: [{iot: {sql: "SELECT * FROM 'iotbutton/+'"}}]}
  wide: {handler: echo.handler, events: [{iot: {sql: "SELECT * FROM 'iotbutton/#'"}}]}
"""


def joined(levels: str, most: int) -> list[str]:
    """Return all names of up to `most` levels, each a character; a dot stands for none."""
    counts = range(1, most + 1)
    names = ("/".join(n) for count in counts for n in itertools.product(levels, repeat=count))
    return [name.replace(".", "") for name in names if name != "."]


def test_a_filter_that_covers_another_matches_all_its_topics() -> None:
    topics = joined("ab$.", 4)
    filters = joined("a+$.", 3) + [f"{f}/#" for f in joined("a+$.", 2)] + ["#"]
    matched = {f: {topic for topic in topics if topic_matches(f, topic)} for f in filters}
    for wide, narrow in itertools.product(filters, repeat=2):
        if wide != "+/#":  # matches what # matches, and nobody writes it
            assert covers(wide, narrow) is (matched[wide] >= matched[narrow]), (wide, narrow)


def test_only_the_widest_filters_are_subscribed_to() -> None:
    asked = ["a/+", "b", "a/#", "b", "b/#", "$x/y", "+/y", "a/+/c"]
    assert widest(asked) == ["a/#", "b/#", "$x/y", "+/y"]
    assert widest(["a/b", "#", "$x/#"]) == ["#", "$x/#"]


def test_the_broker_inside_has_nothing_to_complain_about_while_nothing_happens(
    start: Start,
) -> None:
    broker = start("broker", "-v", "--port", "0", "--websocket-port", "0")
    broker.address("mqtt")
    start("functions", *broker_option(broker)).wait_for("^ready")

    with Listener(broker.port("mqtt"), "iotfunctions/heartbeat/+") as listener:
        for _ in range(2):  # 10 s apart
            listener.next()
    assert not [line for line in broker.said if re.search("ERROR|gave up|Timeout", line)]


def test_a_message_of_two_rules_that_overlap_is_one_event_for_each(
    broker: Program, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "echo.py").write_text("def handler(event, context):\n    return event\n")
    (tmp_path / "serverless.yml").write_text(SERVICE)
    start("functions", "--manifest", ".", *broker_option(broker)).wait_for("^ready")
    with Listener(broker.port("mqtt"), "out/+") as listener:
        for serial in ("first", "second"):
            click = {"serialNumber": serial, "clickType": "SINGLE"}
            listener.publish(f"iotbutton/{serial}", json.dumps(click))
        messages = [listener.next() for _ in range(4)]
    came = [(json.loads(m.payload)["serialNumber"], m.topic) for m in messages]
    assert sorted(came) == [
        *(("first", "out/narrow"), ("first", "out/wide")),
        *(("second", "out/narrow"), ("second", "out/wide")),
    ]


def test_a_wrong_rule_is_shown_at_its_place_in_the_manifest(start: Start, tmp_path: Path) -> None:
    (tmp_path / "echo.py").touch()
    text = SERVICE.replace("SELECT * FROM 'iotbutton/#'", "SELECT uper(a) FROM 'b'")
    (tmp_path / "serverless.yml").write_text(text)
    program = start("functions", "--manifest", ".", "--broker", "mqtt://127.0.0.1:1")
    assert program.end() == 2
    line = text.splitlines().index(next(t for t in text.splitlines() if "uper" in t)) + 1
    column = text.splitlines()[line - 1].index('"SELECT') + 1
    assert f"serverless.yml:{line}:{column}: " in program.said[0]
    assert "(line 1, column 8 of the sql)" in program.said[0]
    assert program.said[-1] == "  did you mean upper()?"


def test_a_function_that_would_start_itself_for_ever_is_refused(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "echo.py").touch()
    (tmp_path / "serverless.yml").write_text(SERVICE.replace("out/wide", "iotbutton/a/b"))
    program = start("functions", "--manifest", ".", "--broker", "mqtt://127.0.0.1:1")
    assert program.end() == 2
    assert "serverless.yml:" in program.said[0]
    assert "wide publishes to iotbutton/a/b, which starts it again" in program.said[0]


def test_an_account_that_may_not_hear_foreign_buttons_runs_clicks_all_the_same(
    start: Start,
) -> None:
    with FakeBroker() as broker:
        address = str(broker.address)
        functions = start("functions", "--broker", address, IOT_BUTTON_BROKER_MQTT_5="false")
        with broker.accept() as peer:
            peer.expect(CONNECT)
            peer.send(bytes([CONNACK, 2, 0, 0]))
            needed = peer.subscribe(1, 1)
            assert needed[0] == "iotbutton/+"
            assert len(needed) == 2
            refused = peer.subscribe(*[0x80] * 8)
            refused += peer.subscribe(*[0x80] * 5)
            assert "zigbee2mqtt/+" in refused
            functions.wait_for("^ready")
        assert any("refuses us zigbee2mqtt/+" in line for line in functions.said)
