"""The `context` that a handler gets, with the names that AWS Lambda's Python runtime uses."""

import time
from dataclasses import dataclass
from typing import Any

REGION = "eu-west-1"
ACCOUNT = "000000000000"
VERSION = "$LATEST"


def function_arn(name: str) -> str:
    """Return the ARN that a function has here: AWS's form with an account of zeros."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@dataclass(frozen=True, kw_only=True)
class LambdaContext:
    """One invocation's facts (AWS Lambda developer guide, "context object in Python").

    `memory_limit_in_mb` is a string, as on AWS. `deadline` is a moment of `time.monotonic`.
    Here a handler that is past its deadline is not ended: see `functions/runtime/invocation.py`.
    """

    function_name: str
    aws_request_id: str
    deadline: float
    memory_limit_in_mb: str = "128"
    function_version: str = VERSION
    log_stream_name: str = "local"
    client_context: Any = None
    identity: Any = None

    @property
    def invoked_function_arn(self) -> str:
        """The function's ARN."""
        return function_arn(self.function_name)

    @property
    def log_group_name(self) -> str:
        """The log group that AWS would use."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline, never below 0."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))
