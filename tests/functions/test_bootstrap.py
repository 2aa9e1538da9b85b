"""What runs inside an execution environment, driven by a parent that speaks the protocol."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.functions.environment_harness import (
    FAILURE,
    SAMPLES,
    SUCCESS,
    Child,
    child,
    init_failure,
    ready,
)
from tests.support import DEADLINE, eventually

MARK = "\x1e"
LIMIT = 6_291_556


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the samples, where they may write."""
    shutil.copy(SAMPLES / "samples.py", tmp_path)
    return tmp_path


def module(root: Path, source: str, name: str = "mine") -> str:
    """Write a module, and return the name of its handler."""
    path = root / f"{name}.py"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(source)
    return f"{name}.handler"


# Results


@pytest.mark.parametrize("event", [{"a": [1, 2.5, None, True]}, "Grüße 😀", None, [], 2**70])
def test_an_event_is_answered_with_its_sequence_number(root: Path, event: Any) -> None:
    with ready("samples.echo", root=root) as environment:
        assert environment.result(event) == event
        assert environment.result([event]) == [event]


def test_events_that_wait_are_answered_in_order(root: Path) -> None:
    with ready("samples.echo", root=root) as environment:
        for number in range(8):
            environment.send(str(number).encode())
        frames = [environment.frame() for _ in range(8)]
        assert [(f.sequence, f.value) for f in frames] == [(n + 1, n) for n in range(8)]


def test_one_datagram_is_taken_at_a_time(root: Path) -> None:
    with ready("samples.waits", root=root) as environment:
        environment.send(b"60")
        eventually((root / "waiting").exists, what="the first is being handled")
        waiting = [environment.send(b"0").encode() for _ in range(3)]
        back = [environment.take_back() for _ in range(3)]
        assert [datagram[7:43] for datagram in back] == waiting


def test_a_datagram_may_have_65536_bytes(root: Path) -> None:
    with ready("samples.echo", root=root) as environment:
        event = "x" * (65_536 - 43 - 2)
        assert environment.result(event) == event


def test_a_big_event_comes_in_a_file(root: Path, tmp_path: Path) -> None:
    event = {"text": "ü" * 1_000_000}
    path = tmp_path / "event ü.json"
    path.write_text(json.dumps(event))
    with ready("samples.echo", root=root) as environment:
        environment.send(str(path).encode(), kind=b"F")
        assert environment.frame().value == event
        assert path.exists()


def test_a_file_that_is_gone_fails_its_event_alone(root: Path) -> None:
    with ready("samples.echo", root=root) as environment:
        environment.send(b"/nowhere/at-all", kind=b"F")
        frame = environment.frame()
        assert frame.kind == FAILURE
        assert frame.value["errorType"] == "Runtime.UnmarshalError"
        assert environment.result(1) == 1


def test_white_space_around_an_event_is_no_part_of_it(root: Path) -> None:
    with ready("samples.echo", root=root) as environment:
        environment.send(b"\n [1] \n")
        assert environment.frame().value == [1]


@pytest.mark.parametrize("payload", [b"", b"{", b"1 2", b"\xff", b"[" * 60_000])
def test_an_event_that_is_no_json_fails_alone(root: Path, payload: bytes) -> None:
    with ready("samples.echo", root=root) as environment:
        environment.send(payload)
        frame = environment.frame()
        assert frame.kind == FAILURE
        assert frame.value["errorType"] == "Runtime.UnmarshalError"
        assert frame.value["errorMessage"].startswith("Unable to unmarshal input: ")
        assert environment.result(1) == 1


def test_a_result_may_have_the_size_that_aws_allows_and_not_more(root: Path) -> None:
    with ready("samples.returns_letters", root=root) as environment:
        assert len(environment.invoke(LIMIT - 2).body) == LIMIT
        response = environment.failure(LIMIT - 1)
        assert response["errorType"] == "Function.ResponseSizeTooLarge"
        assert response["errorMessage"] == (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        )
        assert environment.result(1) == "x"


@pytest.mark.parametrize(
    "what",
    ["nan", "infinity", "bytes", "set", "deep", "round", "surrogate", "decimal nan"],
)
def test_a_result_that_json_cannot_hold_is_a_failure(root: Path, what: str) -> None:
    with ready("samples.returns", root=root) as environment:
        response = environment.failure(what)
        assert response["errorType"] == "Runtime.MarshalError"
        assert response["errorMessage"].startswith("Unable to marshal response: ")
        assert response["stackTrace"] == []
        assert environment.result("nothing") is None


