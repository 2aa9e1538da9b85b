"""What both kinds of manifest say alike: names, handlers, topics, environment, routes."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from functions.runtime.manifest.errors import ManifestError
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.model import FunctionSpec, Place, Schedule
from functions.runtime.manifest.nodes import is_there
from functions.runtime.result_topics import is_well_formed
from functions.runtime.schedules import ScheduleError, parse

METHODS = ("ANY", "GET", "POST", "PUT", "PATCH", "OPTIONS", "HEAD", "DELETE")
CATCH_ALL = "$default"
"""The path of an HTTP API's route for all that no other route takes (API Gateway, "Routes")."""

MAX_TOPIC_BYTES = 65_535
SQL_VERSION = "2016-03-23"
"""The version of AWS IoT SQL whose rules are run here (AWS IoT developer guide, "SQL versions")."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HANDLER = re.compile(r"[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*\.[A-Za-z_][A-Za-z0-9_]*")
_SEGMENT = re.compile(r"[^{}\s?#]*|\{[A-Za-z0-9._:$-]+\+?\}")
_ARN = re.compile(r"arn:[a-z-]+:([a-z0-9-]+):[^:]*:[^:]*:(.+)", re.DOTALL)
_SQL_MEND = f"rules are run as of {SQL_VERSION}: write that, in quotes"
_OTHER_SQL = {
    "2015-10-08": "reads nested objects and arrays in another way",
    "beta": "is another one from time to time",
}
_DESTINATION = (
    "use the ARN of an SNS topic or an SQS queue, whose name becomes the MQTT topic, "
    "or arn:aws:iot:REGION:ACCOUNT:topic/NAME/MORE for the topic NAME/MORE"
)
VARIABLE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
"""AWS Lambda API reference, "Environment"."""
VARIABLE_MEND = "a letter first, then letters, digits and underscores, two characters at least"
RESERVED = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
})  # fmt: skip
"""AWS Lambda developer guide, "Using environment variables": defined runtime variables."""


def function_name(field: Field, name: str) -> str:
    """Check a function's name: it is a level of topics, and a path of the Lambda API."""
    if not _NAME.fullmatch(name):
        field.fail(f"the function name {name!r} is not 1 to 64 of A-Z a-z 0-9 _ -")
    return name


def runtime(field: Field) -> None:
    """Check that a function is one in Python 3; which release is not looked at."""
    name = field.text()
    if not re.fullmatch(r"python3\.[0-9]+", name):
        field.fail(
            f"the runtime {name!r} cannot be run here",
            mend="functions run in Python 3: write python3.11",
        )


def handler(field: Field, root: Path) -> str:
    """Check that the file of `folder/module.function` or `package.module.function` is there."""
    text = field.text()
    if not _HANDLER.fullmatch(text):
        field.fail(
            f"{text!r} is no handler", mend="write MODULE.FUNCTION, or FOLDER/MODULE.FUNCTION"
        )
    module = root.joinpath(*re.split("[./]", text)[:-1])
    files = (module.with_name(f"{module.name}.py"), module / "__init__.py")
    if not any(is_there(file) for file in files):
        field.fail(f"{text!r}: there is no file {files[0]}")
    return text


def topic(field: Field, name: str) -> str:
    """Check a topic name (MQTT 3.1.1, section 4.7)."""
    bad = next((mark for mark in "+#\0" if mark in name), None)
    if bad is not None or not name or name[0] == "$":
        reason = f"has {bad!r}" if bad else "begins with $" if name else "is empty"
        field.fail(f"the topic {name!r} {reason}", mend="a topic is a name such as home/alarm")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_TOPIC_BYTES:
        field.fail(f"the topic is longer than {MAX_TOPIC_BYTES} bytes")
    return name


def result_topic(field: Field) -> str:
    """Check a topic for results, which may have fields of the result in braces."""
    name = topic(field, field.text())
    if not is_well_formed(name):
        mend = "a field of the result stands in braces, as in iotbutton/{serialNumber}"
        field.fail(f"the topic {name!r} has braces around no name", mend=mend)
    return name


