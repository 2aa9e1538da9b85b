"""Records of failed invocations, and what can be had from them again."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.dead_letters import (
    MOST_KEPT_BYTES,
    of_invocation,
    of_no_event,
    payload_of,
)
from functions.runtime.events import Event
from functions.runtime.retries import Condition

ARN = "arn:aws:lambda:eu-west-1:000000000000:function:mine"
MOMENT = datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def record_of(body: bytes, response: bytes | None = b"{}") -> bytes:
    event = Event("id", body, 0.0, attempts=3)
    condition = Condition.RETRIES_EXHAUSTED
    return of_invocation(event, arn=ARN, condition=condition, response=response, moment=MOMENT)


def test_a_record_has_the_form_of_awss() -> None:
    assert json.loads(record_of(b'{"a": 1}', b'{"errorMessage": "no"}')) == {
        "version": "1.0",
        "timestamp": "2026-11-22T10:15:30.123Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": f"{ARN}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorMessage": "no"},
    }


def test_an_event_that_never_ran_has_no_response() -> None:
    record = json.loads(record_of(b"1", None))
    assert "responseContext" not in record
    assert "responsePayload" not in record


def test_what_was_no_event_is_kept_with_its_bytes() -> None:
    payload = b"\xff\0{"
    record: dict[str, Any] = json.loads(
        of_no_event(
            arn=ARN, kind="NotAClick", reason="no", topic="t", payload=payload, moment=MOMENT
        )
    )
    assert record["requestContext"]["condition"] == "NotAClick"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"]["topic"] == "t"
    assert base64.b64decode(record["requestPayload"]["payloadBase64"]) == payload
    assert record["responsePayload"]["errorMessage"] == "no"


@given(value=JSON)
def test_the_event_can_be_had_again_from_its_record(value: object) -> None:
    body = json.dumps(value).encode()
    again = payload_of(record_of(body))
    assert again is not None
    assert json.loads(again) == value


@pytest.mark.parametrize("depth", [100, 201, 1_000, 100_000])
def test_an_event_of_any_depth_has_a_record_that_everybody_can_read(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    record = record_of(body, body)
    json.loads(record)
    assert payload_of(record) == body


def test_a_text_full_of_brackets_has_one_too() -> None:
    body = json.dumps("[{" * 5_000).encode()
    assert payload_of(record_of(body)) == body


@pytest.mark.parametrize("text", ["x", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{SNOWMAN}"])
def test_no_record_is_longer_than_our_brokers_take(text: str) -> None:
    body = json.dumps(
        text * (MOST_KEPT_BYTES // len(text.encode()) - 1), ensure_ascii=False
    ).encode()
    assert len(record_of(body, body)) < 1_000_000
    assert len(record_of(body * 5, body * 5)) < 1_000_000


def test_an_event_that_is_not_kept_whole_cannot_be_had_again() -> None:
    assert payload_of(record_of(b'"' + b"x" * MOST_KEPT_BYTES + b'"')) is None
