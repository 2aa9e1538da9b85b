"""What docs/lambda.md says: AWS Lambda's behaviour, and ours beside it.

Each row of its tables names a test, here or in another file; the last test sees to that.
"""

import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from functions.runtime.manifest import ManifestError, load
from functions.runtime.manifest.model import FunctionSpec
from functions.runtime.retries import Condition, GiveUp, RetryAt, after_failure, is_too_old
from functions.runtime.schedules import parse
from tests.functions.as_on_aws_runtime import FOLDER, Runtime, running
from tests.functions.fake_control import spec
from tests.support import Listener, eventually, require_program

PROJECT = Path(__file__).parents[2]
FUNCTION: FunctionSpec = spec("any")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """One runtime for all tests here; each has functions of its own."""
    require_program("mosquitto", "mosquitto")
    home = tmp_path_factory.mktemp("as-on-aws")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IOT_BUTTON_", "XDG_"))}
    ours = {"HOME": str(home), "PYTHONUNBUFFERED": "1", "IOT_BUTTON_FUNCTIONS_PORT": "0"}
    delays = {"IOT_BUTTON_FUNCTIONS_RETRY_DELAYS": "0.1,0.2"}
    with running(environment=kept | ours | delays, directory=home) as started:
        yield started


def next_json(listener: Listener) -> Any:
    return json.loads(listener.next().payload)


# Asynchronous invocation: retries.


def test_a_failed_event_is_tried_twice_more_with_the_same_request_id(runtime: Runtime) -> None:
    with runtime.listener("lab/third-time/result") as listener:
        listener.publish("lab/third-time", '{"id": "one"}')
        ids = next_json(listener)
    assert len(ids) == 3
    assert len(set(ids)) == 1


def test_the_retries_come_after_one_minute_and_two_more() -> None:
    assert after_failure(FUNCTION, attempts=1, received=0, now=10) == RetryAt(10 + 60)
    assert after_failure(FUNCTION, attempts=2, received=0, now=80) == RetryAt(80 + 120)
    last = after_failure(FUNCTION, attempts=3, received=0, now=300)
    assert last == GiveUp(Condition.RETRIES_EXHAUSTED)


def test_an_event_is_kept_for_six_hours_at_most_and_not_tried_again_beyond_that() -> None:
    almost = 6 * 3600 - 60
    assert after_failure(FUNCTION, attempts=1, received=0, now=almost) == RetryAt(almost + 60)
    given_up = after_failure(FUNCTION, attempts=1, received=0, now=almost + 1)
    assert given_up == GiveUp(Condition.EVENT_AGE_EXCEEDED)
    assert not is_too_old(FUNCTION, received=0, now=6 * 3600)
    assert is_too_old(FUNCTION, received=0, now=6 * 3600 + 1)


# Asynchronous invocation: throttling, pausing, order.


def test_events_beyond_the_concurrency_wait_and_run_in_their_order(runtime: Runtime) -> None:
    with runtime.listener("lab/one-by-one/result") as listener:
        for number in range(6):
            listener.publish("lab/one-by-one", json.dumps({"number": number, "seconds": 0.6}))
        results = [next_json(listener) for _ in range(6)]
    assert [result["number"] for result in results] == [0, 1, 2, 3, 4, 5]
    with runtime.listener("iotfunctions/oneByOne/status") as listener:
        while not next_json(listener)["Throttles"]:
            pass


def test_with_a_concurrency_of_0_an_event_becomes_a_dead_letter_unrun(runtime: Runtime) -> None:
    with runtime.listener("deadletter/off") as listener:
        listener.publish("lab/off", '{"a": 1}')
        record = next_json(listener)
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == {"a": 1}
    assert "responsePayload" not in record
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        runtime.invoke("off")


def test_a_paused_function_keeps_its_events_until_it_is_resumed(runtime: Runtime) -> None:
    with runtime.listener("lab/paused/result", "deadletter/paused") as listener:
        runtime.administer("functions/paused/pause", {})
        listener.publish("lab/paused", '{"a": 1}')
        eventually(lambda: runtime.function("paused")["waiting"] == 1, what="it waits")
        assert listener.is_empty
        runtime.administer("functions/paused/resume", {})
        assert next_json(listener) == {"a": 1}


# Asynchronous invocation: records.


