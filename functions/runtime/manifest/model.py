"""What a manifest says, in one form, whether it was a serverless.yml or a SAM template."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TIMEOUT = 3.0
MEMORY_MEGABYTES = 128
RETRIES = 2
EVENT_AGE = 21_600.0
"""AWS Lambda's own defaults (developer guide, "Asynchronous invocation" and "Lambda quotas")."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a manifest; line and column count from 1."""

    file: Path
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IotRule:
    """An AWS IoT rule: which messages become events, and what an event is made of."""

    sql: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A `rate(...)` or `cron(...)` in UTC, which `functions.runtime.schedules.parse` reads.

    `input`: the event; None: AWS's scheduled event, whose `source` is EventBridge's rules
    (`aws.events`) or EventBridge Scheduler (`aws.scheduler`).
    """

    expression: str
    place: Place
    name: str = ""
    input: Any = None
    enabled: bool = True
    source: Literal["aws.events", "aws.scheduler"] = "aws.events"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute:
    """An HTTP endpoint. `path` has `{name}` and `{name+}`; `method` is upper case or `ANY`.

    The path `$default`, only with `ANY` and without a slash, takes what no other route takes.
    `form`: which event the handler gets: `1.0` of API Gateway's REST APIs, `2.0` of its HTTP APIs.
    """

    method: str
    path: str
    form: Literal["1.0", "2.0"]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """One function of a manifest.

    `name`: what topics, commands and the Lambda API call it. `handler`: `module.function`, as on
    AWS; a module in a folder is `folder/module.function`. `root`: the folder it is imported from.
    `timeout` and `event_age` are seconds. `reserved_concurrency`: None: as many as the machine
    has cores; 0: the kill switch. `retries`: after the first attempt.
    `on_success` and `on_failure`: topics for AWS's destination records. `dead_letter_topic`: gets
    the event alone, as a dead letter queue on AWS does. `publish_result_to`: a topic for what the
    handler returns, with the result's own fields in braces; ours, AWS has nothing like it.
    """

    name: str
    handler: str
    root: Path
    place: Place
    description: str = ""
    timeout: float = TIMEOUT
    memory_megabytes: int = MEMORY_MEGABYTES
    environment: dict[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    retries: int = RETRIES
    event_age: float = EVENT_AGE
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter_topic: str | None = None
    publish_result_to: str | None = None
    rules: tuple[IotRule, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    routes: tuple[HttpRoute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A service: its functions, in the order of the file."""

    file: Path
    service: str
    stage: str
    region: str
    functions: tuple[FunctionSpec, ...]