def topic_of_arn(field: Field) -> str:
    """Return the MQTT topic that an ARN means; see `_DESTINATION` for what is known."""
    text = field.text()
    match = _ARN.fullmatch(text)
    if match is None:
        field.fail(f"{text!r} is no ARN", mend=_DESTINATION)
    service, resource = match[1], match[2]
    if service in ("sns", "sqs") and ":" not in resource:
        return topic(field, resource)
    if service == "iot" and resource.startswith("topic/"):
        return topic(field, resource.removeprefix("topic/"))
    return no_destination(field, text)


def no_destination(field: Field, what: str) -> NoReturn:
    """Raise the error for what cannot be published to."""
    field.fail(f"{what!r} is nothing that can be published to here", mend=_DESTINATION)


def environment(*layers: Mapping[str, Field]) -> dict[str, str]:
    """Return a function's variables; a later layer wins, and a null there unsets."""
    merged: dict[str, Field] = {}
    for layer in layers:
        for name, field in layer.items():
            if name in RESERVED:
                field.fail("is set by Lambda itself, and AWS refuses it here")
            if not VARIABLE_NAME.fullmatch(name):
                field.fail("AWS Lambda takes no variable of this name", mend=VARIABLE_MEND)
        merged |= layer
    return {name: _value(field) for name, field in merged.items() if not field.is_absent}


def _value(field: Field) -> str:
    text = field.any_text()
    if "\0" in text:
        field.fail("a variable cannot hold a NUL character")
    return text


def schedule(field: Field, **more: Any) -> Schedule:
    """Return the schedule whose expression a field holds; one that is enabled has to fire yet."""
    expression = field.text()
    try:
        timetable = parse(expression)
    except ScheduleError as error:
        field.fail(error.problem, mend=error.mend)
    found = Schedule(expression=expression.strip(), place=field.place, **more)
    now = datetime.now(UTC)
    if found.enabled and timetable.next_after(now, since=now) is None:
        mend = "name a day that comes, or disable the schedule"
        field.fail(f"{expression!r} never fires from now on", mend=mend)
    return found


def sql_version(field: Field) -> None:
    """Check the version of AWS IoT SQL, of which one is known here."""
    version = field.text()
    if version != SQL_VERSION:
        reason = _OTHER_SQL.get(version, "is not known")
        field.fail(f"the version {version!r} of AWS IoT SQL {reason}", mend=_SQL_MEND)


def json_text(field: Field) -> Any:
    """Return what a JSON text says."""
    try:
        return json.loads(field.text())
    except (ValueError, RecursionError) as error:
        field.fail(f"is not JSON: {error}", mend='write a JSON text, such as \'{"key": "value"}\'')


def method(field: Field, name: str) -> str:
    """Return a route's method in upper case; `*` is `ANY`."""
    upper = "ANY" if name == "*" else name.upper()
    if upper not in METHODS:
        field.fail(f"the method {name!r} is not one of {', '.join(METHODS)}")
    return upper


def path(field: Field, text: str) -> str:
    """Check a route's path (API Gateway, "Routes for HTTP APIs": path variables, greedy ones)."""
    segments = text.split("/")[1:]
    if text[:1] != "/" or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        field.fail(f"the path {text!r} is not of the form /level/{{parameter}}/{{rest+}}")
    if any(segment.endswith("+}") for segment in segments[:-1]):
        field.fail(f"the path {text!r} goes on after {{...+}}, which takes all the rest")
    return text


def unique(functions: Iterable[FunctionSpec]) -> None:
    """Check that no two functions share a name, and no two routes of one kind their requests."""
    seen: dict[tuple[str, ...], Place] = {}
    for function in functions:
        _once(seen, ("function", function.name), function.place)
        for route in function.routes:
            shape = re.sub(r"\{[^}+]*(\+?)\}", r"{\1}", route.path)
            _once(seen, ("route", route.method, shape, route.form), route.place)


def _once(seen: dict[tuple[str, ...], Place], what: tuple[str, ...], place: Place) -> None:
    if what in seen:
        problem = f"the {' '.join(what[:3])} is there twice; first in line {seen[what].line}"
        raise ManifestError(problem, file=place.file, place=place)
    seen[what] = place
