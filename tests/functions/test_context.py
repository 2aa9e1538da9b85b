"""The context object: names and types of AWS Lambda's Python runtime."""

import time

import pytest

from functions.runtime.inside.context import Facts, LambdaContext

ID = "5d3c2f0e-6b0a-4c53-9d1f-7e0f6c3f9a11"
FACTS = Facts(
    {
        "name": "enrich",
        "version": "$LATEST",
        "arn": "arn:aws:lambda:eu-west-1:000000000000:function:enrich",
        "memory": 128,
        "logGroup": "/aws/lambda/enrich",
        "logStream": "2026/11/22/[$LATEST]0",
    }
)


def context(**more: object) -> LambdaContext:
    deadline = time.monotonic() + 3
    return LambdaContext(FACTS, request_id=ID, deadline=deadline, **more)  # type: ignore[arg-type]


def test_attributes_have_the_names_and_values_of_aws() -> None:
    attributes = {k: v for k, v in vars(context()).items() if not k.startswith("_")}
    identity = attributes.pop("identity")
    assert (identity.cognito_identity_id, identity.cognito_identity_pool_id) == (None, None)
    assert attributes == {
        "aws_request_id": ID,
        "client_context": None,
        "function_name": "enrich",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:000000000000:function:enrich",
        "log_group_name": "/aws/lambda/enrich",
        "log_stream_name": "2026/11/22/[$LATEST]0",
        "memory_limit_in_mb": "128",
        "tenant_id": None,
    }


def test_there_is_nothing_more_than_on_aws() -> None:
    methods = {n for n in dir(LambdaContext) if not n.startswith("_")}
    assert methods == {"get_remaining_time_in_millis", "log", "w3c"}


def test_a_client_context_has_three_fields_and_a_client_five() -> None:
    client = {"installation_id": "i", "app_title": "t", "app_version_name": "n"}
    given = {"client": client, "custom": {"a": 1}, "env": {"model": "m"}, "other": 1}
    made = context(client_context=given).client_context
    assert made is not None
    assert (made.custom, made.env) == ({"a": 1}, {"model": "m"})
    shown = ("installation_id", "app_title", "app_version_name", "app_version_code")
    assert [getattr(made.client, name) for name in shown] == ["i", "t", "n", None]
    assert made.client.app_package_name is None
    assert not hasattr(made, "other")


def test_a_client_context_may_be_empty() -> None:
    made = context(client_context={}).client_context
    assert made is not None
    assert (made.client, made.custom, made.env) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (None, {}),
        ({}, {}),
        ({"w3c": "no object"}, {}),
        ({"w3c": {"traceparent": "p", "baggage": 1, "more": "m"}}, {"traceparent": "p"}),
    ],
)
def test_a_trace_context_has_its_known_fields(given: object, fields: dict[str, str]) -> None:
    made = context(client_context=given)
    assert made.w3c() == fields
    assert not hasattr(made.client_context, "w3c")


def test_an_identity_has_the_fields_of_the_header() -> None:
    given = {"cognitoIdentityId": "me", "cognitoIdentityPoolId": "pool"}
    identity = context(identity=given).identity
    assert (identity.cognito_identity_id, identity.cognito_identity_pool_id) == ("me", "pool")


@pytest.mark.parametrize(("seconds", "least", "most"), [(60, 59_000, 60_000), (-60, 0, 0)])
def test_the_remaining_time_is_whole_milliseconds_and_never_below_0(
    seconds: float, least: int, most: int
) -> None:
    deadline = time.monotonic() + seconds
    remaining = LambdaContext(
        FACTS, request_id=ID, deadline=deadline
    ).get_remaining_time_in_millis()
    assert isinstance(remaining, int)
    assert least <= remaining <= most


@pytest.mark.parametrize(("said", "written"), [("a", "a\n"), ("a\n", "a\n"), (7, "7\n")])
def test_log_writes_one_entry(
    capsys: pytest.CaptureFixture[str], said: object, written: str
) -> None:
    context().log(said)
    assert capsys.readouterr().out == written


def test_it_shows_itself_as_on_aws() -> None:
    shown = repr(context(client_context={"custom": 1}, identity={"cognitoIdentityId": "me"}))
    assert shown == (
        f"LambdaContext([aws_request_id={ID},log_group_name=/aws/lambda/enrich,"
        "log_stream_name=2026/11/22/[$LATEST]0,function_name=enrich,memory_limit_in_mb=128,"
        "function_version=$LATEST,"
        "invoked_function_arn=arn:aws:lambda:eu-west-1:000000000000:function:enrich,"
        "client_context=ClientContext([custom=1,env=None,client=None]),"
        "identity=CognitoIdentity([cognito_identity_id=me,cognito_identity_pool_id=None]),"
        "tenant_id=None])"
    )