def test_results_are_utf_8_and_a_decimal_is_a_number(root: Path) -> None:
    with ready("samples.returns", root=root) as environment:
        assert environment.invoke("words").body == '"Grüße 😀"'.encode()
        assert environment.invoke("decimal").body == b"[1.5, 7]"


# Failures


def test_an_error_response_has_the_fields_of_aws(root: Path) -> None:
    with ready("samples.raises", root=root) as environment:
        response = environment.failure({"message": "no luck", "times": 1})
        (first, second) = response.pop("stackTrace")
        assert response == {
            "errorMessage": "no luck",
            "errorType": "LookupError",
            "requestId": environment.request_id,
        }
        assert first.startswith(f'  File "{root}/samples.py", line ')
        assert first.endswith(", in raises\n    _raise(event)\n")
        assert second.endswith(", in _raise\n    raise LookupError(message * times)\n")


@pytest.mark.parametrize(
    "name",
    ["KeyboardInterrupt", "GeneratorExit", "BaseException", "MemoryError", "RecursionError",
     "StopIteration", "BlockingIOError", "BrokenPipeError"],
)  # fmt: skip
def test_whatever_a_handler_raises_fails_its_event_alone(root: Path, name: str) -> None:
    with ready("samples.raises", root=root) as environment:
        for _ in range(2):
            response = environment.failure({"name": name})
            assert (response["errorType"], response["errorMessage"]) == (name, "by name")


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (3, "with error: exit status 3"),
        ("text", "with error: exit status 1"),
        (None, "without providing a reason"),
        (0, "without providing a reason"),
    ],
)
def test_an_exit_in_a_handler_is_its_failure(root: Path, status: object, how: str) -> None:
    with ready("samples.raises", root=root) as environment:
        response = environment.failure({"exit": status})
        assert response["errorType"] == "Runtime.ExitError"
        request = environment.request_id
        assert response["errorMessage"] == f"RequestId: {request} Error: Runtime exited {how}"
        assert environment.failure({"exit": 1})


@pytest.mark.parametrize("handler", ["recurses", "recurses_by_turns"])
def test_endless_recursion_is_a_failure_with_a_short_trace(root: Path, handler: str) -> None:
    with ready(f"samples.{handler}", root=root) as environment:
        for _ in range(2):
            response = environment.failure(None)
            assert response["errorType"] == "RecursionError"
            assert 3 <= len(response["stackTrace"]) <= 101


def test_more_memory_than_there_is_is_a_failure(root: Path) -> None:
    with ready("samples.takes_all_memory", root=root) as environment:
        assert environment.failure(None)["errorType"] == "MemoryError"
        assert environment.failure(None)["errorType"] == "MemoryError"


@pytest.mark.parametrize("letter", ["x", "ü", "\ud800", "\0"])
def test_a_huge_message_is_cut(root: Path, letter: str) -> None:
    with ready("samples.raises", root=root) as environment:
        message = environment.failure({"message": letter, "times": 1_000_000})["errorMessage"]
        assert 262_000 < len(message.encode()) <= 256 * 1024
        assert message.endswith(" bytes]")


def test_an_error_without_words_is_a_failure_too(root: Path) -> None:
    with ready("samples.raises", root=root) as environment:
        response = environment.failure(None)
        assert response["errorType"] == "UnprintableError"
        assert response["errorMessage"] == "<an unprintable UnprintableError>"


def test_a_process_that_ends_itself_is_seen_by_its_silence(root: Path) -> None:
    with ready("samples.ends_the_process", root=root) as environment:
        environment.send(b"1")
        assert environment.is_silent()
        assert environment.end() == 7


# Importing the handler


