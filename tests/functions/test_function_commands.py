"""`iot-button functions list | invoke | logs | ...`, as a user runs them, on a real server."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.commands.output import clean
from functions.runtime.http.server import HttpSide
from tests import support
from tests.conftest import Start
from tests.functions.fake_control import FakeControl, http_side, spec
from tests.support import DEADLINE, eventually, free_port

HOSTILE = "\x1b]0;owned\x07 \x1b[2J\u202egnp.exe\x9b31m"


def echo(event: Any, _context: Any) -> Any:
    sys.stdout.write(f"got {HOSTILE}\n")
    return {"event": event}


def fail(_event: Any, _context: Any) -> Any:
    raise ValueError("not today")


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"echo": echo, "fail": fail}, spec("echo", ("GET", "/echo", "1.0")))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


class Run:
    """One command, run to its end. `terminal`: standard output is a terminal."""

    def __init__(
        self,
        environment: dict[str, str],
        directory: Path,
        *arguments: str,
        stdin: str = "",
        terminal: bool = False,
    ) -> None:
        command = ("functions", *arguments)
        run = run_on_terminal if terminal else support.run
        done = run(*command, environment=environment, directory=directory, given=stdin.encode())
        self.status = done.returncode
        self.said = done.stderr
        self.printed = done.stdout

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.printed.splitlines()]


def run_on_terminal(
    *arguments: str, environment: dict[str, str], directory: Path, given: bytes
) -> subprocess.CompletedProcess[str]:
    """Run `iot-button ARGUMENTS` with a terminal as its standard output."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "iot_button", *arguments],
        input=given.decode(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        env=environment,
        cwd=directory,
    )
    os.close(theirs)
    done.stdout = os.read(ours, 100_000).decode()
    os.close(ours)
    return done


@pytest.fixture
def port(side: HttpSide) -> str:
    return side.url.rpartition(":")[2]


class Runner:
    """Runs commands against one port."""

    def __init__(self, environment: dict[str, str], directory: Path, port: str) -> None:
        self.environment = environment | {"IOT_BUTTON_FUNCTIONS_PORT": port}
        self.directory = directory

    def __call__(self, *arguments: str, stdin: str = "", terminal: bool = False) -> Run:
        return Run(self.environment, self.directory, *arguments, stdin=stdin, terminal=terminal)


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, port: str) -> Runner:
    return Runner(environment, tmp_path, port)


def test_list_prints_a_json_line_for_each_function(run: Runner) -> None:
    done = run("list")
    assert (done.status, done.said) == (0, "")
    assert [function["name"] for function in done.lines] == ["echo", "fail"]


def test_list_is_a_table_on_a_terminal_unless_json_is_asked_for(run: Runner) -> None:
    table = run("list", terminal=True).printed.splitlines()
    assert table[0].split()[:3] == ["NAME", "STATE", "RUNNING"]
    assert re.fullmatch(r"echo +active +0 of 2 +0 +0 +GET /echo", table[1])
    assert run("list", "--json", terminal=True).lines[0]["name"] == "echo"


