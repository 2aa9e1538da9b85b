"""Errors in the form in which AWS's JSON services send them, so that its clients raise theirs.

The code goes into the header `x-amzn-ErrorType` and the message into the body (Smithy's
`restJson1` protocol; AWS Lambda and AWS IoT data plane API references, "Errors").
"""

import uuid
from typing import Any

from flask import Response, jsonify

_CAPITAL_MESSAGE = frozenset({"ResourceNotFoundException", "ServiceException"})
"""Lambda's errors whose body says `Message`; the others say `message`."""


class AwsError(Exception):
    """A request that is answered with one of AWS's errors."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.more = more


def lambda_answer(error: AwsError) -> Response:
    """Return an error of the Lambda API."""
    key = "Message" if error.code in _CAPITAL_MESSAGE else "message"
    kind = "User" if error.status < 500 else "Service"
    response = _answer(error, {"Type": kind, key: error.message, **error.more})
    if error.status == 429:
        response.headers["Retry-After"] = "1"
    return response


def data_plane_answer(error: AwsError) -> Response:
    """Return an error of the IoT data plane."""
    return _answer(error, {"message": error.message, "traceId": str(uuid.uuid4())})


def _answer(error: AwsError, body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.status_code = error.status
    response.headers["x-amzn-ErrorType"] = error.code
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return response
