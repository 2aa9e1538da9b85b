"""A worker process, seen from outside: what a handler may do wrong, and that only it suffers."""

import io
import json
import os
import signal
import struct
import time
from pathlib import Path

import pytest

from tests.functions.service_support import (
    Clock,
    Workshop,
    body,
    is_running,
    one_function,
    resident_megabytes,
)
from tests.support import eventually

STEP = """
import json, os, signal, subprocess, sys, threading, time
def lambda_handler(event, context):
    return eval(event, globals() | {"event": event, "context": context})
"""
"""Evaluates its event."""


def step(text: str) -> bytes:
    return json.dumps(text).encode()


def error_of(workshop: Workshop, text: str) -> dict[str, str]:
    ended = workshop.result(step(text))
    assert ended.is_error, ended
    response: dict[str, str] = json.loads(ended.payload)
    return response


def still_works(workshop: Workshop) -> bool:
    return workshop.result(step("6 * 7")).payload == b"42"


def test_a_handler_past_its_timeout_is_killed_and_replaced_and_told_so_as_on_aws(
    tmp_path: Path,
) -> None:
    with one_function(tmp_path, STEP, timeout=0.25, reserved_concurrency=1) as workshop:
        before = json.loads(workshop.result(step("os.getpid()")).payload)
        ended = workshop.result(step("time.sleep(60)"))
        response = json.loads(ended.payload)
        assert ended.is_error
        assert response["errorType"] == "Sandbox.Timedout"
        assert response["errorMessage"].startswith("RequestId: ")
        assert response["errorMessage"].endswith(" Error: Task timed out after 0.25 seconds")
        assert ended.duration == 0.25
        after = json.loads(workshop.result(step("os.getpid()")).payload)
        assert after != before
        assert not is_running(before)
        assert any("Task timed out after 0.25 seconds" in line for line in workshop.log_lines())


def test_a_busy_loop_is_ended_at_the_timeout_too(tmp_path: Path) -> None:
    code = "def lambda_handler(event, context):\n    while event:\n        pass\n"
    with one_function(tmp_path, code, timeout=0.2, reserved_concurrency=1) as workshop:
        assert b"Task timed out after 0.20 seconds" in workshop.result(b"1").payload
        assert not workshop.result(b"0").is_error


def test_events_shorter_than_the_timeout_are_not_ended_by_it_together(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP, timeout=0.4, reserved_concurrency=1) as workshop:
        all_ended = [workshop.run(step("time.sleep(0.1)")) for _ in range(10)]
        workshop.run_until(lambda: all(all_ended), what="all end")
        assert not any(ended[0].is_error for ended in all_ended)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("os._exit(3)", "exit status 3"),
        ("os._exit(0)", "exit status 0"),
        ("os.abort()", "signal: aborted"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "signal: terminated"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal: segmentation fault"),
    ],
)
def test_a_crash_fails_only_its_event(tmp_path: Path, text: str, how: str) -> None:
    with one_function(tmp_path, STEP, reserved_concurrency=1) as workshop:
        for _ in range(30):
            assert still_works(workshop)
        before = [workshop.run(step(str(number))) for number in range(10)]
        crashing = workshop.run(step(text))
        behind = [workshop.run(step(str(number))) for number in range(20)]
        workshop.run_until(lambda: crashing and all(before) and all(behind), what="all end")
        assert [ended[0].payload for ended in before] == [b"%d" % n for n in range(10)]
        assert [ended[0].payload for ended in behind] == [b"%d" % n for n in range(20)]
        response = json.loads(crashing[0].payload)
        assert response["errorType"] == "Runtime.ExitError"
        assert response["errorMessage"].endswith(f" Error: Runtime exited with error: {how}")


def test_sys_exit_fails_the_event_as_on_aws(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP) as workshop:
        assert error_of(workshop, "sys.exit(5)")["errorType"] == "Runtime.ExitError"
        assert still_works(workshop)


