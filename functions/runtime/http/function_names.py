"""How the Lambda API names a function: by name, ARN or partial ARN, with or without a version."""

import re

from functions.runtime.http.aws_errors import AwsError
from functions.runtime.http.deployment import Deployment

LATEST = "$LATEST"

# AWS Lambda API reference, "Invoke", FunctionName.
_NAME = re.compile(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-[a-z]+)+-\d:)?(\d{12}:)?(function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)(:(?P<version>\$LATEST|[a-zA-Z0-9_-]+))?"
)


def function_name(asked_for: str, qualifier: str | None, deployment: Deployment) -> str:
    """Return the plain name of a function.

    Account and region of an ARN may be any: what runs on AWS under its own runs here unchanged.

    Raises:
        AwsError: this is no function's name, or a version or alias is asked for, of which there
            are none here.
    """
    match = _NAME.fullmatch(asked_for)
    if match is None:
        message = f"{asked_for!r} is neither a function's name nor its ARN"
        raise AwsError(400, "InvalidParameterValueException", message)
    versions = {version for version in (match["version"], qualifier) if version}
    if len(versions) > 1:
        message = "The derived qualifier from the function name does not match the qualifier"
        raise AwsError(400, "InvalidParameterValueException", message)
    if versions - {LATEST}:
        arn = deployment.function_arn(f"{match['name']}:{versions.pop()}")
        raise AwsError(404, "ResourceNotFoundException", f"Function not found: {arn}")
    return match["name"]
