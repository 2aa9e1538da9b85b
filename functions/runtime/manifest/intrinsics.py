"""CloudFormation's intrinsic functions, as far as they can be known before anything is deployed.

AWS CloudFormation user guide, "Intrinsic function reference" and "Pseudo parameters reference".
Ref, Fn::Sub, Fn::GetAtt (Arn and names), Fn::Join and Fn::FindInMap. The account is 000000000000.
A queue or an SNS topic without a name of its own is known by its logical id: on AWS it would get
one with random letters.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.nodes import Absent, Node
from functions.runtime.manifest.parameters import check
from functions.runtime.manifest.scope import MAX_TEXT, Scope

ACCOUNT = "000000000000"
PARTITION = "aws"

_PLACEHOLDER = re.compile(r"\$\{(!?)([^{}]*)\}")
_NOT_KNOWN = "write the value itself, or a Parameter with a Default"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a type of resource is named: `name_key`, and the end of its ARN after `arn:aws:`.

    `ref`: what `Ref` gives: the name, the ARN or a queue's URL. `has_name`: whether it can be known
    without a name of its own.
    """

    name_key: str
    arn: str
    ref: str = "{name}"
    has_name: bool = False


_KINDS = {
    "AWS::SQS::Queue": _Kind(
        "QueueName",
        "sqs:{region}:{account}:{name}",
        ref="https://sqs.{region}.amazonaws.com/{account}/{name}",
        has_name=True,
    ),
    "AWS::SNS::Topic": _Kind(
        "TopicName",
        "sns:{region}:{account}:{name}",
        ref="arn:aws:sns:{region}:{account}:{name}",
        has_name=True,
    ),
    "AWS::Serverless::Function": _Kind(
        "FunctionName", "lambda:{region}:{account}:function:{name}", has_name=True
    ),
    "AWS::DynamoDB::Table": _Kind("TableName", "dynamodb:{region}:{account}:table/{name}"),
    "AWS::Serverless::SimpleTable": _Kind("TableName", "dynamodb:{region}:{account}:table/{name}"),
    "AWS::S3::Bucket": _Kind("BucketName", "s3:::{name}"),
    "AWS::IAM::Role": _Kind("RoleName", "iam::{account}:role/{name}"),
    "AWS::Events::EventBus": _Kind("Name", "events:{region}:{account}:event-bus/{name}"),
    "AWS::Kinesis::Stream": _Kind("Name", "kinesis:{region}:{account}:stream/{name}"),
}


