"""The environment variables of an execution environment."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from functions.runtime.manifest.checks import RESERVED
from functions.runtime.manifest.model import FunctionSpec, Place
from functions.runtime.variables import FunctionVariableError, environment_variables

SPEC = FunctionSpec(
    name="enrich",
    handler="src/enrich.lambda_handler",
    root=Path("/srv/click"),
    place=Place(Path("serverless.yml"), 12),
    memory_megabytes=256,
)
ENDPOINT = "http://127.0.0.1:3000"


def variables(
    spec: FunctionSpec = SPEC, base: dict[str, str] | None = None, endpoint: str | None = None
) -> dict[str, str]:
    return environment_variables(
        spec, region="eu-west-1", log_stream="stream", base=base or {}, endpoint=endpoint
    )


def test_a_function_has_the_variables_that_aws_documents() -> None:
    made = variables()
    assert made.pop("LAMBDA_RUNTIME_DIR").endswith("/functions/runtime/inside")
    assert made.pop("LANG").endswith("UTF-8")
    assert made == {
        "_HANDLER": "src/enrich.lambda_handler",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": "enrich",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/enrich",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "LAMBDA_TASK_ROOT": "/srv/click",
        "TZ": ":UTC",
    }


def test_nothing_of_ours_is_passed_on() -> None:
    base = {
        "IOT_BUTTON_BROKER": "mqtt://user:secret@host",
        "PYTHONPATH": "/ours",
        "AWS_PROFILE": "the person's own",
        "AWS_SECRET_ACCESS_KEY": "real",
        "PATH": "/bin",
        "HOME": "/home/me",
        "SSL_CERT_FILE": "/certificates",
    }
    made = variables(base=base)
    assert "IOT_BUTTON_BROKER" not in made
    assert "PYTHONPATH" not in made
    assert "AWS_PROFILE" not in made
    assert made["AWS_SECRET_ACCESS_KEY"] == "local"
    kept = {name: made[name] for name in ("PATH", "HOME", "SSL_CERT_FILE")}
    assert kept == {"PATH": "/bin", "HOME": "/home/me", "SSL_CERT_FILE": "/certificates"}


def test_calls_of_aws_go_to_the_endpoint_where_there_is_one() -> None:
    made = variables(endpoint=ENDPOINT)
    assert made["AWS_ENDPOINT_URL_IOT_DATA_PLANE"] == ENDPOINT
    assert made["AWS_ENDPOINT_URL_LAMBDA"] == ENDPOINT
    assert not any(name.startswith("AWS_ENDPOINT") for name in variables())
    assert "no_proxy" not in made


@pytest.mark.parametrize(
    ("known", "exceptions"),
    [({}, "127.0.0.1"), ({"NO_PROXY": "intra.example"}, "intra.example,127.0.0.1")],
)
def test_the_endpoint_is_not_asked_for_through_a_proxy(
    known: dict[str, str], exceptions: str
) -> None:
    made = variables(base={"https_proxy": "http://proxy.example", **known}, endpoint=ENDPOINT)
    assert made["https_proxy"] == "http://proxy.example"
    assert (made["no_proxy"], made["NO_PROXY"]) == (exceptions, exceptions)


def test_the_function_has_the_last_word() -> None:
    own = {"TABLE": "clicks", "TZ": "Europe/Berlin", "PATH": "/mine", "LANG": "de_DE.UTF-8"}
    made = variables(replace(SPEC, environment=own), base={"PATH": "/bin"})
    assert {name: made[name] for name in own} == own


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_variable_is_refused(name: str) -> None:
    with pytest.raises(FunctionVariableError, match=rf"serverless.yml:12:1: enrich .*'{name}'"):
        variables(replace(SPEC, environment={name: "x"}))


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("1A", "x"), ("A=B", "x"), ("AB", "\0")])
def test_a_variable_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(FunctionVariableError):
        variables(replace(SPEC, environment={name: value}))
