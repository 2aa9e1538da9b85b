"""A SAM template read into a manifest (AWS SAM developer guide, "AWS::Serverless::Function").

Only functions do something here. Queues, topics, tables and roles are what functions refer to.
A function's name here is its logical id, or its FunctionName; on AWS, without a FunctionName, it
would be STACK-LOGICALID-RANDOM. The stack's name is the folder's. Defaults are Lambda's own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.runtime.manifest import checks, parameters
from functions.runtime.manifest import sam_keys as keys
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.intrinsics import IntrinsicScope
from functions.runtime.manifest.model import FunctionSpec, HttpRoute, IotRule, Manifest, Schedule
from functions.runtime.manifest.nodes import Node, is_there
from functions.runtime.manifest.sam_events import events

STAGE = "Prod"
"""What SAM calls the stage of the API that it makes by itself."""
DEFAULT_REGION = "us-east-1"


class SamScope(IntrinsicScope):
    """Values for one template."""

    word_is_boolean = True

    def __init__(self, root: Node, *, region: str, stack: str) -> None:
        super().__init__()
        self.root = Field(root, "", self)
        self._region = region
        self._stack = stack

    def resolve(self, field: Field) -> Node:
        """Return the node that a field stands for; null is refused, as CloudFormation does."""
        if field.raw.value is None:
            field.fail("has no value", mend="leave the key out, or write !Ref AWS::NoValue")
        return super().resolve(field)

    @property
    def region(self) -> str:
        """The region, of the environment: a template names none."""
        return self._region

    @property
    def stack(self) -> str:
        """The stack's name, which a template does not say."""
        return self._stack

    def resources(self) -> dict[str, Field]:
        """Return the template's resources."""
        return self._section("Resources")

    def parameters(self) -> dict[str, Field]:
        """Return the template's parameters."""
        return self._section("Parameters")

    def mappings(self) -> dict[str, Field]:
        """Return the template's mappings."""
        return self._section("Mappings")

    def _section(self, name: str) -> dict[str, Field]:
        entries = self.root.entries()
        return entries[name].entries() if name in entries else {}


def read(root: Node, *, environ: Mapping[str, str]) -> Manifest:
    """Return the manifest of a SAM template.

    Raises:
        ManifestError: naming file, line and dotted key.
    """
    file = root.place.file
    folder = file.absolute().parent.resolve()
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    scope = SamScope(root, region=region, stack=folder.name)
    fields = scope.root.fields(keys.ROOT, ignored=keys.ROOT_IGNORED, refused=keys.ROOT_REFUSED)
    _check_transform(scope.root.need(fields, "Transform", mend=f"add Transform: {keys.TRANSFORM}"))
    for parameter in scope.parameters().values():
        parameters.check(parameter)
    defaults = _globals(fields.get("Globals"))
    functions = []
    for name, resource in scope.root.need(fields, "Resources").entries().items():
        kind = resource.need(resource.entries(), "Type").text()
        if kind == "AWS::Serverless::Function":
            functions.append(_function(resource, name, defaults, folder))
        else:
            _check_other(resource, kind)
    return Manifest(
        file=file, service=folder.name, stage=STAGE, region=region, functions=tuple(functions)
    )


def _check_transform(field: Field) -> None:
    value = field.node.value
    names = field.items() if isinstance(value, list) else [field]
    texts = [name.text() for name in names]
    if keys.TRANSFORM not in texts:
        field.fail(f"{keys.TRANSFORM} is missing: not a SAM template")
    for name in names:
        if name.text() not in (keys.TRANSFORM, "AWS::LanguageExtensions"):
            name.fail(f"the transform {name.text()!r} cannot be run here")


def _globals(field: Field | None) -> dict[str, Field]:
    if field is None:
        return {}
    sections = field.fields(["Function", "Api", "HttpApi"], ignored=keys.GLOBALS_IGNORED)
    for name in ("Api", "HttpApi"):
        if name in sections:
            _check_api(sections[name])
    if "Function" not in sections:
        return {}
    return sections["Function"].fields(
        keys.GLOBAL_FUNCTION, ignored=keys.FUNCTION_IGNORED, refused=keys.FUNCTION_REFUSED
    )


def _check_other(resource: Field, kind: str) -> None:
    """Refuse what would run code, or guard an API that is open here."""
    entries = resource.entries()
    if kind in keys.RESOURCES_REFUSED:
        entries["Type"].fail(f"{kind} is not supported here", mend=keys.RESOURCES_REFUSED[kind])
    if kind in ("AWS::Serverless::Api", "AWS::Serverless::HttpApi") and "Properties" in entries:
        _check_api(entries["Properties"])


def _check_api(field: Field) -> None:
    field.fields((), ignored=keys.API_IGNORED, refused=keys.API_REFUSED)


