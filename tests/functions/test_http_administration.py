"""What the commands ask of a running runtime."""

import threading
import time
from collections.abc import Iterator

import pytest

from functions.runtime.http.server import HttpSide
from tests.functions.fake_control import FakeControl, ask, http_side, spec
from tests.support import DEADLINE, eventually

BASE = "/-/functions/f"


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"f": lambda *_: 1}, spec("f", ("GET", "/f", "1.0")))


@pytest.fixture
def side(control: FakeControl) -> Iterator[HttpSide]:
    with http_side(control) as served:
        yield served


def test_the_functions_are_listed(side: HttpSide) -> None:
    (found,) = ask(side, "GET", "/-/functions").json["functions"]
    assert (found["name"], found["state"], found["routes"]) == ("f", "active", ["GET /f"])
    assert found["oldestWaiting"] is None


def test_health_is_answered(side: HttpSide) -> None:
    assert ask(side, "GET", "/-/health").json == {"status": "ok", "functions": 1}


def test_throttling_pausing_and_resuming_answer_with_what_is_now(side: HttpSide) -> None:
    def state(path: str, body: bytes | None = None) -> tuple[str, int]:
        found = ask(side, "POST", f"{BASE}/{path}", body).json
        return found["state"], found["concurrencyLimit"]

    assert state("throttle", b'{"concurrency": 7}') == ("active", 7)
    assert state("throttle", b'{"concurrency": 0}') == ("killed", 0)
    assert state("throttle", b'{"concurrency": null}') == ("active", 2)
    assert state("pause") == ("paused", 2)
    assert state("resume") == ("active", 2)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"concurrency": -1}', b'{"concurrency": "2"}', b'{"other": 1}']
)
def test_a_body_that_makes_no_sense_changes_nothing(
    side: HttpSide, control: FakeControl, body: bytes
) -> None:
    reply = ask(side, "POST", f"{BASE}/throttle", body)
    assert reply.status == 400
    assert reply.json["error"]
    assert control.functions()[0].concurrency_limit == 2


def test_dead_letters_are_shown_and_run_again(side: HttpSide, control: FakeControl) -> None:
    for number in range(3):
        control.add_dead_letter("f", {"n": number})
    letters = ask(side, "GET", f"{BASE}/dead-letters?limit=2").json["deadLetters"]
    assert [letter["record"]["requestPayload"]["n"] for letter in letters] == [1, 2]
    reply = ask(side, "POST", f"{BASE}/redrive", f'{{"id": {letters[0]["id"]}}}')
    assert reply.json == {"redriven": 1}
    assert control.queued == [("f", b'{"n": 1}')]
    assert ask(side, "POST", f"{BASE}/redrive").json == {"redriven": 2}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "throttle"),
        ("POST", "pause"),
        ("POST", "resume"),
        ("POST", "redrive"),
        ("GET", "dead-letters"),
        ("GET", "logs"),
    ],
)
def test_an_unknown_function_is_answered_with_those_that_exist(
    side: HttpSide, method: str, path: str
) -> None:
    reply = ask(side, method, f"/-/functions/nobody/{path}")
    assert reply.status == 404
    assert "'nobody'" in reply.json["error"]
    assert "there are: f" in reply.json["mend"]


def test_logs_come_from_where_the_reader_was(side: HttpSide, control: FakeControl) -> None:
    control.log("f", "one", "two", "three")
    first = ask(side, "GET", f"{BASE}/logs?limit=2").json
    assert [line["text"] for line in first["lines"]] == ["two", "three"]
    query = f"after={first['lines'][0]['number']}&run={first['run']}"
    later = ask(side, "GET", f"{BASE}/logs?{query}").json
    assert [line["text"] for line in later["lines"]] == ["three"]


def test_a_reader_of_an_earlier_run_begins_anew(side: HttpSide, control: FakeControl) -> None:
    control.log("f", "one")
    reply = ask(side, "GET", f"{BASE}/logs?after=500&run=another")
    assert [line["text"] for line in reply.json["lines"]] == ["one"]


def test_a_long_poll_ends_with_the_first_line(side: HttpSide, control: FakeControl) -> None:
    answers: list[list[str]] = []

    def poll() -> None:
        reply = ask(side, "GET", f"{BASE}/logs?wait=14")
        answers.append([line["text"] for line in reply.json["lines"]])

    thread = threading.Thread(target=poll)
    thread.start()
    control.log("f", "now")
    thread.join(DEADLINE)
    assert answers == [["now"]]


def test_a_long_poll_without_a_line_ends_when_its_wait_is_over(side: HttpSide) -> None:
    start = time.monotonic()
    assert ask(side, "GET", f"{BASE}/logs?wait=0.4").json["lines"] == []
    assert 0.4 <= time.monotonic() - start < DEADLINE


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=", "wait=nan", "wait=31", "wait="])
def test_a_number_that_is_none_is_refused_by_its_name(side: HttpSide, query: str) -> None:
    reply = ask(side, "GET", f"{BASE}/logs?{query}")
    assert reply.status == 400
    assert query.partition("=")[0] in reply.json["error"]


def test_polls_beyond_the_limit_are_answered_at_once(side: HttpSide, control: FakeControl) -> None:
    threads = [
        threading.Thread(target=ask, args=(side, "GET", f"{BASE}/logs?wait=14")) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(control.waiting_readers) == 8, what="eight polls that wait")
    start = time.monotonic()
    assert ask(side, "GET", f"{BASE}/logs?wait=14").json["lines"] == []
    assert time.monotonic() - start < 5
    control.log("f", "the end")
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