def test_the_record_of_a_failure_has_the_form_of_aws(runtime: Runtime) -> None:
    topics = ("lab-failures", "lab-queue", "deadletter/failsOnce")
    with runtime.listener(*topics) as listener:
        listener.publish("lab/fails-once", '{"a": 1}')
        heard = {m.topic: json.loads(m.payload) for m in (listener.next() for _ in topics)}
    record = heard["lab-failures"]
    assert heard["deadletter/failsOnce"] == record
    assert heard["lab-queue"] == {"a": 1}  # a dead letter queue gets the event alone
    assert record.pop("timestamp").endswith("Z")
    request_id = record["requestContext"].pop("requestId")
    response = record.pop("responsePayload")
    assert response["requestId"] == request_id
    assert (response["errorType"], response["errorMessage"]) == (
        "ValueError",
        "no use for {'a': 1}",
    )
    assert record == {
        "version": "1.0",
        "requestContext": {
            "functionArn": "arn:aws:lambda:eu-west-1:000000000000:function:failsOnce:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
    }


def test_the_record_of_a_success_has_the_form_of_aws(runtime: Runtime) -> None:
    with runtime.listener("lab-successes") as listener:
        listener.publish("lab/succeeds", '{"a": 1}')
        record = next_json(listener)
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["requestPayload"] == record["responsePayload"] == {"a": 1}


def test_without_a_destination_a_dead_letter_is_kept_and_can_be_redriven(runtime: Runtime) -> None:
    with runtime.listener("deadletter/nowhere") as listener:
        listener.publish("lab/nowhere", '{"a": 1}')
        first = next_json(listener)
        (letter,) = eventually(
            lambda: runtime.administer("functions/nowhere/dead-letters")["deadLetters"],
            what="the dead letter is kept",
        )
        assert letter["record"] == first
        assert runtime.administer("functions/nowhere/redrive", {"id": letter["id"]}) == {
            "redriven": 1
        }
        again = next_json(listener)
    assert again["requestPayload"] == {"a": 1}
    assert again["requestContext"]["approximateInvokeCount"] == 1


# Synchronous invocation.


def test_a_synchronous_invocation_that_fails_is_not_tried_again(runtime: Runtime) -> None:
    (before, process), _error, _log = runtime.invoke("counts", {})
    response, error, _log = runtime.invoke("counts", {"fail": True})
    assert (error, response["errorMessage"]) == ("Unhandled", "told to")
    assert runtime.invoke("counts", {})[0] == [before + 2, process]


# Execution environments.


def test_an_environment_is_used_again_and_keeps_what_the_module_holds(runtime: Runtime) -> None:
    (first, process), _error, _log = runtime.invoke("counts", {})
    assert runtime.invoke("counts", {})[0] == [first + 1, process]


def test_two_events_at_once_run_in_two_environments(runtime: Runtime) -> None:
    with runtime.listener("iotfunctions/twoAtOnce/status") as listener:
        for _ in range(2):
            runtime.client.invoke(
                FunctionName="twoAtOnce", InvocationType="Event", Payload='{"seconds": 4}'
            )
        while next_json(listener)["ConcurrentExecutions"] < 2:
            pass
    assert runtime.function("twoAtOnce")["environments"] == 2


def test_a_function_may_use_as_many_environments_as_there_are_cores(runtime: Runtime) -> None:
    assert runtime.function("byDefault")["concurrencyLimit"] == os.cpu_count()


def test_an_environment_without_work_ends_after_its_idle_time(
    environment: dict[str, str], tmp_path: Path
) -> None:
    more = {"IOT_BUTTON_FUNCTIONS_IDLE_TIMEOUT": "0.2"}
    with running(environment=environment, directory=tmp_path, mosquitto=False, **more) as runtime:
        (_count, process), _error, _log = runtime.invoke("counts", {})
        eventually(lambda: not runtime.function("counts")["environments"], what="it ends")
        assert not Path(f"/proc/{process}").exists()
        (count, another), _error, _log = runtime.invoke("counts", {})
    assert (count, another != process) == (1, True)


def test_a_timeout_is_worded_as_on_aws_and_its_environment_replaced(runtime: Runtime) -> None:
    response, error, log = runtime.invoke("timesOut", {"seconds": 60})
    request_id = log.split()[2]
    assert error == "Unhandled"
    assert response["errorType"] == "Sandbox.Timedout"
    assert response["errorMessage"] == (
        f"RequestId: {request_id} Error: Task timed out after 1.00 seconds"
    )
    assert runtime.invoke("timesOut", {"seconds": 0})[1] is None


def test_the_end_of_a_process_is_worded_as_on_aws(runtime: Runtime) -> None:
    response, error, log = runtime.invoke("crashes", {"status": 3})
    request_id = log.split()[2]
    assert (error, response["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert response["errorMessage"] == (
        f"RequestId: {request_id} Error: Runtime exited with error: exit status 3"
    )


def test_a_failed_init_fails_each_event_that_meets_it(runtime: Runtime) -> None:
    for _ in range(2):
        response, error, log = runtime.invoke("brokenStart")
        assert (error, response["errorType"]) == ("Unhandled", "RuntimeError")
        assert "no such thing here" in log


def test_an_init_may_take_10_seconds(runtime: Runtime) -> None:
    response, error, _log = runtime.invoke("slowStart")
    assert error == "Unhandled"
    assert response["errorMessage"].endswith("Task timed out after 10.00 seconds")


def test_the_memory_size_is_told_and_not_enforced(runtime: Runtime) -> None:
    (size, *_rest), error, log = runtime.invoke("takesMemory", {"bytes": 200_000_000})
    assert (size, error) == (200_000_000, None)
    assert "\tMemory Size: 128 MB\t" in log
    used = re.search(r"Max Memory Used: (\d+) MB", log)
    assert used is not None
    assert int(used[1]) > 190


def test_a_handler_runs_as_the_user_and_in_the_python_that_started_the_runtime(
    runtime: Runtime,
) -> None:
    (_size, user, *version), _error, _log = runtime.invoke("takesMemory", {"bytes": 0})
    assert user == os.getuid()
    assert tuple(version) == sys.version_info[:2]


# Logs.


def test_a_run_has_start_end_and_report_lines(runtime: Runtime) -> None:
    _result, _error, log = runtime.invoke("prints", {"bytes": 3})
    request_id = log.split()[2]
    start, printed, last, end, report = log.splitlines()
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert (printed, last) == ("aaa", "last line")
    assert end == f"END RequestId: {request_id}"
    assert re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms"
        r"\tMemory Size: 1024 MB\tMax Memory Used: \d+ MB(\tInit Duration: \d+\.\d\d ms)?",
        report,
    )


def test_of_a_run_that_prints_much_the_first_64_kib_are_kept(runtime: Runtime) -> None:
    _result, _error, log = runtime.invoke("prints", {"bytes": 1_000_000})
    assert "last line" not in log
    assert f"({1_000_000 + 11 - 64 * 1024} more bytes of this run are left out)" in log


# Sources of events.


def test_two_rules_of_one_function_make_two_events_of_a_message(runtime: Runtime) -> None:
    with runtime.listener("lab/two-rules/result") as listener:
        listener.publish("lab/two-rules", '{"a": 1, "b": 2}')
        results = [next_json(listener), next_json(listener)]
    assert {"a": 1} in results
    assert {"b": 2} in results


def test_a_payload_that_a_rule_cannot_read_is_a_dead_letter(runtime: Runtime) -> None:
    with runtime.listener("deadletter/twoRules") as listener:
        listener.publish("lab/two-rules", "no json")
        record = next_json(listener)
    assert record["requestContext"]["condition"] == "RulePayload"


def test_a_click_without_an_id_gets_one_in_the_event(runtime: Runtime) -> None:
    sent = {"serialNumber": "B1", "clickType": "LONG", "batteryVoltage": "1716mV"}
    with runtime.listener("lab/clicks/result") as listener:
        listener.publish("iotbutton/B1", json.dumps(sent))
        event = next_json(listener)
    assert event.pop("eventId")
    assert event == sent


def test_what_fell_into_a_time_without_a_runtime_is_not_made_up() -> None:
    started = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
    daily = parse("cron(0 9 * * ? *)")
    assert daily.next_after(started, since=started) == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_an_http_event_has_the_timeout_of_its_function(runtime: Runtime) -> None:
    status, body = runtime.ask("GET", "/slow")
    assert (status, body) == (502, {"message": "Internal server error"})


# Manifests.


SAM_FUNCTION = "Handler: handler.echo, Runtime: python3.12"


@pytest.mark.parametrize(
    ("properties", "key"),
    [
        ("LoggingConfig: {LogFormat: JSON}", "LoggingConfig"),
        ("Layers: [arn]", "Layers"),
        ("ImageUri: image", "ImageUri"),
        ("FileSystemConfigs: []", "FileSystemConfigs"),
        ("FunctionUrlConfig: {AuthType: NONE}", "FunctionUrlConfig"),
        (
            "Events: {E: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), "
            "ScheduleExpressionTimezone: Europe/Zurich}}}",
            "Events.E.Properties.ScheduleExpressionTimezone",
        ),
        (
            "Events: {E: {Type: HttpApi, Properties: {Path: /a, Method: get, Auth: {}}}}",
            "Events.E.Properties.Auth",
        ),
    ],
)
def test_what_is_not_carried_out_here_is_refused_by_its_key(
    tmp_path: Path, properties: str, key: str
) -> None:
    shutil.copy(FOLDER / "handler.py", tmp_path)
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  F:\n"
        "    Type: AWS::Serverless::Function\n"
        f"    Properties: {{{SAM_FUNCTION}, {properties}}}\n"
    )
    with pytest.raises(ManifestError) as caught:
        load(tmp_path)
    assert f"Resources.F.Properties.{key}" in caught.value.problem


# The page.


def rows() -> list[str]:
    """Return the rows of all tables of docs/lambda.md, without their heads."""
    lines = (PROJECT / "docs" / "lambda.md").read_text().splitlines()
    return [
        line
        for before, line in itertools.pairwise(lines)
        if line.startswith("|") and before.startswith("|") and not line.startswith("|-")
    ]


def test_each_row_of_the_page_names_tests_that_exist() -> None:
    assert len(rows()) > 50
    for row in rows():
        named = re.findall(r"(test_\w+\.py)::(test_\w+)", row)
        assert named, f"no test is named in: {row}"
        for file, test in named:
            (path,) = (PROJECT / "tests").rglob(file)
            assert f"\ndef {test}(" in path.read_text(), f"{file} has no {test}"


def test_each_test_of_this_file_is_on_a_row_of_the_page() -> None:
    ours = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    page = (PROJECT / "docs" / "lambda.md").read_text()
    assert {test for test in ours if test not in page and "of_the_page" not in test} == set()
