"""A serverless.yml read into a manifest (Serverless Framework, "Serverless.yml Reference").

Each key is one of three, listed in `serverless_keys`: it is read; it has a meaning on AWS alone; or
it would change what happens, and is refused. Defaults are the framework's own: 6 seconds, 1024 MB.

A function's name here is its key, or its `name`. On AWS the framework deploys the key `enrich` of
the service `button` as `button-dev-enrich`; `AWS_LAMBDA_FUNCTION_NAME` is shorter here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.runtime.manifest import checks
from functions.runtime.manifest import serverless_keys as keys
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.model import FunctionSpec, HttpRoute, IotRule, Manifest, Schedule
from functions.runtime.manifest.nodes import Node
from functions.runtime.manifest.serverless_events import Form, events
from functions.runtime.manifest.serverless_scope import ServerlessScope

TIMEOUT = 6
MEMORY_MEGABYTES = 1024
"""The framework's own, where the file names none ("AWS Lambda Functions")."""


def read(root: Node, *, options: Mapping[str, str], environ: Mapping[str, str]) -> Manifest:
    """Return the manifest of a serverless.yml.

    Raises:
        ManifestError: naming file, line and dotted key.
    """
    scope = ServerlessScope(root, options=options, environ=environ)
    fields = scope.root.fields(keys.ROOT, ignored=keys.ROOT_IGNORED, refused=keys.ROOT_REFUSED)
    provider = _provider(scope.root.need(fields, "provider", mend="add provider: {name: aws}"))
    if "plugins" in fields:
        _check_plugins(fields["plugins"])
    if "package" in fields:
        _check_package(fields["package"])
    functions = _functions(fields.get("functions"))
    results = _results(fields.get("custom"), functions)
    folder = root.place.file.absolute().parent.resolve()
    return Manifest(
        file=root.place.file,
        service=scope.service,
        stage=scope.stage,
        region=scope.region,
        functions=tuple(
            _function(field, key, provider, folder, results.get(key))
            for key, field in functions.items()
        ),
    )


def _provider(field: Field) -> dict[str, Field]:
    fields = field.fields(
        keys.PROVIDER, ignored=keys.PROVIDER_IGNORED, refused={"layers": keys.NO_LAYERS}
    )
    name = field.need(fields, "name", mend="add name: aws")
    if name.text() != "aws":
        name.fail(f"the provider {name.text()!r} is not supported", mend="write name: aws")
    if "runtime" in fields:
        checks.runtime(fields["runtime"])
    if "apiGateway" in fields:
        fields["apiGateway"].fields(
            (), ignored=keys.API_GATEWAY_IGNORED, refused=keys.API_GATEWAY_REFUSED
        )
    if "logs" in fields:
        fields["logs"].fields((), ignored=keys.LOGS_IGNORED, refused=keys.LOGS_REFUSED)
    return fields


def _check_plugins(field: Field) -> None:
    if isinstance(field.node.value, dict):
        field = field.fields(["modules"], ignored=["localPath"]).get("modules", field)
    for plugin in field.items():
        if plugin.text() not in keys.PLUGINS_IGNORED:
            plugin.fail(
                f"the plugin {plugin.text()!r} cannot be run here, and may change anything",
                mend=f"without effect, and allowed: {', '.join(keys.PLUGINS_IGNORED)}",
            )


def _check_package(field: Field) -> None:
    field.fields((), ignored=keys.PACKAGE_IGNORED, refused=keys.PACKAGE_REFUSED)


def _functions(field: Field | None) -> dict[str, Field]:
    """Return the functions by key; `functions` may be a list of such mappings."""
    if field is None:
        return {}
    parts = field.items() if isinstance(field.node.value, list) else [field]
    found: dict[str, Field] = {}
    for part in parts:
        for key, function in part.entries().items():
            if key in found:
                function.fail(f"is there already, in line {found[key].place.line}")
            found[key] = function
    return found


def _results(custom: Field | None, functions: Mapping[str, Field]) -> dict[str, str]:
    """Read `custom: iot-button: results:`, ours alone: a topic for what a function returns."""
    entries = custom.entries() if custom else {}
    ours = entries["iot-button"].fields(["results"]) if "iot-button" in entries else {}
    if "results" not in ours:
        return {}
    results = ours["results"].fields(functions)
    return {key: checks.result_topic(topic) for key, topic in results.items()}


