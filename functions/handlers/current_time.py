"""The `currentTime` function: `GET /ping` answers with the time.

Standard library only, so that this file runs here and on AWS Lambda unchanged.
"""

import json
from datetime import UTC, datetime
from typing import Any


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return an HTTP answer in the form that API Gateway takes from a function."""
    now = datetime.now(UTC).time().isoformat(timespec="milliseconds")
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": f"Hello, the current time is {now} UTC"}),
    }
