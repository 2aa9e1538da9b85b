"""The environment variables of an execution environment: AWS Lambda's, ours, and the function's.

Source: AWS Lambda developer guide, "Defined runtime environment variables". Where we differ:
the credentials are dummies, since boto3 refuses to start without any; LAMBDA_TASK_ROOT and
LAMBDA_RUNTIME_DIR are folders of this machine; there is no AWS_LAMBDA_RUNTIME_API and no X-Ray.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from functions.runtime.manifest.checks import RESERVED, VARIABLE_MEND, VARIABLE_NAME
from functions.runtime.manifest.model import FunctionSpec
from iot_button.errors import IotButtonError

VERSION = "$LATEST"
STATE_FOLDER = "FUNCTION_STATE_FOLDER"
_DUMMY = "local"
_RUNTIME = Path(__file__).parent / "inside"

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_PASSED_ON = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    *_PROXIES,
    *(name.upper() for name in _PROXIES),
)


class FunctionVariableError(IotButtonError):
    """A function sets an environment variable that it cannot have."""

    exit_status = 2


def environment_variables(
    spec: FunctionSpec,
    *,
    region: str,
    log_stream: str,
    base: Mapping[str, str],
    endpoint: str | None,
    kept: Path | None = None,
) -> dict[str, str]:
    """Return all environment variables of one execution environment.

    Args:
        spec: the function.
        region: such as `eu-west-1`.
        log_stream: the name of this execution environment's log stream.
        base: our own process environment. Only what a program needs to run is passed on; nothing
            of ours, as the broker's password can be among it.
        endpoint: the URL where this runtime serves AWS's APIs; None where it does not.
        kept: where functions have folders that outlive a restart, made by those that want one;
            None: nowhere. AWS has nothing like it but a mounted file system.

    Raises:
        FunctionVariableError: the function sets a reserved variable, or one that cannot be.
    """
    _check(spec)
    passed_on = {name: base[name] for name in _PASSED_ON if name in base}
    defined = _of_lambda(spec, region=region, log_stream=log_stream)
    served = _of_endpoint(endpoint, passed_on) if endpoint else {}
    folder = {} if kept is None else {STATE_FOLDER: str(kept / spec.name)}
    return passed_on | defined | served | folder | spec.environment


def log_group(name: str) -> str:
    """Return the log group of a function, by its name."""
    return f"/aws/lambda/{name}"


def _of_lambda(spec: FunctionSpec, *, region: str, log_stream: str) -> dict[str, str]:
    return {
        "_HANDLER": spec.handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_megabytes),
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(spec.name),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_ACCESS_KEY_ID": _DUMMY,
        "AWS_SECRET_ACCESS_KEY": _DUMMY,
        "AWS_SESSION_TOKEN": _DUMMY,
        "LAMBDA_TASK_ROOT": str(spec.root),
        "LAMBDA_RUNTIME_DIR": str(_RUNTIME),
        # AWS has en_US.UTF-8, which a small Linux lacks; `locale.setlocale` would raise there.
        "LANG": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
        "TZ": ":UTC",
    }


def _of_endpoint(endpoint: str, passed_on: Mapping[str, str]) -> dict[str, str]:
    variables = {
        "AWS_ENDPOINT_URL_IOT_DATA_PLANE": endpoint,
        "AWS_ENDPOINT_URL_LAMBDA": endpoint,
    }
    if any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in passed_on):
        # Otherwise a handler would ask the proxy for what is on this machine.
        known = passed_on.get("no_proxy") or passed_on.get("NO_PROXY")
        exceptions = ",".join(filter(None, (known, urlsplit(endpoint).hostname)))
        variables |= {"no_proxy": exceptions, "NO_PROXY": exceptions}
    return variables


def _check(spec: FunctionSpec) -> None:
    for name, value in spec.environment.items():
        if name in RESERVED:
            problem, mend = "which AWS Lambda reserves", "give it another name"
        elif not VARIABLE_NAME.fullmatch(name):
            problem = "which is no name of an environment variable on AWS Lambda"
            mend = VARIABLE_MEND
        elif "\0" in value:
            problem, mend = "whose value has a NUL character", "leave the character out"
        else:
            continue
        raise FunctionVariableError(
            f"{spec.place}: {spec.name} sets the environment variable {name!r}, {problem}",
            mend=mend,
        )
