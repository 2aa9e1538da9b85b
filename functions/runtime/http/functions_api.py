"""The part of the Lambda API that asks what functions there are and sets their concurrency.

ListFunctions, GetFunction, GetFunctionConfiguration, PutFunctionConcurrency,
DeleteFunctionConcurrency and GetFunctionConcurrency (Lambda API reference). Differences: there is
one page of functions, no code to download, and no environment variables, which may be secrets and
need no permission here.
"""

import json
import platform
from typing import Any

from flask import Blueprint, Response, jsonify, request

from functions.runtime.control import Control, FunctionStatus, State, UnknownFunctionError
from functions.runtime.http.aws_errors import AwsError
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.function_names import LATEST, function_name
from functions.runtime.http.lambda_errors import add_error_handlers
from functions.runtime.http.whole_body import whole_body

MAX_BODY_BYTES = 64 * 1024
_MAX_CONCURRENCY = 10_000
"""More environments than any one machine can have; what is above is a slip of the hand."""


def create_blueprint(control: Control, deployment: Deployment) -> Blueprint:
    """Return the operations that do not run a function."""
    blueprint = Blueprint("functions_api", __name__)

    @blueprint.get("/2015-03-31/functions")
    @blueprint.get("/2015-03-31/functions/")
    def list_functions() -> Response:
        found = [_configuration(status, deployment) for status in control.functions()]
        return jsonify(Functions=found)

    @blueprint.get("/2015-03-31/functions/<name>")
    def get_function(name: str) -> Response:
        status = _status(control, name, deployment)
        answer = {"Configuration": _configuration(status, deployment), **_concurrency(status)}
        return jsonify(answer)

    @blueprint.get("/2015-03-31/functions/<name>/configuration")
    def get_configuration(name: str) -> Response:
        return jsonify(_configuration(_status(control, name, deployment), deployment))

    @blueprint.put("/2017-10-31/functions/<name>/concurrency")
    def put_concurrency(name: str) -> Response:
        wanted = _concurrency_asked_for()
        control.throttle(_status(control, name, deployment).spec.name, wanted)
        return jsonify(ReservedConcurrentExecutions=wanted)

    @blueprint.delete("/2017-10-31/functions/<name>/concurrency")
    def delete_concurrency(name: str) -> Response:
        control.throttle(_status(control, name, deployment).spec.name, None)
        return Response(status=204)

    @blueprint.get("/2019-09-30/functions/<name>/concurrency")
    def get_concurrency(name: str) -> Response:
        return jsonify(_concurrency(_status(control, name, deployment)).get("Concurrency", {}))

    add_error_handlers(blueprint, deployment)
    return blueprint


def _status(control: Control, asked_for: str, deployment: Deployment) -> FunctionStatus:
    name = function_name(asked_for, request.args.get("Qualifier"), deployment)
    statuses = control.functions()
    for status in statuses:
        if status.spec.name == name:
            return status
    raise UnknownFunctionError(name, [status.spec.name for status in statuses])


def _configuration(status: FunctionStatus, deployment: Deployment) -> dict[str, Any]:
    spec = status.spec
    return {
        "FunctionName": spec.name,
        "FunctionArn": deployment.function_arn(spec.name),
        "Runtime": f"python{'.'.join(platform.python_version_tuple()[:2])}",
        "Handler": spec.handler,
        "Description": spec.description,
        "Timeout": max(1, round(spec.timeout)),
        "MemorySize": spec.memory_megabytes,
        "Version": LATEST,
        "State": "Inactive" if status.state is State.PAUSED else "Active",
        "PackageType": "Zip",
    }


def _concurrency(status: FunctionStatus) -> dict[str, Any]:
    """Return the limit in force; a function without one of its own has the machine's cores."""
    return {"Concurrency": {"ReservedConcurrentExecutions": status.concurrency_limit}}


def _concurrency_asked_for() -> int:
    try:
        body = json.loads(whole_body(MAX_BODY_BYTES))
    except (ValueError, RecursionError) as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError(400, "InvalidRequestContentException", message) from None
    wanted = body.get("ReservedConcurrentExecutions") if isinstance(body, dict) else None
    if type(wanted) is not int or not 0 <= wanted <= _MAX_CONCURRENCY:
        message = f"ReservedConcurrentExecutions is a number from 0 to {_MAX_CONCURRENCY}"
        raise AwsError(400, "InvalidParameterValueException", message)
    return wanted