def test_the_port_may_be_named_before_or_after_the_subcommand(
    environment: dict[str, str], tmp_path: Path, port: str
) -> None:
    option = ("--functions-port", port)
    assert Run(environment, tmp_path, "list", *option).status == 0
    assert Run(environment, tmp_path, *option, "list").status == 0
    assert Run(environment, tmp_path, *option, "deadletters", "list", "echo").status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("invoke", "echo"),
        ("logs", "echo"),
        ("logs", "echo", "-f"),
        ("throttle", "echo", "1"),
        ("pause", "echo"),
        ("resume", "echo"),
        ("deadletters", "list", "echo"),
        ("deadletters", "redrive", "echo"),
    ],
)
def test_without_a_runtime_every_command_says_so_and_how_to_mend_it(
    environment: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    port = free_port()
    done = Run(environment, tmp_path, *arguments, "--functions-port", str(port))
    assert (done.status, done.printed) == (1, "")
    assert f"no function runtime answers at http://127.0.0.1:{port}" in done.said
    assert "`iot-button up`" in done.said
    assert "Traceback" not in done.said


def test_another_program_on_the_port_is_not_taken_for_a_runtime(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert server.stdout is not None
        found = re.search(r"port (\d+)", server.stdout.readline())
        assert found
        for arguments in (("list",), ("invoke", "echo")):
            done = Run(environment, tmp_path, *arguments, "--functions-port", found[1])
            assert done.status == 1
            assert "is no function runtime" in done.said
    finally:
        server.terminate()
        server.communicate(timeout=DEADLINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("invoke", "nobody"),
        ("logs", "nobody"),
        ("throttle", "nobody", "1"),
        ("pause", "nobody"),
        ("deadletters", "list", "nobody"),
        ("deadletters", "redrive", "nobody"),
    ],
)
def test_an_unknown_function_is_answered_with_those_that_exist(
    run: Runner, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments)
    assert (done.status, done.printed) == (1, "")
    assert "echo" in done.said
    assert "Traceback" not in done.said


def test_a_name_that_no_function_can_have_is_refused_with_it(run: Runner) -> None:
    done = run("invoke", "no body/../x\x1b[2J")
    assert (done.status, done.printed) == (1, "")
    assert "'no body/../x\\x1b[2J' is neither a function's name" in done.said


def test_invoke_prints_the_response(run: Runner) -> None:
    done = run("invoke", "echo", "--payload", '{"a": "\\u001b[2J"}')
    assert (done.status, done.said) == (0, "")
    assert done.lines == [{"event": {"a": "\x1b[2J"}}]
    assert "\x1b" not in done.printed


def test_the_payload_may_come_from_a_file_or_standard_input(run: Runner) -> None:
    (run.directory / "event.json").write_text('{"from": "file"}')
    assert run("invoke", "echo", "--payload", "@event.json").lines[0]["event"]["from"] == "file"
    assert run("invoke", "echo", "--payload", "-", stdin="[1]").lines == [{"event": [1]}]
    assert run("invoke", "echo").lines == [{"event": {}}]


@pytest.mark.parametrize("payload", ["{", "@nowhere.json", "@.", "-"])
def test_a_payload_that_is_none_is_wrong_usage(run: Runner, payload: str) -> None:
    done = run("invoke", "echo", "--payload", payload)
    assert (done.status, done.printed) == (2, "")
    assert "--payload" in done.said


def test_a_handler_that_fails_prints_its_error_and_exits_with_1(run: Runner) -> None:
    done = run("invoke", "fail")
    assert done.status == 1
    assert done.lines[0]["errorType"] == "ValueError"


def test_invoke_shows_the_log_where_it_is_asked_for_and_keeps_the_terminal_safe(
    run: Runner,
) -> None:
    done = run("invoke", "echo", "--log")
    assert "START RequestId" in done.said
    assert "got \\x1b]0;owned\\x07" in done.said
    assert not set(done.said) & set("\x1b\x07\u202e\x9b")
    assert len(done.lines) == 1


def test_an_asynchronous_invocation_prints_its_request_id(
    run: Runner, control: FakeControl
) -> None:
    done = run("invoke", "echo", "--async", "--payload", "[1]")
    assert done.status == 0
    assert re.fullmatch(r"[0-9a-f-]{36}", done.lines[0]["requestId"])
    assert control.queued == [("echo", b"[1]")]


def test_a_throttled_function_is_explained(run: Runner, control: FakeControl) -> None:
    control.throttle("echo", 0)
    done = run("invoke", "echo")
    assert (done.status, done.printed) == (1, "")
    assert "takes no more" in done.said


def test_throttle_pause_and_resume_print_the_function_and_say_what_it_means(run: Runner) -> None:
    for arguments, state, meaning in (
        (("throttle", "echo", "3"), "active", "runs up to 3"),
        (("throttle", "echo", "0"), "killed", "straight to the dead letters"),
        (("throttle", "echo", "none"), "active", "runs up to 2"),
        (("pause", "echo"), "paused", "kept on disk"),
        (("resume", "echo"), "active", "runs up to 2"),
    ):
        done = run(*arguments)
        assert done.status == 0
        assert done.lines[0]["state"] == state
        assert meaning in done.said


@pytest.mark.parametrize("number", ["many", "1.5", "-1", "10001", "99999999999", ""])
def test_a_concurrency_that_is_none_is_wrong_usage(run: Runner, number: str) -> None:
    done = run("throttle", "echo", number)
    assert done.status == 2
    assert f"{number!r} is neither a number from 0 to 10000 nor none" in done.said


def test_an_option_that_throttle_does_not_know_is_named(run: Runner) -> None:
    done = run("throttle", "echo", "--conurrency", "1")
    assert done.status == 2
    assert "No such option" in done.said
    assert "--conurrency" in done.said


def test_dead_letters_are_printed_and_redriven(run: Runner, control: FakeControl) -> None:
    for number in range(3):
        control.add_dead_letter("echo", {"n": number})
    letters = run("deadletters", "list", "echo").lines
    assert [letter["record"]["requestPayload"]["n"] for letter in letters] == [0, 1, 2]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]{12}Z", letters[0]["timestamp"])
    one = run("deadletters", "redrive", "echo", "--id", str(letters[1]["id"]))
    assert one.lines == [{"redriven": 1}]
    again = run("deadletters", "redrive", "echo", "--id", str(letters[1]["id"]))
    assert again.status == 1
    assert "no dead letter" in again.said
    assert "deadletters list echo" in again.said
    assert run("deadletters", "redrive", "echo").lines == [{"redriven": 2}]
    assert [event for _, event in control.queued] == [b'{"n": 1}', b'{"n": 0}', b'{"n": 2}']


