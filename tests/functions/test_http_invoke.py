"""Lambda's Invoke and its neighbours, asked by AWS's own client and by hand."""

import base64
import json
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from functions.runtime.http.server import HttpSide
from tests.functions.fake_control import FakeControl, ask, aws_client, http_side, spec
from tests.support import DEADLINE, eventually

PATH = "/2015-03-31/functions/echo/invocations"
MIB = 1024 * 1024


def echo(event: Any, context: Any) -> Any:
    sys.stdout.write("hello from the handler\n")
    return {"event": event, "client": context.client_context}


def fail(_event: Any, _context: Any) -> Any:
    raise ValueError("not today")


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"echo": echo, "fail": fail}, spec("echo", description="says it again"))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


@pytest.fixture
def client(side: HttpSide) -> Iterator[Any]:
    with aws_client(side, "lambda") as made:
        yield made


def test_invoke_runs_the_handler_and_returns_its_result(client: Any) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b'{"a": [1, null]}')
    assert json.loads(answer["Payload"].read())["event"] == {"a": [1, None]}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    uuid.UUID(answer["ResponseMetadata"]["RequestId"])


def test_without_a_payload_the_event_is_an_empty_object(client: Any) -> None:
    answer = client.invoke(FunctionName="echo")
    assert json.loads(answer["Payload"].read())["event"] == {}


def test_a_handler_that_fails_is_a_function_error_and_no_http_error(client: Any) -> None:
    answer = client.invoke(FunctionName="fail", Payload=b"{}")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read())["errorMessage"] == "not today"


def test_the_tail_of_the_log_comes_where_it_is_asked_for(client: Any) -> None:
    answer = client.invoke(FunctionName="echo", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert log.startswith("START RequestId: ")
    assert "hello from the handler\nEND RequestId: " in log
    assert "LogResult" not in client.invoke(FunctionName="echo", LogType="None")


def test_of_a_long_log_the_last_4_kb_come() -> None:
    def chatter(_event: Any, _context: Any) -> None:
        sys.stdout.write("x" * 10_000 + "the end\n")

    with http_side(FakeControl({"chatter": chatter})) as side, aws_client(side, "lambda") as other:
        log = base64.b64decode(other.invoke(FunctionName="chatter", LogType="Tail")["LogResult"])
    assert len(log) == 4096
    assert b"the end\nEND RequestId" in log


def test_the_client_context_reaches_the_handler(client: Any) -> None:
    context = {"custom": {"who": "me"}}
    header = base64.b64encode(json.dumps(context).encode()).decode()
    answer = client.invoke(FunctionName="echo", ClientContext=header)
    assert json.loads(answer["Payload"].read())["client"] == context


@pytest.mark.parametrize("header", ["%%%", "W10=", "eA==", base64.b64encode(b"1" * 3000).decode()])
def test_a_client_context_that_is_none_is_refused(client: Any, header: str) -> None:
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="Client context"):
        client.invoke(FunctionName="echo", ClientContext=header)


def test_an_event_is_queued_and_answered_with_202_and_nothing(
    client: Any, control: FakeControl
) -> None:
    answer = client.invoke(FunctionName="echo", InvocationType="Event", Payload=b'{"n": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert control.queued == [("echo", b'{"n": 1}')]


def test_a_dry_run_runs_nothing(client: Any, control: FakeControl) -> None:
    assert client.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"] == 204
    assert control.metrics()[0].invocations == 0


@pytest.mark.parametrize(
    "name",
    [
        "echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo",
        "123456789012:function:echo",
        "echo:$LATEST",
        "arn:aws:lambda:eu-west-1:000000000000:function:echo:$LATEST",
    ],
)
def test_a_function_may_be_named_in_all_of_awss_ways(client: Any, name: str) -> None:
    assert client.invoke(FunctionName=name)["StatusCode"] == 200


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
@pytest.mark.parametrize("name", ["nobody", "echo:prod", "echo:1"])
def test_what_is_not_there_raises_the_exception_of_aws(client: Any, name: str, kind: str) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found"):
        client.invoke(FunctionName=name, InvocationType=kind)


def test_only_the_latest_version_is_there(client: Any) -> None:
    assert client.invoke(FunctionName="echo", Qualifier="$LATEST")["StatusCode"] == 200
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="echo:7"):
        client.invoke(FunctionName="echo", Qualifier="7")
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.invoke(FunctionName="echo:$LATEST", Qualifier="7")


