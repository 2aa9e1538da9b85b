"""The `context` that a handler gets: names and types of AWS Lambda's Python runtime.

Source: AWS Lambda developer guide, "Using the Lambda context object to retrieve Python function
information", and what AWS's published runtime does where the guide is silent. Python's standard
library only, and little of it: this module is loaded in each execution environment.
"""

import sys
from time import monotonic

TYPE_CHECKING = False  # importing `typing` takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Facts:
    """What is the same in all invocations of one execution environment."""

    def __init__(self, config: "Mapping[str, Any]") -> None:
        self.name = str(config["name"])
        self.version = str(config["version"])
        self.arn = str(config["arn"])
        self.memory = str(config["memory"])  # text on AWS too, as it comes from the environment
        self.log_group = str(config["logGroup"])
        self.log_stream = str(config["logStream"])


class _Record:
    """Named fields, each None unless it is given, and a `repr` that shows them."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, given: "Mapping[str, Any]") -> None:
        for field in self.__slots__:
            setattr(self, field, given.get(field))

    def __repr__(self) -> str:
        return _shown(self, self.__slots__)


class Client(_Record):
    """The mobile application that invoked the function."""

    __slots__ = (  # noqa: RUF023 - the order that AWS shows them in
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Record):
    """What a caller of the Invoke API sent in `X-Amz-Client-Context`."""

    __slots__ = ("custom", "env", "client")  # noqa: RUF023 - the order that AWS shows them in
    custom: "Any"
    env: "Any"
    client: "Any"

    def __init__(self, given: "Mapping[str, Any]") -> None:
        super().__init__(given)
        self.client = None if self.client is None else Client(self.client)


class CognitoIdentity(_Record):
    """Who invoked the function. The object is always there, as on AWS; nobody: fields of None."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, given: "Mapping[str, Any]") -> None:
        self.cognito_identity_id = given.get("cognitoIdentityId")
        self.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")


_NOBODY: "dict[str, Any]" = {}
_W3C = ("traceparent", "tracestate", "baggage")
_SHOWN = (
    "aws_request_id",
    "log_group_name",
    "log_stream_name",
    "function_name",
    "memory_limit_in_mb",
    "function_version",
    "invoked_function_arn",
    "client_context",
    "identity",
    "tenant_id",
)


class LambdaContext:
    """One invocation's facts. `deadline` is a moment of `time.monotonic`.

    `client_context` and `identity` are objects as they come in AWS's headers, decoded.
    """

    def __init__(
        self,
        facts: Facts,
        *,
        request_id: str,
        deadline: float,
        client_context: "Mapping[str, Any] | None" = None,
        identity: "Mapping[str, Any] | None" = None,
    ) -> None:
        self.aws_request_id = request_id
        self.log_group_name = facts.log_group
        self.log_stream_name = facts.log_stream
        self.function_name = facts.name
        self.memory_limit_in_mb = facts.memory
        self.function_version = facts.version
        self.invoked_function_arn = facts.arn
        self.tenant_id: str | None = None
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity(_NOBODY if identity is None else identity)
        self._deadline = deadline
        self._client_context = client_context

    def get_remaining_time_in_millis(self) -> int:
        """Return the whole milliseconds until the invocation is ended; 0 when it is overdue."""
        return max(0, int((self._deadline - monotonic()) * 1000))

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context that came with the invocation; empty without one."""
        given = (self._client_context or _NOBODY).get("w3c")
        if not isinstance(given, dict):
            return {}
        return {name: given[name] for name in _W3C if isinstance(given.get(name), str)}

    def log(self, msg: object) -> None:
        """Write to the function's log, without level and time. One call is one entry, as on AWS."""
        text = str(msg)
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def __repr__(self) -> str:
        return _shown(self, _SHOWN)


def _shown(thing: object, fields: "tuple[str, ...]") -> str:
    inner = ",".join(f"{field}={getattr(thing, field)}" for field in fields)
    return f"{type(thing).__name__}([{inner}])"
