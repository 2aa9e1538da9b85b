"""Where the variables of a serverless.yml get their values (Serverless Framework, "Variables").

What only AWS knows (`ssm`, `s3`, `cf`) has no value here, as if it were not set there: a fallback
in the variable is used, and without one it is an error.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.intrinsics import ACCOUNT, IntrinsicScope
from functions.runtime.manifest.nodes import Node, is_there, read
from functions.runtime.manifest.scope import MAX_TEXT
from functions.runtime.manifest.variables import Template, Variable, parse

DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-1"

_SOURCE = re.compile(r"([a-z][A-Za-z0-9]*)(?:\((.*?)\))?(?::(.*))?", re.DOTALL)
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_AT_AWS = ("ssm", "s3", "cf", "aws")
_MEND = "give it a fallback, as in ${env:NAME, 'value'}"


class ServerlessScope(IntrinsicScope):
    """Values for one serverless.yml. `options`: the command line's, as in `${opt:stage}`."""

    def __init__(self, root: Node, *, options: Mapping[str, str], environ: Mapping[str, str]):
        super().__init__()
        self.root = Field(root, "", self)
        self._options = options
        self._environ = environ
        self._files: dict[Path, Node] = {}

    @property
    def stage(self) -> str:
        """The stage: of the command line, of the provider, or `dev`."""
        return self._setting("stage", DEFAULT_STAGE)

    @property
    def region(self) -> str:
        """The region: of the command line, of the provider, or `us-east-1`."""
        return self._setting("region", DEFAULT_REGION)

    @property
    def service(self) -> str:
        """The service's name; its older form is a mapping with a name."""
        service = self.root.need(self.root.entries(), "service", mend="add service: NAME")
        if isinstance(service.node.value, dict):
            named = service.fields(["name"], ignored=["awsKmsKeyArn"])
            service = service.need(named, "name")
        return service.text()

    @property
    def stack(self) -> str:
        """The CloudFormation stack's name, as the framework makes it."""
        name = self._at(self.root, "provider.stackName")
        return name.text() if name else f"{self.service}-{self.stage}"

    def resources(self) -> dict[str, Field]:
        """Return the CloudFormation resources; `resources` may be a list of such templates."""
        return self._of_templates("Resources")

    def parameters(self) -> dict[str, Field]:
        """Return the CloudFormation parameters."""
        return self._of_templates("Parameters")

    def mappings(self) -> dict[str, Field]:
        """Return the CloudFormation mappings."""
        return self._of_templates("Mappings")

    def is_dynamic(self, node: Node) -> bool:
        """Whether a node holds a variable or is an intrinsic function."""
        if isinstance(node.value, str):
            return "${" in node.value
        return super().is_dynamic(node)

    def evaluate(self, field: Field) -> Node:
        """Return the node with the variables of its text replaced, or the function's result."""
        if not isinstance(field.raw.value, str):
            return super().evaluate(field)
        try:
            template = parse(field.raw.value)
        except ValueError as error:
            field.fail(str(error))
        return self._filled(field, template)

    def _filled(self, field: Field, template: Template) -> Node:
        if len(template) == 1 and isinstance(template[0], Variable):
            return self._value(field, template[0])
        pieces = [
            piece if isinstance(piece, str) else field.text_of(self._value(field, piece))
            for piece in template
        ]
        text = "".join(pieces)
        if len(text) > MAX_TEXT:
            field.fail(f"longer than {MAX_TEXT} characters")
        return Node(text, field.place)

    def _value(self, field: Field, variable: Variable) -> Node:
        """Return the first source's value that there is; a literal null counts, as the last."""
        for template in variable.sources:
            node = self._of_source(field, template)
            if node is not None and (node.value is not None or template == ("null",)):
                return node
        return field.fail(f"{variable.text} has no value here", mend=_MEND)

    def _of_source(self, field: Field, template: Template) -> Node | None:
        if len(template) == 1 and isinstance(template[0], Variable):
            return self._optional(field, template[0])
        text = str(self._filled(field, template).value)
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            return Node(text[1:-1], field.place)
        if text in _LITERALS:
            return Node(_LITERALS[text], field.place)
        if re.fullmatch(r"-?[0-9]{1,15}", text):
            return Node(int(text), field.place)
        match = _SOURCE.fullmatch(text)
        if match is None or (match[2] is None and match[3] is None):
            field.fail(
                f"{text!r} is no source of a variable", mend=f"a text needs quotes: '{text}'"
            )
        return self._asked(field, match[1], (match[2] or "").strip(), (match[3] or "").strip())

    def _optional(self, field: Field, inner: Variable) -> Node | None:
        """Return a nested variable's value; None lets the next fallback take its place."""
        found = (self._of_source(field, template) for template in inner.sources)
        return next((node for node in found if node is not None and node.value is not None), None)

    def _asked(self, field: Field, source: str, argument: str, address: str) -> Node | None:
        known: dict[str, Callable[[], Node | None]] = {
            "self": lambda: self._below(self.root, address),
            "opt": lambda: self._text(field, self._options.get(address)),
            "env": lambda: self._text(field, self._environ.get(address)),
            "param": lambda: self._parameter(address),
            "file": lambda: self._of_file(field, argument, address),
            "strToBool": lambda: self._boolean(field, argument),
        }
        if source in known:
            return known[source]()
        facts = {"sls:stage": lambda: self.stage, "aws:region": lambda: self.region}
        if (fact := facts.get(f"{source}:{address}")) is not None:
            return Node(fact(), field.place)
        if f"{source}:{address}" == "aws:accountId":
            return Node(ACCOUNT, field.place)
        if source in _AT_AWS:
            return None
        return field.fail(f"${{{source}:{address}}}: the source {source} is not supported here")

    def _text(self, field: Field, text: str | None) -> Node | None:
        return None if text is None else Node(text, field.place)

    def _boolean(self, field: Field, argument: str) -> Node:
        values = {"true": True, "1": True, "false": False, "0": False}
        if argument.lower() not in values:
            field.fail(f"strToBool takes true, false, 1 or 0, not {argument!r}")
        return Node(values[argument.lower()], field.place)

    def _parameter(self, name: str) -> Node | None:
        """Ask `params` of the stage, then its `default`."""
        for stage in (self.stage, "default"):
            if (found := self._at(self.root, f"params.{stage}.{name}")) is not None:
                return found.node
        return None

    def _of_file(self, field: Field, name: str, address: str) -> Node | None:
        path = self.root.place.file.parent / name
        if path.suffix not in (".yml", ".yaml", ".json"):
            field.fail(f"file({name}): only YAML and JSON files are read here")
        if path not in self._files:
            if not is_there(path):
                return None
            self._files[path] = read(path)
        return self._below(Field(self._files[path], field.key, self), address)

    def _below(self, field: Field, address: str) -> Node | None:
        found = self._at(field, address)
        return found.node if found else None

    def _at(self, field: Field, address: str) -> Field | None:
        for name in address.split(".") if address else []:
            value = field.node.value
            if isinstance(value, dict) and name in value:
                field = field.at(value[name], name)
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                field = field.at(value[int(name)], int(name))
            else:
                return None
        return None if field.is_absent else field

    def _setting(self, name: str, default: str) -> str:
        if name in self._options:
            return self._options[name]
        field = self._at(self.root, f"provider.{name}")
        return field.text() if field else default

    def _of_templates(self, section: str) -> dict[str, Field]:
        top = self._at(self.root, "resources")
        if top is None:
            return {}
        templates = top.items() if isinstance(top.node.value, list) else [top]
        found: dict[str, Field] = {}
        for template in templates:
            if section in (entries := template.entries()):
                found |= entries[section].entries()
        return found