@pytest.mark.parametrize(
    "text",
    [
        "{1, 2}",
        "b'bytes'",
        "object()",
        "float('nan')",
        "'\\ud800'",
        "(lambda a: a.append(a) or a)([])",
    ],
)
def test_a_result_that_json_cannot_hold_is_a_failure_of_its_event(
    tmp_path: Path, text: str
) -> None:
    with one_function(tmp_path, STEP) as workshop:
        assert error_of(workshop, text)["errorType"] == "Runtime.MarshalError"
        assert still_works(workshop)


def test_a_result_of_six_megabytes_comes_through_and_a_longer_one_is_a_failure(
    tmp_path: Path,
) -> None:
    with one_function(tmp_path, STEP) as workshop:
        assert len(workshop.result(step("'x' * 6_000_000")).payload) == 6_000_002
        response = error_of(workshop, "'x' * 7_000_000")
        assert response["errorType"] == "Function.ResponseSizeTooLarge"
        assert still_works(workshop)


def test_a_child_that_the_handler_left_behind_ends_with_the_environment(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP, reserved_concurrency=1) as workshop:
        child = json.loads(workshop.result(step("subprocess.Popen(['sleep', '300']).pid")).payload)
        assert still_works(workshop)
        assert is_running(child)
        error_of(workshop, "os._exit(1)")
        eventually(lambda: not is_running(child), what="the child ends")
        assert still_works(workshop)


def test_a_child_in_a_session_of_its_own_wedges_nothing(tmp_path: Path) -> None:
    leave = "subprocess.Popen(['sleep', '30'], start_new_session=True, close_fds=False).pid"
    with one_function(tmp_path, STEP, reserved_concurrency=1) as workshop:
        child = json.loads(workshop.result(step(leave)).payload)
        try:
            start = time.monotonic()
            error_of(workshop, "os._exit(1)")
            assert still_works(workshop)
            assert time.monotonic() - start < 5
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_child_in_a_session_of_its_own_ends_with_a_run_that_times_out(tmp_path: Path) -> None:
    file = tmp_path / "child"
    leave = "subprocess.Popen(['sleep', '300'], start_new_session=True).pid"
    write = f"open({str(file)!r}, 'w').write(str({leave})), time.sleep(300)"
    with one_function(tmp_path, STEP, reserved_concurrency=1, timeout=1.0) as workshop:
        assert "timed out" in error_of(workshop, write)["errorMessage"]
        child = int(file.read_text())
        eventually(lambda: not is_running(child), what="the child ends")


def test_a_forked_child_that_goes_on_answers_nothing(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP, timeout=1.0, reserved_concurrency=1) as workshop:
        assert workshop.result(step("time.sleep(0.05) if os.fork() else os._exit(0)")).payload == (
            b"null"
        )
        forked = workshop.run(step("'parent' if os.fork() else 'child'"))
        workshop.run_until(lambda: forked, what="it ends")
        assert forked[0].payload == b'"parent"'
        assert still_works(workshop)
        assert len(forked) == 1


def test_printing_200_megabytes_neither_stops_other_events_nor_fills_memory(
    tmp_path: Path,
) -> None:
    printing = "[print('x' * 1_000_000) for _ in range(200)] and None"
    with one_function(tmp_path, STEP, timeout=60.0, reserved_concurrency=2) as workshop:
        workshop.result(step("0"))
        before = resident_megabytes()
        loud = workshop.run(step(printing))
        quiet = 0
        longest = 0.0
        while not loud:
            start = time.monotonic()
            assert still_works(workshop)
            longest = max(longest, time.monotonic() - start)
            quiet += 1
        assert not loud[0].is_error
        assert quiet > 20
        assert longest < 2
        assert resident_megabytes() - before < 30
        assert any("more bytes of this run are left out" in line for line in workshop.log_lines())


