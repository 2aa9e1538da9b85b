"""The Lambda API's answers to what the runtime refuses."""

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from functions.runtime.control import ThrottledError, UnknownFunctionError
from functions.runtime.http.aws_errors import AwsError, lambda_answer
from functions.runtime.http.deployment import Deployment
from iot_button.errors import IotButtonError


def too_many(reason: str) -> AwsError:
    """Return the error for a limit of concurrency. `reason`: Lambda's ThrottleReason."""
    return AwsError(429, "TooManyRequestsException", "Rate Exceeded.", Reason=reason)


def add_error_handlers(blueprint: Blueprint, deployment: Deployment) -> None:
    """Answer a blueprint's errors as the Lambda API does."""

    def answer(error: Exception) -> Response:
        return lambda_answer(_as_aws(error, deployment))

    for kind in (AwsError, IotButtonError, RequestEntityTooLarge):
        blueprint.register_error_handler(kind, answer)


def _as_aws(error: Exception, deployment: Deployment) -> AwsError:
    match error:
        case AwsError():
            return error
        case UnknownFunctionError(name=name):
            message = f"Function not found: {deployment.function_arn(name)}"
            return AwsError(404, "ResourceNotFoundException", message)
        case ThrottledError():
            return too_many("ReservedFunctionConcurrentInvocationLimitExceeded")
        case HTTPException():
            limit = request.max_content_length
            message = f"Request must be smaller than {limit} bytes for the operation"
            return AwsError(413, "RequestTooLargeException", message)
        case IotButtonError(problem=problem):
            return AwsError(500, "ServiceException", problem)
        case _:
            return AwsError(500, "ServiceException", "An error occurred and the request failed.")
