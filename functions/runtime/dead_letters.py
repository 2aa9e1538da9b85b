"""Records of AWS Lambda's destinations, and the dead letters that are made of them.

Form: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
Where the input was no click there was no invocation: then `approximateInvokeCount` is 0, the
condition is ours (`NotAClick`), and `requestPayload` holds the topic and the bytes in base64.
Of a payload above 256 KiB only its beginning is kept, and `payloadBytes` says how long it was: the
record must itself pass through the broker. One that nests deeper than 200 is kept in base64 too:
not every reader could follow it.
"""

import base64
import json
import uuid
from datetime import datetime
from typing import Any

from functions.runtime.events import Event
from functions.runtime.retries import Condition
from iot_button.events import format_instant

MOST_KEPT_BYTES = 256 * 1024
_DEEPEST = 200
VERSION = "$LATEST"


def of_invocation(
    event: Event,
    *,
    arn: str,
    condition: Condition,
    response: bytes | None,
    moment: datetime,
) -> bytes:
    """Return the record of an event that is done, or given up.

    Args:
        event: the event.
        arn: its function's.
        condition: how it ended.
        response: what the last attempt returned, or Lambda's error response; None: it never ran.
        moment: when the record is made.
    """
    record = _about(arn, event.request_id, condition, event.attempts, moment)
    record["requestPayload"] = _kept(event.body)
    if response is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": VERSION}
        if condition is not Condition.SUCCESS:
            record["responseContext"]["functionError"] = "Unhandled"
        record["responsePayload"] = _kept(response)
    return json.dumps(record, separators=(",", ":")).encode()


def of_no_event(
    *, arn: str, kind: str, reason: str, topic: str, payload: bytes, moment: datetime
) -> bytes:
    """Return the record of a message that is no click, or that a rule cannot read."""
    request_id = str(uuid.uuid4())
    record = _about(arn, request_id, kind, 0, moment)
    record["requestPayload"] = {"topic": topic} | _in_base64(payload)
    record["responseContext"] = {
        "statusCode": 200,
        "executedVersion": VERSION,
        "functionError": "Unhandled",
    }
    record["responsePayload"] = {
        "errorMessage": reason,
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": [],
    }
    return json.dumps(record, separators=(",", ":")).encode()


def _about(
    arn: str, request_id: str, condition: str, attempts: int, moment: datetime
) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": format_instant(moment),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{arn}:{VERSION}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
    }


def payload_of(record: bytes) -> bytes | None:
    """Return the event that a record was made of; None where it does not hold all of it."""
    payload = json.loads(record)["requestPayload"]
    if not isinstance(payload, dict) or payload.keys() != {"payloadBase64", "payloadBytes"}:
        return json.dumps(payload).encode()
    kept = base64.b64decode(payload["payloadBase64"])
    return kept if len(kept) == payload["payloadBytes"] else None


def _kept(payload: bytes) -> Any:
    if len(payload) > MOST_KEPT_BYTES or _is_deep(payload):
        return _in_base64(payload)
    try:
        kept = json.loads(payload)
    except ValueError:  # a handler wrote into our pipe, or a number has more than 4,300 digits
        return _in_base64(payload)
    if not payload.isascii() and len(json.dumps(kept)) > MOST_KEPT_BYTES:
        return _in_base64(payload)  # what is not ASCII takes up to thrice the bytes in a record
    return kept


def _is_deep(payload: bytes) -> bool:
    """Whether JSON may nest deeper than readers follow; a bracket in a text may count."""
    if payload.count(b"[") + payload.count(b"{") <= _DEEPEST:
        return False
    depth = 0
    for byte in payload:
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > _DEEPEST:
            return True
    return False


def _in_base64(payload: bytes) -> dict[str, Any]:
    return {
        "payloadBase64": base64.b64encode(payload[:MOST_KEPT_BYTES]).decode(),
        "payloadBytes": len(payload),
    }