def test_a_handler_in_a_folder_is_found(root: Path) -> None:
    name = module(root, "def handler(event, context): return __name__", "src/deep/er")
    with ready(name, root=root) as environment:
        assert environment.result(None) == "src.deep.er"


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        ("nowhere.f", "ImportModuleError", "Unable to import module 'nowhere': No module named"),
        ("samples.nothing", "HandlerNotFound", "Handler 'nothing' missing on module 'samples'"),
        ("samples", "MalformedHandlerName", "Bad handler 'samples': not enough values to unpack"),
        ("sys.exit", "BuiltInModuleConflict", "Cannot use built-in module sys as a handler mod"),
    ],
)
def test_a_handler_that_is_not_there_has_the_error_of_aws(
    root: Path, handler: str, kind: str, message: str
) -> None:
    response = init_failure(handler, root=root)
    assert response["errorType"] == f"Runtime.{kind}"
    assert response["errorMessage"].startswith(message)
    assert (response["requestId"], response["stackTrace"]) == ("", [])


def test_a_syntax_error_names_its_place(root: Path) -> None:
    response = init_failure(module(root, "x = 1\nif x\n"), root=root)
    assert response["errorType"] == "Runtime.UserCodeSyntaxError"
    assert response["errorMessage"].startswith("Syntax error in module 'mine': ")
    assert response["stackTrace"] == [f'  File "{root}/mine.py" Line 2\n    if x\n']


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import sys; sys.exit(4)", "Runtime.ExitError", "Runtime exited with error: exit status"),
        ("raise KeyboardInterrupt('k')", "KeyboardInterrupt", "k"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("import json.nothing", "Runtime.ImportModuleError", "Unable to import module 'mine': No "),
    ],
)  # fmt: skip
def test_a_module_that_fails_to_import_ends_the_environment(
    root: Path, source: str, kind: str, message: str
) -> None:
    response = init_failure(module(root, source), root=root)
    assert response["errorType"] == kind
    assert response["errorMessage"].startswith(message)


def test_a_failed_import_is_logged_and_its_trace_begins_in_the_module(root: Path) -> None:
    with child(module(root, "print('before')\n1 / 0\n"), root=root) as environment:
        trace = environment.frame().value["stackTrace"]
        assert environment.log_text() == (
            "before\n[ERROR] ZeroDivisionError: division by zero\n"
            f"Traceback (most recent call last):\n{trace[0]}"
        )
        assert trace == [f'  File "{root}/mine.py", line 2, in <module>\n    1 / 0\n']


def test_the_folder_of_the_function_comes_first_and_is_the_current_one(root: Path) -> None:
    with ready("samples.says_what_it_knows", root=root) as environment:
        known = environment.result(None)
        assert (known["folder"], known["first path"]) == (str(root), str(root))
        assert known["arguments"] == []
        assert known["modules"] == []  # nothing of ours under a name that a user may take


def test_names_of_ours_are_free_for_modules_of_the_user(root: Path) -> None:
    for name in ("context", "log", "channel", "functions", "iot_button", "serving", "logging"):
        (root / f"{name}.py").write_text("its = 'the user'\n")
    source = (
        "import channel, context, functions, iot_button, log, logging, serving\n"
        "def handler(event, _context):\n"
        "    ours = (channel, context, functions, iot_button, log, serving)\n"
        "    return [*(m.its for m in ours), logging.getLogger().name]\n"
    )
    with ready(module(root, source), root=root) as environment:
        # `logging` stays the standard library's, as it does on AWS, whose runtime has imported it.
        assert environment.result(None) == ["the user"] * 6 + ["root"]


def test_the_time_of_the_import_is_told(root: Path) -> None:
    source = "import time; time.sleep(0.2)\ndef handler(event, context): pass\n"
    with child(module(root, source), root=root) as environment:
        assert environment.frame().duration >= 200_000


# The log


def lines_of(environment: Child) -> list[str]:
    # Not `splitlines`: for it the mark is the end of a line.
    return environment.log_text().removesuffix("\n").split("\n")


def test_what_an_event_writes_follows_a_mark_with_its_request_id(root: Path) -> None:
    with ready("samples.prints", root=root) as environment:
        ids = []
        for number in range(2):
            environment.result(number)
            ids.append(environment.request_id)
        lines = lines_of(environment)
        assert [line for line in lines if line[0] == MARK] == [MARK + i for i in ids]
        assert lines[:4] == [MARK + ids[0], "out 0", "err 0", "said"]
        assert lines[5:9] == [MARK + ids[1], "out 1", "err 1", "said"]
        assert len(lines) == 10


