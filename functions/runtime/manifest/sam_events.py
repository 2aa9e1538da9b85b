"""The events of a SAM function: IoTRule, Schedule, ScheduleV2, Api and HttpApi."""

from collections.abc import Callable
from typing import Any, Literal

from functions.runtime.manifest import checks
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.model import HttpRoute, IotRule, Schedule

Event = IotRule | Schedule | HttpRoute

_NO_ACCESS_CONTROL = "requests are not authorized here; leave it out, and check in the handler"
_PLAIN = "HTTP endpoints are plain here; leave it out, and do it in the handler"
_RETRIES = "a scheduled event is retried as EventInvokeConfig of the function says"

_SCHEDULE_REFUSED = {"RetryPolicy": _RETRIES, "DeadLetterConfig": _RETRIES}
_SCHEDULE_V2 = (
    *("ScheduleExpression", "ScheduleExpressionTimezone", "Input", "State", "Name"),
    "FlexibleTimeWindow",
)
_SCHEDULE_V2_IGNORED = (
    *("Description", "GroupName", "KmsKeyArn", "OmitName", "PermissionsBoundary", "RoleArn"),
)
_SCHEDULE_V2_REFUSED = _SCHEDULE_REFUSED | {
    "StartDate": "name the years in a cron expression",
    "EndDate": "name the years in a cron expression",
}
_API_REFUSED = {
    "Auth": _NO_ACCESS_CONTROL,
    "RequestModel": _PLAIN,
    "RequestParameters": _PLAIN,
    "ResponseTransferMode": _PLAIN,
    "TimeoutInMillis": "set the function's Timeout",
}
_HTTP_API_REFUSED = {
    "Auth": _NO_ACCESS_CONTROL,
    "RouteSettings": _PLAIN,
    "TimeoutInMillis": "set the function's Timeout",
}


def events(field: Field) -> list[Event]:
    """Return a function's events."""
    return [_event(event) for event in field.entries().values()]


def _event(field: Field) -> Event:
    fields = field.fields(["Type", "Properties"])
    kind = field.need(fields, "Type", mend=f"there are: {', '.join(_KINDS)}")
    if kind.text() not in _KINDS:
        kind.fail(f"events of type {kind.text()!r} do not exist here",
                  mend=f"there are: {', '.join(_KINDS)}")  # fmt: skip
    if "Properties" not in fields and kind.text() != "HttpApi":
        field.fail("Properties is missing")
    return _KINDS[kind.text()](fields.get("Properties", field))


def _iot(field: Field) -> IotRule:
    """Read a rule."""
    fields = field.fields(["Sql", "AwsIotSqlVersion"])
    sql = field.need(fields, "Sql", mend="""add Sql: "SELECT * FROM 'iotbutton/+'" """.strip())
    if "AwsIotSqlVersion" in fields:
        checks.sql_version(fields["AwsIotSqlVersion"])
    return IotRule(sql=sql.text(), place=sql.place)


def _schedule(field: Field) -> Schedule:
    fields = field.fields(
        ["Schedule", "Input", "Enabled", "State", "Name"],
        ignored=["Description"],
        refused=_SCHEDULE_REFUSED,
    )
    expression = field.need(fields, "Schedule", mend="add Schedule: rate(5 minutes)")
    return checks.schedule(expression, **_options(fields))


def _schedule_v2(field: Field) -> Schedule:
    fields = field.fields(_SCHEDULE_V2, ignored=_SCHEDULE_V2_IGNORED, refused=_SCHEDULE_V2_REFUSED)
    expression = field.need(fields, "ScheduleExpression", mend="add it: rate(5 minutes)")
    if "ScheduleExpressionTimezone" in fields:
        fields["ScheduleExpressionTimezone"].choice("UTC")
    if "FlexibleTimeWindow" in fields:
        window = fields["FlexibleTimeWindow"].fields(["Mode"])
        fields["FlexibleTimeWindow"].need(window, "Mode").choice("OFF")
    return checks.schedule(expression, source="aws.scheduler", **_options(fields))


def _options(fields: dict[str, Field]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "Name" in fields:
        options["name"] = fields["Name"].text()
    if "Input" in fields:
        options["input"] = checks.json_text(fields["Input"])
    if "Enabled" in fields:
        options["enabled"] = fields["Enabled"].boolean()
    if "State" in fields:
        if "Enabled" in fields:
            fields["State"].fail("Enabled and State cannot both be there")
        options["enabled"] = fields["State"].choice("ENABLED", "DISABLED") == "ENABLED"
    return options


def _api(field: Field) -> HttpRoute:
    """Read a route of a REST API. Its stage is no part of the path here."""
    fields = field.fields(["Path", "Method"], ignored=["RestApiId"], refused=_API_REFUSED)
    path = field.need(fields, "Path", mend="add Path: /ping")
    method = field.need(fields, "Method", mend="add Method: get")
    return HttpRoute(
        method=checks.method(method, method.text()),
        path=checks.path(path, path.text()),
        form="1.0",
        place=field.place,
    )


def _http_api(field: Field) -> HttpRoute:
    """Read a route of an HTTP API; with neither Path nor Method it takes all that is left."""
    fields = field.fields(
        ["Path", "Method", "PayloadFormatVersion"],
        ignored=["ApiId", "Type"],
        refused=_HTTP_API_REFUSED,
    )
    form: Literal["1.0", "2.0"] = "2.0"
    if "PayloadFormatVersion" in fields:
        form = "1.0" if fields["PayloadFormatVersion"].choice("1.0", "2.0") == "1.0" else "2.0"
    path, method = fields.get("Path"), fields.get("Method")
    if (path is None) != (method is None):
        field.fail("Path and Method are written both, or neither")
    name = checks.method(method, method.text()) if method else "ANY"
    is_rest = path is None or path.text() == checks.CATCH_ALL
    checked = checks.path(path, path.text()) if path and not is_rest else checks.CATCH_ALL
    return HttpRoute(method=name, path=checked, form=form, place=field.place)


_KINDS: dict[str, Callable[[Field], Event]] = {
    "IoTRule": _iot,
    "Schedule": _schedule,
    "ScheduleV2": _schedule_v2,
    "Api": _api,
    "HttpApi": _http_api,
}
