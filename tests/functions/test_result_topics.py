"""Topics that are made of results: what they may hold, where they go, and loops."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.runtime.manifest import ManifestError, load
from functions.runtime.result_topics import ResultError, topic_of
from functions.runtime.rules import topic_matches
from functions.runtime.rules.filters import fault_of_filter, overlaps
from functions.runtime.subscribing import subscriptions
from tests.functions.manifest_support import MARK, SAM, only, refused, serverless, write
from tests.functions.service_support import Workshop, body, one_function
from tests.functions.test_subscriptions import joined

ECHO = "def lambda_handler(event, context):\n    return event\n"
RULE = "SELECT * FROM 'in'"
TOPIC = "home/{room}/button"


def named(template: str, **fields: Any) -> str:
    return topic_of(template)(body(**fields))


def test_fields_are_put_where_their_braces_stand() -> None:
    assert named("iotbutton/{serialNumber}", serialNumber="B-1") == "iotbutton/B-1"
    assert named("{a}/x-{b}/{a}", a="one", b=7) == "one/x-7/one"
    assert named("plain") == "plain"
    assert named("a/{b}", b="ü {c} $") == "a/ü {c} $"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "the result has no room, which its topic is made of"),
        ({"room": ""}, "room is no level of a topic: ''"),
        ({"room": "a/b"}, "room is no level of a topic: 'a/b'"),
        ({"room": "+"}, "room is no level"),
        ({"room": "a#"}, "room is no level"),
        ({"room": "a\0"}, "room is no level"),
        ({"room": "a\n"}, "room is no level"),
        ({"room": "\x7f"}, "room is no level"),
        ({"room": None}, "room is neither a text nor a whole number: None"),
        ({"room": True}, "room is neither a text nor a whole number: True"),
        ({"room": 1.5}, "room is neither a text nor a whole number: 1.5"),
        ({"room": ["a"]}, "room is neither a text nor a whole number"),
        ({"room": "ä" * 130}, "the topic is longer than 256 bytes"),
    ],
)
def test_a_value_that_is_no_level_of_a_topic_is_refused(
    fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ResultError, match=reason.replace("(", r"\(").replace("+", r"\+")):
        named(TOPIC, **fields)


def test_no_result_can_reach_the_topics_of_the_broker_itself() -> None:
    with pytest.raises(ResultError, match="begins with \\$"):
        named("{a}/b", a="$SYS")


@pytest.mark.parametrize("result", [b"[]", b"7", b'"a"', b"true"])
def test_a_result_that_is_no_object_has_no_fields(result: bytes) -> None:
    with pytest.raises(ResultError, match="has no room"):
        topic_of(TOPIC)(result)


@given(value=st.text() | st.integers())
@settings(deadline=None)
def test_what_is_let_through_is_one_level(value: str | int) -> None:
    try:
        topic = named("a/{b}/c", b=value)
    except ResultError:
        return
    assert topic.split("/") == ["a", str(value), "c"]
    assert topic_matches("a/+/c", topic)
    assert fault_of_filter(topic) is None


def test_two_filters_overlap_where_a_topic_matches_both() -> None:
    topics = joined("ab$", 4)
    filters = joined("ab+$", 3) + [f"{f}/#" for f in joined("a+$", 2)] + ["#"]
    matched = {f: {topic for topic in topics if topic_matches(f, topic)} for f in filters}
    for one, other in itertools.product(filters, repeat=2):
        assert overlaps(one, other) is bool(matched[one] & matched[other]), (one, other)


# In the runtime.


def test_each_result_goes_to_its_own_topic(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, RULE, publish_result_to=TOPIC) as workshop:
        for room in ("kitchen", "hall"):
            workshop.deliver("in", body(room=room))
        assert workshop.until_sent("home/kitchen/button") == [{"room": "kitchen"}]
        assert workshop.until_sent("home/hall/button") == [{"room": "hall"}]


def test_a_result_without_its_field_is_a_failed_invocation(tmp_path: Path) -> None:
    options: dict[str, Any] = {"publish_result_to": TOPIC, "retries": 0}
    with one_function(tmp_path, ECHO, RULE, **options) as workshop:
        packet = workshop.deliver("in", body(floor=1))
        (record,) = workshop.until_sent("deadletter/mine")
        workshop.settle()
        assert workshop.acknowledged == [packet]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"] == {"floor": 1}
    assert record["responsePayload"]["errorType"] == "IotButton.NoTopic"
    reason = "the result has no room, which its topic is made of"
    assert record["responsePayload"]["errorMessage"] == reason


def test_none_is_published_nowhere_and_is_no_failure(tmp_path: Path) -> None:
    code = "def lambda_handler(event, context):\n    return None\n"
    with one_function(tmp_path, code, RULE, publish_result_to=TOPIC) as workshop:
        packet = workshop.deliver("in", body(room="hall"))
        workshop.settle()
        assert workshop.acknowledged == [packet]
        assert workshop.broker.sent == []


def test_a_result_of_a_click_is_sent_once_to_its_own_topic_also_after_a_kill(
    tmp_path: Path,
) -> None:
    rule, options = "SELECT * FROM 'iotbutton/+'", {"publish_result_to": "out/{clickType}"}
    with one_function(tmp_path, ECHO, rule, handshakes=8, **options) as workshop:
        workshop.broker.is_holding = True
        workshop.click(eventId="one")
        workshop.until_sent("out/SINGLE")
    with one_function(tmp_path, ECHO, rule, handshakes=8, **options) as workshop:
        workshop.click(eventId="one")
        assert len(workshop.until_sent("out/SINGLE")) == 1  # the same, carried on with
        workshop.until_sent("iotbutton/one/receipt")
        workshop.settle()
        assert len(workshop.sent_to("out/SINGLE")) == 1


# In manifests.


def test_both_kinds_of_manifest_take_fields_in_topics(tmp_path: Path) -> None:
    root = "custom: {iot-button: {results: {f: 'iotbutton/{serialNumber}'}}}"
    assert only(serverless(tmp_path, root=root)).publish_result_to == "iotbutton/{serialNumber}"
    text = SAM + "    Metadata: {IotButton: {PublishResultTo: 'home/{room}'}}\n"
    template = load(write(tmp_path, text, "template.yaml"), environ={})
    assert only(template).publish_result_to == "home/{room}"


@pytest.mark.parametrize("topic", ["a/{", "a/}", "a/{}", "a/{b", "a/{b}}", "{1}", "{a-b}", "{a.b}"])
def test_braces_around_no_name_are_refused(tmp_path: Path, topic: str) -> None:
    text = f"""\
        service: home
        provider: {{name: aws, runtime: python3.11}}
        custom:
          iot-button:
            results:
              f: "{topic}" {MARK}
        functions:
          f: {{handler: handler.run}}
        """
    error = refused(tmp_path, text)
    assert "has braces around no name" in str(error)
    assert "as in iotbutton/{serialNumber}" in error.mend


@pytest.mark.parametrize(
    ("topic", "rule", "is_loop"),
    [
        ("iotbutton/{a}", "iotbutton/+", True),
        ("iotbutton/{a}", "iotbutton/one", True),
        ("iotbutton/{a}", "+/b", True),
        ("iotbutton/{a}", "iotbutton/#", True),
        ("iotbutton/{a}/b", "iotbutton/+", False),
        ("iotbutton/{a}", "other/+", False),
        ("{a}", "in", True),
    ],
)
def test_a_function_whose_results_could_start_it_again_is_refused(
    tmp_path: Path, topic: str, rule: str, is_loop: bool
) -> None:
    with Workshop(tmp_path, _spec(tmp_path, topic, rule)) as workshop:
        if is_loop:
            with pytest.raises(ManifestError, match="which starts it again") as caught:
                subscriptions(workshop.members.values())
            assert topic in str(caught.value)
        else:
            assert len(subscriptions(workshop.members.values())) == 1


def _spec(folder: Path, topic: str, rule: str) -> Any:
    events = json.dumps([{"iot": {"sql": RULE.replace("in", rule)}}])
    root = f"custom: {{iot-button: {{results: {{f: '{topic}'}}}}}}"
    return only(serverless(folder, f"events: {events}", root))