def test_output_without_a_line_end_does_not_fill_memory(tmp_path: Path) -> None:
    writing = "[os.write(1, b'x' * 1_000_000) for _ in range(50)] and None"
    with one_function(tmp_path, STEP, timeout=60.0, reserved_concurrency=1) as workshop:
        workshop.result(step("0"))
        before = resident_megabytes()
        assert not workshop.result(step(writing)).is_error
        assert resident_megabytes() - before < 30


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import no_such_module\n", "Runtime.ImportModuleError"),
        ("def lambda_handler(event, context)\n", "Runtime.UserCodeSyntaxError"),
        ("def other(event, context): pass\n", "Runtime.HandlerNotFound"),
        ("raise RuntimeError('at import')\n", "RuntimeError"),
    ],
)
def test_a_handler_that_cannot_be_imported_fails_each_event_with_the_reason(
    tmp_path: Path, code: str, kind: str
) -> None:
    with one_function(tmp_path, code, reserved_concurrency=1) as workshop:
        all_ended = [workshop.run(b"1") for _ in range(3)]
        workshop.run_until(lambda: all(all_ended), what="all end")
        assert [json.loads(ended[0].payload)["errorType"] for ended in all_ended] == [kind] * 3


@pytest.mark.parametrize("code", ["import os\nos._exit(7)\n", "import os\nos.abort()\n"])
def test_a_process_that_ends_at_import_fails_the_event_that_met_it(
    tmp_path: Path, code: str
) -> None:
    with one_function(tmp_path, code, reserved_concurrency=2) as workshop:
        workshop.member.pool.warm_up()
        all_ended = [workshop.run(b"1") for _ in range(3)]
        workshop.run_until(lambda: all(all_ended), what="all end")
        kinds = {json.loads(ended[0].payload)["errorType"] for ended in all_ended}
        assert kinds == {"Runtime.ExitError"}
        assert all(len(ended) == 1 for ended in all_ended)


def test_an_import_longer_than_its_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.runtime.time_limit._INIT_TIMEOUT", 0.3)
    with one_function(tmp_path, "import time\ntime.sleep(60)\n", timeout=5.0) as workshop:
        ended = workshop.result(b"1")
        assert b"timed out after 0.30 seconds" in ended.payload


def test_the_first_event_tells_how_long_the_start_took_and_the_next_does_not(
    tmp_path: Path,
) -> None:
    code = "import time\ntime.sleep(0.2)\ndef lambda_handler(event, context): pass\n"
    with one_function(tmp_path, code, reserved_concurrency=1) as workshop:
        first, second = workshop.result(b"1"), workshop.result(b"1")
        assert first.init_duration is not None
        assert 0.2 <= first.init_duration < 5
        assert second.init_duration is None
        assert first.max_memory > 1


def test_a_handler_that_closes_every_descriptor_fails_at_most_its_own_event(
    tmp_path: Path,
) -> None:
    with one_function(tmp_path, STEP, timeout=1.0, reserved_concurrency=1) as workshop:
        workshop.result(step("os.closerange(0, 5000)"))
        assert still_works(workshop)


def test_a_handler_that_stops_itself_is_ended_at_its_timeout(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP, timeout=0.3, reserved_concurrency=1) as workshop:
        response = error_of(workshop, "os.kill(os.getpid(), signal.SIGSTOP)")
        assert response["errorType"] == "Sandbox.Timedout"
        assert still_works(workshop)