def _function(
    field: Field, key: str, provider: Mapping[str, Field], root: Path, result: str | None
) -> FunctionSpec:
    fields = field.fields(
        keys.FUNCTION, ignored=keys.FUNCTION_IGNORED, refused=keys.FUNCTION_REFUSED
    )
    if "package" in fields:
        _check_package(fields["package"])
    if "runtime" in fields:
        checks.runtime(fields["runtime"])
    elif "runtime" not in provider:
        field.fail("runtime is missing", mend="add runtime: python3.11 to the provider")
    handler = field.need(fields, "handler", mend="add handler: MODULE.FUNCTION")
    name = fields.get("name")
    return FunctionSpec(
        name=checks.function_name(name or field, name.text() if name else key),
        handler=checks.handler(handler, root),
        root=root,
        place=field.place,
        description=fields["description"].any_text() if "description" in fields else "",
        environment=checks.environment(
            *(
                layer["environment"].entries()
                for layer in (provider, fields)
                if "environment" in layer
            )
        ),
        publish_result_to=result,
        **_limits(fields, provider),
        **_destinations(fields),
        **_events(fields, provider),
    )


def _limits(fields: Mapping[str, Field], provider: Mapping[str, Field]) -> dict[str, Any]:
    timeout = fields.get("timeout") or provider.get("timeout")
    memory = fields.get("memorySize") or provider.get("memorySize")
    limits: dict[str, Any] = {
        "timeout": float(timeout.integer(1, 900) if timeout else TIMEOUT),
        "memory_megabytes": memory.integer(128, 10_240) if memory else MEMORY_MEGABYTES,
    }
    if "reservedConcurrency" in fields:
        limits["reserved_concurrency"] = fields["reservedConcurrency"].integer(0)
    if "maximumRetryAttempts" in fields:
        limits["retries"] = fields["maximumRetryAttempts"].integer(0, 2)
    if "maximumEventAge" in fields:
        limits["event_age"] = float(fields["maximumEventAge"].integer(60, 21_600))
    return limits


def _destinations(fields: Mapping[str, Field]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "onError" in fields:
        found["dead_letter_topic"] = checks.topic_of_arn(fields["onError"])
    if "destinations" in fields:
        named = fields["destinations"].fields(["onSuccess", "onFailure"])
        for key, name in (("onSuccess", "on_success"), ("onFailure", "on_failure")):
            if key in named:
                found[name] = _destination(named[key])
    return found


def _destination(field: Field) -> str:
    if not isinstance(field.node.value, dict):
        return checks.topic_of_arn(field)
    fields = field.fields(["type", "arn"])
    kind = field.need(fields, "type").choice("function", "sns", "sqs", "eventBus")
    if kind in ("function", "eventBus"):
        checks.no_destination(fields["type"], kind)
    return checks.topic_of_arn(field.need(fields, "arn"))


def _events(fields: Mapping[str, Field], provider: Mapping[str, Field]) -> dict[str, Any]:
    form = _payload(fields.get("httpApi"), _provider_payload(provider.get("httpApi")))
    found = events(fields["events"], form=form) if "events" in fields else []
    return {
        "rules": tuple(event for event in found if isinstance(event, IotRule)),
        "schedules": tuple(event for event in found if isinstance(event, Schedule)),
        "routes": tuple(event for event in found if isinstance(event, HttpRoute)),
    }


def _provider_payload(field: Field | None) -> Form:
    if field is None:
        return "2.0"
    fields = field.fields(["payload"], ignored=keys.HTTP_API_IGNORED, refused=keys.HTTP_API_REFUSED)
    return _form(fields["payload"]) if "payload" in fields else "2.0"


def _payload(field: Field | None, default: Form) -> Form:
    fields = field.fields(["payload"]) if field else {}
    return _form(fields["payload"]) if "payload" in fields else default


def _form(field: Field) -> Form:
    return "1.0" if field.choice("1.0", "2.0") == "1.0" else "2.0"