def test_logging_is_as_on_aws(root: Path) -> None:
    with ready("samples.prints", root=root) as environment:
        environment.result("x")
        level, moment, request, message = lines_of(environment)[-1].split("\t")
        assert (level, request, message) == (
            "[WARNING]",
            environment.request_id,
            "careful: x",
        )
        assert len(moment) == len("2026-11-22T10:00:00.000Z")
        assert moment.endswith("Z")


@pytest.mark.parametrize(("level", "shown"), [("INFO", True), ("trace", True), ("bad", False)])
def test_the_level_of_the_log_can_be_set_as_on_aws(root: Path, level: str, shown: bool) -> None:
    with child("samples.prints", root=root, variables={"AWS_LAMBDA_LOG_LEVEL": level}) as started:
        started.frame()
        started.result(None)
        assert ("not shown" in started.log_text()) is shown


def test_a_record_that_cannot_be_formatted_is_an_error_as_on_aws(root: Path) -> None:
    with ready("samples.logs_badly", root=root) as environment:
        assert environment.failure(None)["errorType"] == "TypeError"


def test_logging_is_imported_only_for_handlers_that_do(root: Path) -> None:
    source = (
        "import sys\n"
        "def handler(event, context):\n"
        "    before = [n for n in ('logging', 'socket', 'typing') if n in sys.modules]\n"
        "    import logging\n"
        "    logging.error('late')\n"
        "    return before\n"
    )
    with ready(module(root, source), root=root) as environment:
        assert environment.result(None) == []
        assert lines_of(environment)[1].startswith("[ERROR]\t")
        assert lines_of(environment)[1].endswith(f"\t{environment.request_id}\tlate")


def test_an_error_is_logged_with_its_trace(root: Path) -> None:
    with ready("samples.raises", root=root) as environment:
        trace = environment.failure({"message": "no luck", "times": 1})["stackTrace"]
        assert environment.log_text() == (
            f"{MARK}{environment.request_id}\n[ERROR] LookupError: no luck\n"
            f"Traceback (most recent call last):\n{''.join(trace)}"
        )


def test_a_handler_that_prints_nothing_leaves_the_log_empty(root: Path) -> None:
    with ready("samples.echo", root=root) as environment:
        environment.result(1)
        assert environment.log_text() == ""


def test_an_open_line_is_ended_with_its_invocation(root: Path) -> None:
    with ready("samples.prints_without_newline", root=root) as environment:
        environment.result("one")
        first = environment.request_id
        environment.result("two")
        assert lines_of(environment) == [MARK + first, "one", MARK + environment.request_id, "two"]


def test_bytes_that_are_no_text_pass_through(root: Path) -> None:
    with ready("samples.writes_bytes", root=root) as environment:
        environment.result(None)
        with pytest.raises(UnicodeDecodeError):
            environment.log_text()
        mark = f"{MARK}{environment.request_id}\n".encode()
        assert environment.logged == mark + b"ahead\n\xff\xfe\na lone \\ud800\n"


def test_a_handler_that_closes_its_output_goes_on_without_it(root: Path) -> None:
    with ready("samples.closes_its_output", root=root) as environment:
        assert environment.result(1) == 1
        assert environment.failure(2)["errorType"] == "OSError"  # there is no descriptor 2 to close


def test_a_handler_may_print_more_than_a_pipe_holds(root: Path) -> None:
    with ready("samples.prints_without_newline", root=root) as environment:
        environment.send(b'"' + b"x" * 60_000 + b'"')
        environment.send(b'"' + b"x" * 60_000 + b'"')
        assert [environment.frame().kind for _ in range(2)] == [SUCCESS, SUCCESS]
        assert environment.log_text().count("x") == 120_000


# What is measured


def test_durations_are_microseconds(root: Path) -> None:
    with ready("samples.waits", root=root) as environment:
        assert 100_000 <= environment.invoke(0.1).duration < DEADLINE * 1_000_000


def test_the_memory_told_is_of_the_child_alone(root: Path) -> None:
    ballast = bytearray(os.urandom(1024)) * 65_536  # this process has 64 MiB more than its child
    with ready("samples.uses_memory", root=root) as environment:
        small = environment.invoke(1).memory
        assert 5_000 < small < 40_000 < len(ballast)
        assert environment.invoke(50_000_000).memory > small + 45_000
        assert environment.invoke(1).memory > small + 45_000


