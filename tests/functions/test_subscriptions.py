"""What the runtime subscribes to, and what comes of it."""

import itertools
import json
import re
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from functions.runtime.rules import topic_matches
from functions.runtime.rules.filters import covers, widest
from tests.conftest import Start
from tests.functions.conftest import broker_option
from tests.support import Listener, Program, eventually

SERVICE = """
service: overlapping
provider: {name: aws, runtime: python3.11}
custom: {iot-button: {results: {narrow: out/narrow, wide: out/wide}}}
functions:
  narrow: {handler: echo.handler, events: [{iot: {sql: "SELECT * FROM 'iotbutton/+'"}}]}
  wide: {handler: echo.handler, events: [{iot: {sql: "SELECT * FROM 'iotbutton/#'"}}]}
"""


FILTERS = st.lists(st.sampled_from(["a", "+", "$x", ""]), min_size=1, max_size=3).flatmap(
    lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"])])
)
TOPICS = [
    "/".join(ls) for n in (1, 2, 3, 4) for ls in itertools.product(["a", "b", "$x", ""], repeat=n)
]


@given(FILTERS, FILTERS)
def test_a_filter_that_covers_another_matches_all_its_topics(wide: str, narrow: str) -> None:
    assume(wide and narrow and covers(wide, narrow))
    assert all(topic_matches(wide, topic) for topic in TOPICS if topic_matches(narrow, topic))


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

    def beats() -> int:
        return sum("Broadcasting" in line and "/heartbeat/" in line for line in list(broker.said))

    eventually(lambda: beats() == 2, what="the second heartbeat, 10 s after the first")
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