@pytest.mark.parametrize("number", ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGINT"])
def test_a_handler_may_use_signals_of_its_own(tmp_path: Path, number: str) -> None:
    take = f"signal.signal(signal.{number}, signal.SIG_IGN) and None"
    with one_function(tmp_path, STEP, timeout=1.0, reserved_concurrency=2) as workshop:
        for _ in range(30):
            workshop.result(step(take))
        hanging = workshop.run(step("time.sleep(0.5)"))
        behind = [workshop.run(step("1")) for _ in range(20)]
        workshop.run_until(lambda: hanging and all(behind), what="all end")
        assert not hanging[0].is_error
        assert all(not ended[0].is_error for ended in behind)


def test_a_default_signal_handler_in_the_place_of_ours_loses_no_event(tmp_path: Path) -> None:
    take = "signal.signal(signal.SIGUSR2, signal.SIG_DFL) and None"
    with one_function(tmp_path, STEP, timeout=1.0, reserved_concurrency=1) as workshop:
        for _ in range(30):
            workshop.result(step(take))
        hanging = workshop.run(step("time.sleep(0.2)"))
        behind = [workshop.run(step("1")) for _ in range(20)]
        workshop.run_until(lambda: hanging and all(behind), what="all end")
        assert all(len(ended) == 1 and not ended[0].is_error for ended in behind)


def test_an_error_in_who_hears_of_an_end_gives_no_event_the_result_of_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with one_function(tmp_path, STEP, reserved_concurrency=1) as workshop:
        for _ in range(30):
            workshop.result(step("0"))
        from functions.runtime.identity import new_request_id
        from functions.runtime.runs import Ended, Run

        def fail(_ended: Ended) -> None:
            raise RuntimeError("the disk is full")

        all_ended = []
        for number in range(20):
            if number % 5 == 2:
                workshop.member.pool.run(Run(new_request_id(), step("'none'"), fail))
            all_ended.append(workshop.run(step(str(number))))
        workshop.run_until(lambda: all(all_ended), what="all end")
        assert [ended[0].payload for ended in all_ended] == [b"%d" % n for n in range(20)]
        assert "the disk is full" in caplog.text


def test_events_wait_for_a_process_that_is_killed_while_it_idles(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP, reserved_concurrency=1) as workshop:
        for _ in range(10):
            process = json.loads(workshop.result(step("os.getpid()")).payload)
            os.kill(process, signal.SIGKILL)
            eventually(lambda: not is_running(process), what="it is gone")  # noqa: B023 - called here
            assert still_works(workshop)


def test_a_handler_is_given_its_variables_and_its_folder(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP, environment={"GREETING": "hello"}) as workshop:
        text = "[os.environ['GREETING'], os.getcwd(), context.function_name]"
        found = json.loads(workshop.result(step(text)).payload)
        assert found == ["hello", str(tmp_path / "code"), "mine"]


def test_a_client_context_reaches_the_handler(tmp_path: Path) -> None:
    with one_function(tmp_path, STEP) as workshop:
        header = body(clientContext={"custom": {"from": "a phone"}})
        ended = workshop.run(step("context.client_context.custom['from']"), header=header)
        workshop.run_until(lambda: ended, what="it ends")
        assert ended[0].payload == b'"a phone"'


INTRUDER = """
import os, struct
def lambda_handler(event, context):
    links = {int(name): os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{name}")}
    pipe = max(number for number, link in links.items() if link.startswith("pipe:"))
    if event is not None:
        os.write(pipe, bytes.fromhex(event))
    return event
"""


@pytest.mark.parametrize(
    "written",
    [
        struct.pack("<I", 3) + b"abc",
        struct.pack("<I", 2**32 - 1),
        struct.pack("<IBIII", 13, 77, 0, 0, 0),
        struct.pack("<IBIII", 13, 0, 0, 0, 0) * 3,
    ],
    ids=["too short", "too long", "of no kind", "results of nothing"],
)
def test_a_handler_that_writes_into_our_pipe_harms_only_its_own_event(
    tmp_path: Path, written: bytes
) -> None:
    with one_function(tmp_path, INTRUDER, clock=Clock(), timeout=5.0, retries=0) as workshop:
        workshop.take(json.dumps(written.hex()).encode())
        workshop.settle()
        assert workshop.result(b"null").payload == b"null"
        assert workshop.member.queue.waiting == 0


def test_a_standard_error_that_nobody_reads_any_more_harms_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    code = "def lambda_handler(event, context):\n    print('hello')\n    return event\n"
    with one_function(tmp_path, code, timeout=5.0) as workshop:
        monkeypatch.setattr("sys.stderr", Broken())
        ends = [workshop.run(b"1") for _ in range(50)]
        workshop.run_until(lambda: all(ends), what="all have ended")
        monkeypatch.undo()
        assert {ended[0].payload for ended in ends} == {b"1"}
        assert workshop.log_lines().count("hello") == 50