# What is left behind


def test_threads_and_children_left_behind_do_not_disturb(root: Path) -> None:
    with ready("samples.leaves_a_thread", root=root) as environment:
        assert [environment.result(n) for n in range(5)] == list(range(5))
        environment.send(b"", kind=b"X")
        assert environment.is_silent()
        assert environment.end() == 0


def test_a_forked_child_that_returns_does_not_answer(root: Path) -> None:
    with ready("samples.forks_and_returns", root=root) as environment:
        assert [environment.result(n) for n in range(5)] == [[n, False] for n in range(5)]


def test_a_handler_that_closes_descriptors_does_not_reach_ours(root: Path) -> None:
    with ready("samples.closes_what_is_not_its_own", root=root) as environment:
        assert environment.result(None)[:3] == [3, 4, 5]
        assert environment.result(None)[:3] == [3, 4, 5]


def test_results_never_go_to_a_file_of_the_handler(root: Path) -> None:
    with ready("samples.closes_everything", root=root) as environment:
        environment.send(b"1")
        assert environment.is_silent()
        assert environment.end() != 0
        assert [path.stat().st_size for path in root.glob("mine-*")] == [0] * 20


def test_a_handler_may_start_processes_that_import_its_module_anew(root: Path) -> None:
    source = (
        "import multiprocessing\n"
        "def double(number): return 2 * number\n"
        "def handler(event, context):\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(double, event)\n"
    )
    with ready(module(root, source), root=root) as environment:
        assert environment.result([1, 2]) == [2, 4]


def test_an_alarm_that_the_handler_set_is_left_alone(root: Path) -> None:
    source = (
        "import signal\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 600)\n"
        "def handler(event, context): return signal.getitimer(signal.ITIMER_REAL)[0]\n"
    )
    with ready(module(root, source), root=root) as environment:
        assert 500 < environment.result(None) <= 600


# The end


def test_it_stops_in_the_orderly_way_when_told_to(root: Path) -> None:
    with ready("samples.promises", root=root) as environment:
        environment.result("kept")
        environment.send(b"", kind=b"X")
        assert environment.end() == 0
        assert (root / "kept").exists()


PARENT = """
import sys
from pathlib import Path
from tests.functions.environment_harness import Child
child = Child(sys.argv[1], root=Path(sys.argv[2]), timeout=float(sys.argv[3]), variables={})
child.frame()
child.send(b"600")
print(child.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("handler", ["echo", "waits"])
def test_it_ends_when_its_parent_was_killed(root: Path, handler: str) -> None:
    """Idle: in about a second. In a handler that hangs: some seconds after its timeout."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, f"samples.{handler}", str(root), "0.1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        process_id = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait(DEADLINE)
        eventually(lambda: is_gone(process_id), what="the child is gone")


def is_gone(process_id: int) -> bool:
    """Whether a process has ended; nobody may have waited for it yet."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except FileNotFoundError:
        return True
    return "State:\tZ" in status


# The context


def test_the_context_knows_the_invocation(root: Path) -> None:
    with ready("samples.says_what_it_knows", root=root) as environment:
        known = environment.result(None)
        assert known["id"] == environment.request_id
        assert (known["name"], known["memory"]) == ("sample", "128")
        assert 0 < known["remaining"] <= 3000
        assert known["client"] == "None"
        assert "cognito_identity_id=None" in known["identity"]


def test_the_header_of_an_event_is_in_its_context_and_in_no_other(root: Path) -> None:
    header = {
        "clientContext": {"client": {"app_title": "t"}, "custom": {"a": 1}},
        "identity": {"cognitoIdentityId": "me"},
        "traceId": "Root=1-2-3",
    }
    with ready("samples.says_what_it_knows", root=root) as environment:
        known = environment.result(None, header=header)
        assert "app_title=t" in known["client"]
        assert "cognito_identity_id=me" in known["identity"]
        assert known["trace"] == "Root=1-2-3"
        after = environment.result(None)
        assert (after["client"], after["trace"]) == ("None", None)


def test_a_client_context_that_is_no_object_fails_its_event_alone(root: Path) -> None:
    with ready("samples.echo", root=root) as environment:
        assert (
            environment.failure(1, header={"clientContext": [1]})["errorType"] == "AttributeError"
        )
        assert environment.result(1) == 1