def _function(
    resource: Field, logical: str, defaults: Mapping[str, Field], folder: Path
) -> FunctionSpec:
    parts = resource.fields(
        keys.RESOURCE, ignored=keys.RESOURCE_IGNORED, refused=keys.RESOURCE_REFUSED
    )
    field = resource.need(parts, "Properties")
    own = field.fields(keys.FUNCTION, ignored=keys.FUNCTION_IGNORED, refused=keys.FUNCTION_REFUSED)
    fields = {**defaults, **own}
    checks.runtime(field.need(fields, "Runtime", mend="add Runtime: python3.11"))
    if "PackageType" in fields:
        fields["PackageType"].choice("Zip")
    root = _code(fields.get("CodeUri"), folder)
    handler = field.need(fields, "Handler", mend="add Handler: MODULE.FUNCTION")
    name = fields.get("FunctionName")
    return FunctionSpec(
        name=checks.function_name(name or resource, name.text() if name else logical),
        handler=checks.handler(handler, root),
        root=root,
        place=resource.place,
        description=fields["Description"].any_text() if "Description" in fields else "",
        environment=checks.environment(_variables(defaults), _variables(own)),
        publish_result_to=_result(parts.get("Metadata")),
        **_limits(fields),
        **_invoke_config(defaults, own),
        **_dead_letters(fields.get("DeadLetterQueue")),
        **_events(fields.get("Events")),
    )


def _code(field: Field | None, folder: Path) -> Path:
    """Return the folder that a function is imported from; CodeUri is relative to the template."""
    if field is None:
        return folder
    if isinstance(field.node.value, dict):
        field.fail("code in S3 cannot be run here", mend="write a folder, relative to this file")
    text = field.text()
    path = folder / text
    if "://" in text or not is_there(path, folder=True):
        field.fail(f"{text!r} is no folder here", mend="write a folder, relative to this file")
    return path.resolve()


def _variables(fields: Mapping[str, Field]) -> dict[str, Field]:
    if "Environment" not in fields:
        return {}
    named = fields["Environment"].fields(["Variables"])
    return named["Variables"].entries() if "Variables" in named else {}


def _result(field: Field | None) -> str | None:
    """Read Metadata's `IotButton: {PublishResultTo: TOPIC}`, ours alone."""
    entries = field.entries() if field else {}
    ours = entries["IotButton"].fields(["PublishResultTo"]) if "IotButton" in entries else {}
    topic = ours.get("PublishResultTo")
    return checks.result_topic(topic) if topic else None


def _limits(fields: Mapping[str, Field]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if "Timeout" in fields:
        limits["timeout"] = float(fields["Timeout"].integer(1, 900))
    if "MemorySize" in fields:
        limits["memory_megabytes"] = fields["MemorySize"].integer(128, 10_240)
    if "ReservedConcurrentExecutions" in fields:
        limits["reserved_concurrency"] = fields["ReservedConcurrentExecutions"].integer(0)
    return limits


def _invoke_config(defaults: Mapping[str, Field], own: Mapping[str, Field]) -> dict[str, Any]:
    """Read EventInvokeConfig; the function's keys win over those of the Globals, one by one."""
    fields: dict[str, Field] = {}
    for layer in (defaults, own):
        if "EventInvokeConfig" in layer:
            fields |= layer["EventInvokeConfig"].fields(keys.INVOKE)
    config: dict[str, Any] = {}
    if "MaximumRetryAttempts" in fields:
        config["retries"] = fields["MaximumRetryAttempts"].integer(0, 2)
    if "MaximumEventAgeInSeconds" in fields:
        config["event_age"] = float(fields["MaximumEventAgeInSeconds"].integer(60, 21_600))
    if "DestinationConfig" in fields:
        named = fields["DestinationConfig"].fields(["OnSuccess", "OnFailure"])
        for key, name in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
            if key in named:
                config[name] = _destination(named[key])
    return config


def _destination(field: Field) -> str:
    fields = field.fields(["Type", "Destination"])
    if "Type" in fields:
        kind = fields["Type"].choice("SQS", "SNS", "Lambda", "EventBridge")
        if kind in ("Lambda", "EventBridge"):
            checks.no_destination(fields["Type"], kind)
    return checks.topic_of_arn(
        field.need(fields, "Destination", mend="SAM would make a queue or topic; name one here")
    )


def _dead_letters(field: Field | None) -> dict[str, Any]:
    if field is None:
        return {}
    fields = field.fields(["Type", "TargetArn"])
    field.need(fields, "Type", mend="add Type: SQS").choice("SNS", "SQS")
    return {"dead_letter_topic": checks.topic_of_arn(field.need(fields, "TargetArn"))}


def _events(field: Field | None) -> dict[str, Any]:
    found = events(field) if field else []
    return {
        "rules": tuple(event for event in found if isinstance(event, IotRule)),
        "schedules": tuple(event for event in found if isinstance(event, Schedule)),
        "routes": tuple(event for event in found if isinstance(event, HttpRoute)),
    }