@pytest.mark.parametrize(
    "payload", [b"{", b"nothing", b"\xff", b"NaN", b'{"a": Infinity}', b"[" * 200_000]
)
def test_a_payload_that_is_no_json_is_refused(client: Any, payload: bytes) -> None:
    with pytest.raises(
        client.exceptions.InvalidRequestContentException, match="Could not parse request body"
    ):
        client.invoke(FunctionName="echo", Payload=payload)


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 * MIB), ("Event", MIB)])
def test_a_payload_of_awss_largest_size_is_taken_and_one_byte_more_is_not(
    client: Any, kind: str, limit: int
) -> None:
    payload = b'"' + b"x" * (limit - 2) + b'"'
    assert client.invoke(FunctionName="echo", InvocationType=kind, Payload=payload)
    with pytest.raises(client.exceptions.RequestTooLargeException, match=str(limit)):
        client.invoke(FunctionName="echo", InvocationType=kind, Payload=payload + b" ")


def test_a_throttled_function_raises_the_exception_of_aws(
    client: Any, control: FakeControl
) -> None:
    control.throttle("echo", 0)
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="echo")
    answer = caught.value.response
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Amz-Invocation-Type", "Sometimes"),
        ("X-Amz-Log-Type", "Head"),
        ("X-Amz-Tenant-Id", "t"),
        ("X-Amz-Durable-Execution-Name", "d"),
    ],
)
def test_a_header_that_cannot_be_obeyed_is_refused_by_its_name(
    side: HttpSide, header: str, value: str
) -> None:
    reply = ask(side, "POST", PATH, b"{}", **{header: value})
    assert reply.headers["x-amzn-errortype"] == "InvalidParameterValueException"
    assert header in reply.json["message"]


def test_waiting_invocations_leave_threads_for_the_publishes_they_wait_for() -> None:
    release = threading.Event()
    control = FakeControl(
        {"slow": lambda *_: release.wait(DEADLINE)},
        spec("slow", reserved_concurrency=1000),
    )
    path = "/2015-03-31/functions/slow/invocations"
    with http_side(control) as side:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(ask(side, "POST", path).status))
            for _ in range(70)
        ]
        for thread in threads:
            thread.start()
        eventually(lambda: len(statuses) == 30, what="those above the limit refused")
        try:
            assert set(statuses) == {429}
            assert ask(side, "POST", "/topics/t?qos=1", b"x").status == 200
        finally:
            release.set()
            for thread in threads:
                thread.join(DEADLINE)
    assert statuses.count(200) == 40


def test_the_functions_are_listed_with_what_is_known_of_them(client: Any) -> None:
    found = client.list_functions()["Functions"]
    assert [function["FunctionName"] for function in found] == ["echo", "fail"]
    assert found[0]["Description"] == "says it again"
    assert (found[0]["Timeout"], found[0]["MemorySize"]) == (3, 128)
    assert found[0]["FunctionArn"] == "arn:aws:lambda:eu-west-1:000000000000:function:echo"


def test_one_function_can_be_asked_for(client: Any) -> None:
    assert client.get_function(FunctionName="echo")["Configuration"]["Handler"]
    assert client.get_function_configuration(FunctionName="echo")["FunctionName"] == "echo"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="nobody")


def test_concurrency_is_set_and_given_back(client: Any, control: FakeControl) -> None:
    answer = client.put_function_concurrency(FunctionName="echo", ReservedConcurrentExecutions=0)
    assert answer["ReservedConcurrentExecutions"] == 0
    assert control.functions()[0].state == "killed"
    assert client.get_function_concurrency(FunctionName="echo")["ReservedConcurrentExecutions"] == 0
    client.delete_function_concurrency(FunctionName="echo")
    assert control.functions()[0].state == "active"


@pytest.mark.parametrize("body", [b"{}", b'{"ReservedConcurrentExecutions": -1}', b"[]", b"x", b""])
def test_a_concurrency_that_is_none_is_refused(side: HttpSide, body: bytes) -> None:
    reply = ask(side, "PUT", "/2017-10-31/functions/echo/concurrency", body)
    assert reply.status == 400
    assert reply.headers["x-amzn-errortype"].endswith("Exception")


def test_other_operations_say_that_they_are_not_there(client: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client.list_aliases(FunctionName="echo")
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperationException"


def test_operations_of_other_versions_of_the_api_say_so_too(client: Any) -> None:
    calls = (
        lambda: client.invoke_with_response_stream(FunctionName="echo"),
        lambda: client.invoke_async(FunctionName="echo", InvokeArgs=b"{}"),
        client.get_account_settings,
    )
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "UnsupportedOperationException"


@pytest.mark.parametrize("path", ["/2031-01-01/functions/echo", "/2031-01-01", "/2015-03-31/x"])
def test_every_path_that_begins_with_a_date_is_an_operation(side: HttpSide, path: str) -> None:
    assert ask(side, "POST", path, b"{}").status == 501


@pytest.mark.parametrize("path", ["/20310101/x", "/2031-01-011/x", "/x/2031-01-01"])
def test_other_paths_are_not(side: HttpSide, path: str) -> None:
    assert ask(side, "POST", path, b"{}").status == 404
