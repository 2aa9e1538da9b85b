"""Dead letters: what could not be processed, in AWS Lambda's on-failure destination record.

Form: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
Where the input was no click there was no invocation: then `approximateInvokeCount` is 0, the
condition is ours (`NotAClick`), and `requestPayload` holds the topic and the bytes in base64.
Of a payload above 512 KiB only its beginning is kept, and `payloadBytes` says how long it was: the
record must itself pass through the broker.
"""

import base64
import json
import uuid
from datetime import datetime
from typing import Any

from functions.runtime.context import VERSION, function_arn
from functions.runtime.invocation import Failure
from iot_button.errors import NotAClickError
from iot_button.events import format_instant

MOST_KEPT_BYTES = 512 * 1024


def of_failure(
    failure: Failure, *, function: str, event: Any, attempts: int, moment: datetime
) -> bytes:
    """Return the record of an invocation whose last attempt failed."""
    return _record(
        function,
        moment,
        request_id=failure.request_id,
        condition="RetriesExhausted",
        attempts=attempts,
        request=event,
        response=failure.response,
    )


def of_no_click(error: NotAClickError, *, function: str, topic: str, moment: datetime) -> bytes:
    """Return the record of a message that is no click, with its bytes as they came."""
    request_id = str(uuid.uuid4())
    return _record(
        function,
        moment,
        request_id=request_id,
        condition="NotAClick",
        attempts=0,
        request={
            "topic": topic,
            "payloadBase64": base64.b64encode(error.payload[:MOST_KEPT_BYTES]).decode(),
            "payloadBytes": len(error.payload),
        },
        response={
            "errorMessage": error.reason,
            "errorType": "NotAClick",
            "requestId": request_id,
            "stackTrace": [],
        },
    )


def _record(
    function: str,
    moment: datetime,
    *,
    request_id: str,
    condition: str,
    attempts: int,
    request: Any,
    response: dict[str, Any],
) -> bytes:
    record = {
        "version": "1.0",
        "timestamp": format_instant(moment),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn(function)}:{VERSION}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": request,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": VERSION,
            "functionError": "Unhandled",
        },
        "responsePayload": response,
    }
    return json.dumps(record, separators=(",", ":")).encode()