def test_logs_are_json_lines_in_a_pipe_and_clean_text_on_a_terminal(
    run: Runner, control: FakeControl
) -> None:
    control.log("echo", f"say {HOSTILE}", "ünï ☃", request_id="r-1")
    lines = run("logs", "echo").lines
    assert [line["text"] for line in lines] == [f"say {HOSTILE}", "ünï ☃"]
    assert lines[0]["requestId"] == "r-1"
    shown = run("logs", "echo", terminal=True).printed
    assert "Z say \\x1b]0;owned\\x07" in shown
    assert "ünï ☃" in shown
    assert not set(shown) & set("\x1b\x07\u202e\x9b")


def test_since_leaves_out_what_is_older(run: Runner, control: FakeControl) -> None:
    control.log("echo", "just now")
    assert len(run("logs", "echo", "--since", "1h").lines) == 1
    assert run("logs", "echo", "--since", "0s").lines == []
    wrong = run("logs", "echo", "--since", "yesterday")
    assert wrong.status == 2
    assert "30s, 5m, 2h or 1d" in wrong.said


def test_follow_prints_lines_as_they_come_until_ctrl_c(
    start: Start, control: FakeControl, port: str
) -> None:
    control.log("echo", "before")
    program = start("functions", "logs", "echo", "-f", "--functions-port", port)
    eventually(lambda: len(program.printed) == 1, what="the line that was there")
    control.log("echo", "after")
    eventually(lambda: len(program.printed) == 2, what="the line that came")
    assert [json.loads(line)["text"] for line in program.printed] == ["before", "after"]
    program.send(signal.SIGINT)
    assert program.end() == 130
    assert program.said == []


def test_follow_survives_a_restart_of_the_runtime_and_says_so_once(start: Start) -> None:
    port = free_port()
    option = ("--functions-port", str(port))
    first, second = FakeControl({"echo": echo}), FakeControl({"echo": echo})
    first.log("echo", "one", "two")
    second.log("echo", "three")
    with http_side(first, port=port):
        program = start("functions", "logs", "echo", "-f", *option)
        eventually(lambda: len(program.printed) == 2, what="the lines of the first run")
    program.wait_for("the function runtime has gone")
    with http_side(second, port=port):
        eventually(lambda: len(program.printed) == 3, what="the line of the second run")
        second.log("echo", "four")
        eventually(lambda: len(program.printed) == 4, what="a line that came later")
        program.send(signal.SIGTERM)
        assert program.end() == 0
    texts = [json.loads(line)["text"] for line in program.printed]
    assert texts == ["one", "two", "three", "four"]
    assert len(program.said) == 1


def test_follow_ends_quietly_when_its_reader_goes_away(
    environment: dict[str, str], control: FakeControl, port: str
) -> None:
    control.log("echo", "one")
    program = subprocess.Popen(
        [sys.executable, "-m", "iot_button", "functions", "logs", "echo", "-f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"IOT_BUTTON_FUNCTIONS_PORT": port},
    )
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.readline()
    program.stdout.close()
    control.log("echo", "two")
    assert program.wait(DEADLINE) == 1
    assert program.stderr.read() == b""
    program.stderr.close()


@pytest.mark.parametrize(
    "name", ["list", "invoke", "logs", "throttle", "pause", "resume", "deadletters"]
)
def test_every_command_has_help_with_an_example(run: Runner, name: str) -> None:
    assert f"Example: iot-button functions {name}" in run(name, "--help").printed


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    assert clean("plain ünï ☃ text") == "plain ünï ☃ text"
    assert clean("tab\tstays") == "tab\tstays"
    assert clean(HOSTILE).isprintable()
    assert clean("a\nb\rc\u2028d\ud800") == "a\\nb\\rc\\u2028d\\ud800"
