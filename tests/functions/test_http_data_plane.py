"""The IoT data plane, asked by AWS's own client and by hand."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.runtime.http.server import HttpSide
from tests.functions.fake_control import FakeControl, Reply, ask, aws_client, http_side

MAX_PAYLOAD = 128 * 1024


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({})


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


@pytest.fixture
def iot(side: HttpSide) -> Iterator[Any]:
    with aws_client(side, "iot-data") as client:
        yield client


def refusal(iot: Any, **parameters: Any) -> ClientError:
    with pytest.raises(iot.exceptions.InvalidRequestException) as caught:
        iot.publish(**parameters)
    return caught.value


def test_boto3_publishes_with_the_defaults_of_aws(iot: Any, control: FakeControl) -> None:
    answer = iot.publish(topic="iotprocessed", payload=b'{"a":1}')
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert control.published == [("iotprocessed", b'{"a":1}', 0, False)]


def test_qos_and_retain_are_carried_out(iot: Any, control: FakeControl) -> None:
    iot.publish(topic="t", qos=1, retain=True, payload="ä")
    assert control.published == [("t", "ä".encode(), 1, True)]


def test_a_publish_without_a_payload_is_an_empty_message(iot: Any, control: FakeControl) -> None:
    iot.publish(topic="t", qos=1)
    assert control.published == [("t", b"", 1, False)]


@pytest.mark.parametrize("topic", ["a/b/c", "/a", "a/", "//", "a//b", "%2F", "a b?c=d&e", "ü/é"])
def test_every_topic_arrives_as_it_was_named(iot: Any, control: FakeControl, topic: str) -> None:
    iot.publish(topic=topic, qos=1, payload=b"x")
    assert control.published == [(topic, b"x", 1, False)]


@pytest.mark.parametrize("path", ["a/b", "a%2Fb", "a%2fb"])
def test_slashes_of_a_topic_may_come_plain_or_encoded(
    side: HttpSide, control: FakeControl, path: str
) -> None:
    assert ask(side, "POST", f"/topics/{path}?qos=1", b"x").status == 200
    assert control.published == [("a/b", b"x", 1, False)]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(
    topic=st.text(
        st.characters(
            exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="+#\ufdd0\ufffe\uffff"
        ),
        min_size=1,
        max_size=60,
    ).filter(lambda t: not t.startswith("$") and t.count("/") <= 7)
)
def test_a_topic_survives_the_url(side: HttpSide, control: FakeControl, topic: str) -> None:
    control.published.clear()
    assert ask(side, "POST", f"/topics/{quote(topic, safe='')}").status == 200
    assert [published[0] for published in control.published] == [topic]


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("a/+/b", "wildcard"),
        ("a/#", "wildcard"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("a\ufffeb", "control character"),
        ("$SYS/x", "begins with $"),
        ("ü" * 129, "256 bytes"),
        ("a/" * 8, "7 slashes"),
    ],
)
def test_a_topic_that_aws_or_the_broker_would_refuse_is_refused_with_the_reason(
    iot: Any, control: FakeControl, topic: str, reason: str
) -> None:
    assert reason in str(refusal(iot, topic=topic, qos=1, payload=b"x"))
    assert control.published == []


def test_the_longest_topic_of_aws_is_taken(iot: Any, control: FakeControl) -> None:
    topic = "a/" * 7 + "b" * 242
    iot.publish(topic=topic, payload=b"x")
    assert control.published[0][0] == topic


@pytest.mark.parametrize("path", ["/topics/", "/topics/?qos=1", "/topics/%ff"])
def test_an_empty_topic_and_one_that_is_no_text_are_refused(side: HttpSide, path: str) -> None:
    reply = ask(side, "POST", path, b"x")
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidRequestException")


@pytest.mark.parametrize("query", ["qos=2", "qos=", "qos=-1", "retain=yes"])
def test_a_parameter_with_no_such_value_is_refused(side: HttpSide, query: str) -> None:
    reply = ask(side, "POST", f"/topics/t?{query}", b"x")
    assert reply.status == 400
    assert query.partition("=")[0] in reply.json["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contentType", "text/plain"),
        ("responseTopic", "answers"),
        ("messageExpiry", 60),
        ("userProperties", [{"a": "b"}]),
        ("payloadFormatIndicator", "UTF8_DATA"),
        ("correlationData", "eA=="),
    ],
)
def test_what_only_mqtt_5_can_carry_is_refused_by_its_name_and_never_dropped(
    iot: Any, control: FakeControl, name: str, value: Any
) -> None:
    error = refusal(iot, topic="t", qos=1, payload=b"x", **{name: value})
    assert name in str(error)
    assert "MQTT 3.1.1" in str(error)
    assert control.published == []


def test_the_largest_payload_of_aws_is_taken(iot: Any, control: FakeControl) -> None:
    iot.publish(topic="t", qos=1, payload=b"x" * MAX_PAYLOAD)
    assert len(control.published[0][1]) == MAX_PAYLOAD


@pytest.mark.parametrize("size", [MAX_PAYLOAD + 1, 5_000_000])
def test_a_larger_payload_raises_the_exception_of_aws(
    iot: Any, control: FakeControl, size: int
) -> None:
    with pytest.raises(iot.exceptions.RequestEntityTooLargeException):
        iot.publish(topic="t", qos=1, payload=b"x" * size)
    assert control.published == []


def test_what_the_broker_did_not_acknowledge_is_no_success(iot: Any, control: FakeControl) -> None:
    control.is_broker_away = True
    with pytest.raises(iot.exceptions.ServiceUnavailableException) as caught:
        iot.publish(topic="t", qos=1, payload=b"x")
    assert "no MQTT broker answers" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("get_retained_message", {"topic": "t"}),
        ("list_retained_messages", {}),
        ("get_thing_shadow", {"thingName": "t"}),
        ("list_named_shadows_for_thing", {"thingName": "t"}),
    ],
)
def test_the_other_operations_say_that_they_are_not_there(
    iot: Any, call: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(iot, call)(**parameters)
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperationException"
    assert "only Publish is served" in str(caught.value)


def test_a_publish_by_get_is_not_there(side: HttpSide, control: FakeControl) -> None:
    reply: Reply = ask(side, "GET", "/topics/t")
    assert reply.status == 404
    assert control.published == []
