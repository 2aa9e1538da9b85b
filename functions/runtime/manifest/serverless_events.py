"""The events of a serverless.yml's function: `iot`, `schedule`, `http` and `httpApi`."""

from typing import Any, Literal

from functions.runtime.manifest import checks
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.model import HttpRoute, IotRule, Schedule

Event = IotRule | Schedule | HttpRoute
Form = Literal["1.0", "2.0"]

_NO_ACCESS_CONTROL = "requests are not authorized here; leave it out, and check in the handler"
_NO_CORS = "send the Access-Control headers from the handler"
_ONLY_PROXY = "only the proxy form is supported: the handler gets the request and makes the answer"

_HTTP_REFUSED = {
    "authorizer": _NO_ACCESS_CONTROL,
    "private": _NO_ACCESS_CONTROL,
    "cors": _NO_CORS,
    "async": "requests are answered by the handler, not at once",
    "request": _ONLY_PROXY,
    "response": _ONLY_PROXY,
    "connectionType": _ONLY_PROXY,
    "connectionId": _ONLY_PROXY,
    "timeoutInMillis": "set the function's timeout",
}
_SCHEDULE_REFUSED = {
    "inputPath": "use input",
    "inputTransformer": "use input",
}


def events(field: Field, *, form: Form) -> list[Event]:
    """Return a function's events, disabled rules left out. `form`: of `httpApi` events."""
    return [event for item in field.items() for event in _event(item, form)]


def _event(item: Field, form: Form) -> list[Event]:
    known = ("iot", "schedule", "http", "httpApi")
    kinds = item.fields(known, refused=dict.fromkeys(_ELSEWHERE, f"there are: {', '.join(known)}"))
    if len(kinds) != 1:
        item.fail(f"must be one of {', '.join(known)}")
    ((kind, field),) = kinds.items()
    if kind == "iot":
        return list(_iot(field))
    if kind == "schedule":
        return list(_schedules(field))
    return [_http(field) if kind == "http" else _http_api(field, form)]


_ELSEWHERE = (
    *("activemq", "alb", "alexaSkill", "alexaSmartHome", "cloudFront", "cloudwatchEvent"),
    *("cloudwatchLog", "cognitoUserPool", "eventBridge", "iotFleetProvisioning", "kafka", "msk"),
    *("rabbitmq", "s3", "sns", "sqs", "stream", "websocket"),
)
"""Events of the Serverless Framework whose sources are AWS services that do not exist here."""


def _iot(field: Field) -> list[IotRule]:
    """Read a rule; its name and its description have no effect here."""
    fields = field.fields(["sql", "enabled", "sqlVersion"], ignored=["name", "description"])
    sql = field.need(fields, "sql", mend="""add sql: "SELECT * FROM 'iotbutton/+'" """.strip())
    rule = IotRule(sql=sql.text(), place=sql.place)
    if "sqlVersion" in fields:
        checks.sql_version(fields["sqlVersion"])
    return [rule] if "enabled" not in fields or fields["enabled"].boolean() else []


def _schedules(field: Field) -> list[Schedule]:
    if not isinstance(field.node.value, dict):
        return [checks.schedule(field)]
    fields = field.fields(
        ["rate", "enabled", "input", "name", "method", "timezone"],
        ignored=["description", "roleArn"],
        refused=_SCHEDULE_REFUSED,
    )
    rate = field.need(fields, "rate", mend="add rate: rate(5 minutes)")
    rates = rate.items() if isinstance(rate.node.value, list) else [rate]
    if "name" in fields and len(rates) > 1:
        fields["name"].fail("one name for more than one rate")
    more = _options(fields)
    return [checks.schedule(each, **more) for each in rates]


def _options(fields: dict[str, Field]) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if "name" in fields:
        more["name"] = fields["name"].text()
    if "enabled" in fields:
        more["enabled"] = fields["enabled"].boolean()
    if "input" in fields:
        more["input"] = _input(fields["input"])
    if "timezone" in fields:
        fields["timezone"].choice("UTC")
    if "method" in fields and fields["method"].choice("eventBus", "scheduler") == "scheduler":
        more["source"] = "aws.scheduler"
    return more


def _input(field: Field) -> Any:
    """Read an event: a text is JSON, and so is a text that is the `body` of a mapping.

    The framework reads them so ("Schedule").
    """
    if isinstance(field.node.value, str):
        return checks.json_text(field)
    value = field.plain()
    if isinstance(value, dict) and isinstance(value.get("body"), str):
        value["body"] = checks.json_text(field.entries()["body"])
    return value


def _http(field: Field) -> HttpRoute:
    """Read a route of a REST API. Its stage is no part of the path here."""
    if not isinstance(field.node.value, dict):
        name, text = _short(field)
        return _route(field, name, "/" + text.lstrip("/"), "1.0")
    fields = field.fields(
        ["path", "method", "integration"], ignored=["operationId"], refused=_HTTP_REFUSED
    )
    if "integration" in fields:
        _check_proxy(fields["integration"])
    path = field.need(fields, "path", mend="add path: ping")
    method = field.need(fields, "method", mend="add method: get")
    return HttpRoute(
        method=checks.method(method, method.text()),
        path=checks.path(path, "/" + path.text().lstrip("/")),
        form="1.0",
        place=field.place,
    )


def _check_proxy(field: Field) -> None:
    if field.text().lower().replace("_", "-") not in ("lambda-proxy", "aws-proxy"):
        field.fail(f"the integration {field.text()!r} is not supported", mend=_ONLY_PROXY)


def _http_api(field: Field, form: Form) -> HttpRoute:
    if not isinstance(field.node.value, dict):
        if field.text() == "*":
            return _route(field, "*", "*", form)
        return _route(field, *_short(field), form)
    fields = field.fields(["method", "path"], refused={"authorizer": _NO_ACCESS_CONTROL})
    path = field.need(fields, "path", mend="add path: /ping")
    method = fields.get("method", path)
    return _route(field, method.text() if method is not path else "*", path.text(), form)


def _short(field: Field) -> tuple[str, str]:
    parts = field.text().split()
    if len(parts) != 2:
        field.fail(f"{field.text()!r} is not of the form 'GET /ping'")
    return parts[0], parts[1]


def _route(field: Field, method: str, path: str, form: Form) -> HttpRoute:
    name = checks.method(field, method)
    if path == "*" and name != "ANY":
        field.fail(f"the path * takes no method, and here is {method}")
    checked = checks.CATCH_ALL if path == "*" else checks.path(field, path)
    return HttpRoute(method=name, path=checked, form=form, place=field.place)