class IntrinsicScope(Scope):
    """Gives intrinsic functions their values; a subclass says what the template holds."""

    @property
    def region(self) -> str:
        """The value of AWS::Region."""
        raise NotImplementedError

    @property
    def stack(self) -> str:
        """The value of AWS::StackName."""
        raise NotImplementedError

    def resources(self) -> dict[str, Field]:
        """Return the template's resources by their logical ids."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Field]:
        """Return the template's parameters by their names."""
        raise NotImplementedError

    def mappings(self) -> dict[str, Field]:
        """Return the template's mappings by their names."""
        raise NotImplementedError

    def is_dynamic(self, node: Node) -> bool:
        """Whether a node is one function and nothing else."""
        if not isinstance(node.value, dict) or len(node.value) != 1:
            return False
        (name,) = node.value
        return name in ("Ref", "Condition") or name.startswith("Fn::")

    def evaluate(self, field: Field) -> Node:
        """Return what the function gives."""
        assert isinstance(field.raw.value, dict)  # noqa: S101  is_dynamic has seen it
        ((name, node),) = field.raw.value.items()
        known: dict[str, Callable[[Field], Node]] = {
            "Ref": self._ref,
            "Fn::Sub": self._sub,
            "Fn::GetAtt": self._get_att,
            "Fn::Join": self._join,
            "Fn::FindInMap": self._find_in_map,
        }
        if name not in known:
            field.fail(f"{name} cannot be known here", mend=_NOT_KNOWN)
        return known[name](field.at(node, name))

    def _ref(self, field: Field) -> Node:
        name = field.text()
        if name == "AWS::NoValue":
            return Node(Absent(), field.place)
        return self._named(field, name)

    def _named(self, field: Field, name: str) -> Node:
        pseudo: dict[str, Callable[[], str]] = {
            "AWS::Region": lambda: self.region,
            "AWS::AccountId": lambda: ACCOUNT,
            "AWS::StackName": lambda: self.stack,
            "AWS::Partition": lambda: PARTITION,
            "AWS::URLSuffix": lambda: "amazonaws.com",
        }
        if name in pseudo:
            return Node(pseudo[name](), field.place)
        if name in (parameters := self.parameters()):
            return self._default(field, name, parameters[name])
        return Node(self._of_resource(field, name, ""), field.place)

    def _default(self, field: Field, name: str, parameter: Field) -> Node:
        entries = parameter.entries()
        check(parameter)
        kind = entries["Type"].text()
        if kind.startswith("AWS::SSM::"):
            field.fail(f"the parameter {name} is kept at AWS (SSM)", mend=_NOT_KNOWN)
        if "Default" not in entries:
            field.fail(f"the parameter {name} has no Default", mend=f"add one at {parameter.key}")
        return entries["Default"].node

    def _sub(self, field: Field) -> Node:
        """Fill a text's `${Name}` and `${Name.Attribute}`; `${!Name}` is a plain `${Name}`."""
        variables: dict[str, Field] = {}
        text_field = field
        if isinstance(field.node.value, list):
            items = field.items()
            if len(items) != 2:
                field.fail("takes a text, or a list of a text and a mapping")
            text_field, variables = items[0], items[1].entries()
        text = text_field.any_text()
        filled = _PLACEHOLDER.sub(lambda match: self._placed(field, match, variables), text)
        return Node(filled, field.place)

    def _placed(self, field: Field, match: re.Match[str], variables: dict[str, Field]) -> str:
        name = match[2].strip()
        if match[1]:
            return f"${{{match[2]}}}"
        if name in variables:
            return variables[name].any_text()
        resource, dot, attribute = name.partition(".")
        if dot:
            return self._of_resource(field, resource, attribute)
        return field.text_of(self._named(field, name))

    def _get_att(self, field: Field) -> Node:
        if isinstance(field.node.value, list):
            parts = [item.text() for item in field.items()]
        else:
            parts = field.text().split(".", 1)
        if len(parts) != 2:
            field.fail("takes a resource and an attribute, as in Queue.Arn")
        return Node(self._of_resource(field, *parts), field.place)

    def _of_resource(self, field: Field, name: str, attribute: str) -> str:
        """Return an attribute of a resource; without one, what `Ref` gives."""
        resources = self.resources()
        if name not in resources:
            field.fail(f"there is no resource or parameter {name!r} in this manifest")
        entries = resources[name].entries()
        kind_name = resources[name].need(entries, "Type").text()
        kind = _KINDS.get(kind_name)
        if kind is None:
            field.fail(f"a value of {name} ({kind_name}) cannot be known here", mend=_NOT_KNOWN)
        forms = {"": kind.ref, "Arn": f"arn:aws:{kind.arn}", kind.name_key: "{name}"}
        if kind_name == "AWS::SNS::Topic":
            forms["TopicArn"] = kind.ref
        if kind_name == "AWS::SQS::Queue":
            forms["QueueUrl"] = kind.ref
        if attribute not in forms:
            field.fail(f"{name}.{attribute} cannot be known here", mend=_NOT_KNOWN)
        return forms[attribute].format(
            name=self._name(field, name, entries, kind), region=self.region, account=ACCOUNT
        )

    def _name(self, field: Field, logical: str, entries: dict[str, Field], kind: _Kind) -> str:
        properties = entries["Properties"].entries() if "Properties" in entries else {}
        if kind.name_key in properties and not properties[kind.name_key].is_absent:
            return properties[kind.name_key].text()
        if not kind.has_name:
            field.fail(
                f"the name of {logical} is made when it is deployed",
                mend=f"give the resource a {kind.name_key}",
            )
        return logical

    def _join(self, field: Field) -> Node:
        parts = field.items()
        if len(parts) != 2:
            field.fail("takes a separator and a list")
        text = parts[0].any_text().join(item.any_text() for item in parts[1].items())
        if len(text) > MAX_TEXT:
            field.fail(f"longer than {MAX_TEXT} characters")
        return Node(text, field.place)

    def _find_in_map(self, field: Field) -> Node:
        keys = [item.text() for item in field.items()]
        if len(keys) != 3:
            field.fail("takes a map's name and two keys")
        found = self.mappings()
        for key in keys:
            if key not in found:
                field.fail(f"the Mappings have no {'.'.join(keys)}")
            found, last = (found[key].entries() if key is not keys[2] else {}), found[key]
        return last.node
