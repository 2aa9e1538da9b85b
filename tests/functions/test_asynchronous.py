"""Asynchronous invocation: retries, ages, holding back, dead letters and destinations."""

import base64
import itertools
from pathlib import Path
from typing import Any

import pytest

from functions.runtime.control import State
from functions.runtime.dead_letter_box import event_of
from functions.runtime.events import ClickId, Event
from functions.runtime.identity import new_request_id
from functions.runtime.outputs import MOST_BYTES
from functions.runtime.seen import Seen
from functions.runtime.switches import Switch
from tests.functions.service_support import Clock, Workshop, body, function, one_function

ECHO = "def lambda_handler(event, context):\n    return event\n"
FAILING = "def lambda_handler(event, context):\n    raise ValueError('no')\n"
COUNTING = """
import pathlib
def lambda_handler(event, context):
    file = pathlib.Path(event["file"])
    file.write_text(file.read_text() + context.aws_request_id + " " if file.exists() else
                    context.aws_request_id + " ")
    if len(file.read_text().split()) <= event["failures"]:
        raise ValueError("not yet")
    return "done"
"""
SLEEPY = """
import time
def lambda_handler(event, context):
    time.sleep(event["seconds"])
    return event["number"]
"""
DEAD = "deadletter/mine"


def click_id(event_id: str = "one") -> ClickId:
    return ClickId("button", event_id, True)


def redrive(workshop: Workshop) -> bool:
    """Do what `deadletters redrive` does with the oldest dead letter."""
    queue = workshop.member.queue
    (entry, *_) = workshop.spool.entries(queue.dead_letters.queue, limit=1)
    event = event_of(entry)
    assert event is not None
    is_taken = queue.redrive(event)
    if is_taken:
        workshop.spool.remove(entry.id)
    return is_taken


# Retries.


def test_a_failed_event_is_run_again_after_60_and_120_seconds_under_the_same_request_id(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs"
    with one_function(tmp_path, COUNTING, clock=Clock(), publish_result_to="out") as workshop:
        event = workshop.take(body(file=str(file), failures=2))
        workshop.settle()
        runs = [len(file.read_text().split())]
        for seconds in (59.0, 2.0, 118.0, 3.0, 1000.0):
            workshop.advance(seconds)
            runs.append(len(file.read_text().split()))
        assert runs == [1, 1, 2, 2, 3, 3]
        assert set(file.read_text().split()) == {event.request_id}
        assert workshop.sent_to("out") == ["done"]
        assert workshop.sent_to(DEAD) == []
        assert workshop.member.queue.waiting == 0


def test_an_event_that_always_fails_is_a_dead_letter_after_three_attempts(tmp_path: Path) -> None:
    with one_function(tmp_path, FAILING, clock=Clock()) as workshop:
        event = workshop.take(body(a=1))
        for seconds in (0.0, 61.0, 121.0):
            assert workshop.sent_to(DEAD) == []
            workshop.advance(seconds)
        (record,) = workshop.until_sent(DEAD)
        workshop.settle()
        assert record["requestContext"] == {
            "requestId": event.request_id,
            "functionArn": "arn:aws:lambda:eu-west-1:000000000000:function:mine:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        }
        assert record["version"] == "1.0"
        assert record["timestamp"].endswith("Z")
        assert record["requestPayload"] == {"a": 1}
        assert record["responseContext"] == {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        assert record["responsePayload"]["errorType"] == "ValueError"
        assert record["responsePayload"]["errorMessage"] == "no"
        assert workshop.spool.count(workshop.member.queue.backlog.queue) == 0
        assert workshop.member.metrics.async_events_dropped == 1


@pytest.mark.parametrize("retries", [0, 1])
def test_a_function_says_how_often_it_is_tried_again(tmp_path: Path, retries: int) -> None:
    with one_function(tmp_path, FAILING, delays=(0.01,), retries=retries) as workshop:
        workshop.take(b"1")
        (record,) = workshop.until_sent(DEAD)
        assert record["requestContext"]["approximateInvokeCount"] == retries + 1


def test_an_event_past_its_maximum_age_is_not_tried_again(tmp_path: Path) -> None:
    clock = Clock()
    with one_function(tmp_path, FAILING, clock=clock, event_age=90.0) as workshop:
        workshop.take(b"1")
        workshop.settle()
        assert workshop.sent_to(DEAD) == []
        workshop.advance(61.0)
        (record,) = workshop.until_sent(DEAD)
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 2


def test_an_event_that_grew_too_old_on_disk_is_not_run(tmp_path: Path) -> None:
    with one_function(
        tmp_path, ECHO, clock=Clock(), event_age=60.0, switch=Switch(is_paused=True)
    ) as workshop:
        workshop.take(b"1")
        workshop.settle()
        assert isinstance(workshop.clock, Clock)
        workshop.clock.now += 61
        workshop.member.set_switch(Switch())
        (record,) = workshop.until_sent(DEAD)
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert "responsePayload" not in record
        assert workshop.member.metrics.invocations == 0


def test_a_retry_outlives_the_runtime(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "runs"
    options: dict[str, Any] = {"clock": clock, "publish_result_to": "out"}
    with one_function(tmp_path, COUNTING, **options) as workshop:
        first = workshop.take(body(file=str(file), failures=1))
        workshop.settle()
    clock.now += 61
    with one_function(tmp_path, COUNTING, **options) as workshop:
        assert workshop.until_sent("out") == ["done"]
    assert file.read_text().split() == [first.request_id] * 2


# Outputs.


def test_a_result_is_published_to_its_topic_and_none_is_not(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, publish_result_to="out") as workshop:
        safe = []
        for value in (b"1", b"null", b'"three"', b"false"):
            workshop.member.queue.take(
                Event(new_request_id(), value, workshop.clock(), on_safe=lambda: safe.append(1))
            )
        workshop.run_until(lambda: len(safe) == 4, what="all are safe")
        assert sorted(map(str, workshop.sent_to("out"))) == ["1", "False", "three"]


def test_a_source_may_forget_an_event_only_when_its_output_is_acknowledged(
    tmp_path: Path,
) -> None:
    with one_function(tmp_path, ECHO, publish_result_to="out") as workshop:
        workshop.broker.is_holding = True
        safe: list[int] = []
        event = Event(new_request_id(), b"1", workshop.clock(), on_safe=lambda: safe.append(1))
        workshop.member.queue.take(event)
        workshop.until_sent("out")
        workshop.turn(10)
        assert safe == []
        workshop.broker.is_holding = False
        workshop.run_until(lambda: safe, what="it is safe")


def test_success_and_failure_go_to_their_destinations(tmp_path: Path) -> None:
    code = "def lambda_handler(event, context):\n    return 1 / event\n"
    with one_function(
        tmp_path, code, retries=0, on_success="good", on_failure="bad", dead_letter_topic="queue"
    ) as workshop:
        workshop.take(b"2")
        workshop.take(b"0")
        (good,) = workshop.until_sent("good")
        (bad,) = workshop.until_sent("bad")
        assert workshop.until_sent(DEAD) == [bad]
        assert workshop.sent_to("queue") == [0]
        assert good["requestContext"]["condition"] == "Success"
        assert good["requestPayload"] == 2
        assert good["responsePayload"] == 0.5
        assert "functionError" not in good["responseContext"]
        assert bad["requestContext"]["condition"] == "RetriesExhausted"
        assert bad["responsePayload"]["errorType"] == "ZeroDivisionError"


def test_a_result_that_the_broker_would_refuse_is_a_failure(tmp_path: Path) -> None:
    code = "def lambda_handler(event, context):\n    return 'x' * event\n"
    with one_function(tmp_path, code, retries=0, publish_result_to="out") as workshop:
        workshop.take(b"%d" % (MOST_BYTES - 2))
        (text,) = workshop.until_sent("out")
        assert len(text) == MOST_BYTES - 2
        workshop.take(b"%d" % (MOST_BYTES - 1))
        (record,) = workshop.until_sent(DEAD)
        assert record["responsePayload"]["errorType"] == "Function.ResponseSizeTooLarge"
        assert len(workshop.sent_to("out")) == 1


@pytest.mark.parametrize("character", ["x", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\\u00e9", "\t"])
def test_records_of_large_payloads_stay_below_what_the_broker_takes(
    tmp_path: Path, character: str
) -> None:
    with one_function(
        tmp_path, ECHO, on_success="good", switch=Switch(is_paused=False)
    ) as workshop:
        text = character * (250_000 // len(character.encode()))
        payload = f'"{text}"'.encode() if character != "\t" else b'"' + b"\\t" * 125_000 + b'"'
        workshop.take(payload)
        workshop.until_sent("good")
        assert all(len(payload) < 1_048_000 for _, payload in workshop.broker.sent)


def test_a_dead_letter_of_a_large_event_says_how_long_it_was(tmp_path: Path) -> None:
    with one_function(tmp_path, FAILING, retries=0) as workshop:
        event = body(text="x" * 300_000)
        workshop.take(event)
        (record,) = workshop.until_sent(DEAD)
        kept = record["requestPayload"]
        assert kept["payloadBytes"] == len(event)
        assert event.startswith(base64.b64decode(kept["payloadBase64"]))


def test_a_dead_letter_topic_never_gets_what_the_broker_refuses(tmp_path: Path) -> None:
    with one_function(tmp_path, FAILING, retries=0, dead_letter_topic="queue") as workshop:
        workshop.take(body(text="x" * 1_048_500))
        (record,) = workshop.until_sent(DEAD)
        assert record["requestPayload"]["payloadBytes"] > 1_048_500
        assert [topic for topic, _ in workshop.broker.sent] == [DEAD]


@pytest.mark.parametrize("depth", [100, 400, 800, 900, 950, 980, 1000, 5_000])
def test_an_event_of_any_depth_has_an_end(tmp_path: Path, depth: int) -> None:
    with one_function(tmp_path, FAILING, retries=0, publish_result_to="out") as workshop:
        workshop.take(b"[" * depth + b"]" * depth)
        workshop.run_until(lambda: workshop.broker.sent, what="it has an end")
        assert workshop.broker.sent[0][0] == DEAD


# Switches.


def test_paused_events_stay_on_disk_also_over_a_restart_and_run_in_order(tmp_path: Path) -> None:
    options = {"publish_result_to": "out", "reserved_concurrency": 1}
    with one_function(tmp_path, ECHO, switch=Switch(is_paused=True), **options) as workshop:
        safe: list[int] = []
        for number in range(300):
            workshop.member.queue.take(
                Event(
                    new_request_id(),
                    b"%d" % number,
                    workshop.clock(),
                    on_safe=lambda: safe.append(1),
                )
            )
        workshop.run_until(lambda: len(safe) == 300, what="all are on disk")
        assert workshop.sent_to("out") == []
        assert workshop.member.queue.waiting == 300
        assert workshop.member.queue.state is State.PAUSED
    with one_function(tmp_path, ECHO, switch=Switch(is_paused=True), **options) as workshop:
        workshop.turn(10)
        assert workshop.sent_to("out") == []
        workshop.take(b"300")
        workshop.member.set_switch(Switch())
        workshop.take(b"301")
        assert workshop.until_sent("out", 302) == list(range(302))
        workshop.settle()
        assert workshop.member.queue.waiting == 0


def test_a_pause_holds_back_what_waits_for_a_slot_but_not_what_runs(tmp_path: Path) -> None:
    with one_function(
        tmp_path, SLEEPY, publish_result_to="out", reserved_concurrency=1
    ) as workshop:
        for number in range(3):
            workshop.take(body(seconds=0.3, number=number))
        workshop.run_until(lambda: workshop.member.pool.running, what="one runs")
        workshop.member.set_switch(Switch(is_paused=True))
        assert workshop.until_sent("out") == [0]
        workshop.settle()
        assert workshop.sent_to("out") == [0]
        assert workshop.member.queue.waiting == 2
        workshop.member.set_switch(Switch())
        assert workshop.until_sent("out", 3) == [0, 1, 2]


def test_the_kill_switch_sends_new_and_waiting_events_to_the_dead_letters(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, switch=Switch(is_paused=True)) as workshop:
        workshop.take(b"1")
        workshop.settle()
        workshop.member.set_switch(Switch(concurrency=0))
        workshop.take(b"2")
        records = workshop.until_sent(DEAD, 2)
        assert [record["requestPayload"] for record in records] == [1, 2]
        assert {r["requestContext"]["condition"] for r in records} == {"ZeroReservedConcurrency"}
        assert workshop.member.metrics.invocations == 0
        assert workshop.environments == 0


def test_a_full_function_lets_events_wait_on_disk_and_runs_them_all_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.runtime.asynchronous._WAITS_AT_MOST", 0.1)
    with one_function(
        tmp_path, SLEEPY, publish_result_to="out", reserved_concurrency=1
    ) as workshop:
        safe: list[int] = []
        workshop.take(body(seconds=0.6, number=0))
        for number in range(1, 20):
            event = body(seconds=0, number=number)
            workshop.member.queue.take(
                Event(new_request_id(), event, workshop.clock(), on_safe=lambda: safe.append(1))
            )
        workshop.run_until(lambda: len(safe) == 19, what="all are on disk")
        assert workshop.sent_to("out") == []
        assert workshop.member.metrics.throttles >= 19
        assert workshop.until_sent("out", 20) == list(range(20))
        workshop.settle()
        assert workshop.spool.count(workshop.member.queue.backlog.queue) == 0


# Redrive, and clicks.


def test_a_redriven_event_runs_again_and_sends_the_receipt(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    with one_function(
        tmp_path, COUNTING, "SELECT * FROM 'iotbutton/+'", retries=0, publish_result_to="out"
    ) as workshop:
        workshop.click(eventId="one", file=str(file), failures=1)
        workshop.until_sent("iotbutton/one/receipt")
        redrive(workshop)
        assert workshop.until_sent("out") == ["done"]
        receipts = workshop.until_sent("iotbutton/one/receipt", 2)
        workshop.settle()
        assert [receipt["outcome"] for receipt in receipts] == ["deadletter", "processed"]
        assert workshop.spool.count(workshop.member.queue.dead_letters.queue) == 0
        assert len(set(file.read_text().split())) == 1
        workshop.click(eventId="one", file=str(file), failures=0)
        assert workshop.until_sent("iotbutton/one/receipt", 3)[2]["outcome"] == "processed"
        assert workshop.sent_to("out") == ["done"]


def test_a_redriven_event_that_fails_again_is_a_dead_letter_again(tmp_path: Path) -> None:
    with one_function(tmp_path, FAILING, retries=0) as workshop:
        workshop.take(b"1")
        workshop.until_sent(DEAD)
        workshop.settle()
        redrive(workshop)
        first, second = workshop.until_sent(DEAD, 2)
        assert second["requestContext"]["requestId"] == first["requestContext"]["requestId"]
        assert second["requestContext"]["approximateInvokeCount"] == 1


@pytest.mark.parametrize("handshakes", [0, 1, 16])
def test_each_click_is_published_at_the_quality_that_the_broker_can(
    tmp_path: Path, handshakes: int
) -> None:
    with one_function(tmp_path, ECHO, handshakes=handshakes, publish_result_to="out") as workshop:
        for number in range(50):
            workshop.take(b"%d" % number, click=click_id(str(number)))
        assert sorted(workshop.until_sent("out", 50)) == list(range(50))
        workshop.run_until(lambda: len(workshop.settled) == 50, what="all are settled")
        sent = zip(workshop.broker.sent, workshop.broker.qos, strict=True)
        qualities = {quality for (topic, _), quality in sent if topic == "out"}
        assert qualities == {2 if handshakes else 1}


def test_no_more_handshakes_are_under_way_at_once_than_the_broker_can(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, handshakes=3, publish_result_to="out") as workshop:
        workshop.broker.is_holding = True
        for number in range(20):
            workshop.take(b"%d" % number, click=click_id(str(number)))
        workshop.run_until(lambda: workshop.member.metrics.invocations == 20, what="all are run")
        workshop.turn(20)
        assert len(workshop.sent_to("out")) == 3
        workshop.broker.is_holding = False
        assert sorted(workshop.until_sent("out", 20)) == list(range(20))


def test_handshakes_of_the_process_before_count_too(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, handshakes=3, publish_result_to="out") as workshop:
        workshop.broker.is_holding = True
        for number in range(3):
            workshop.take(b"%d" % number, click=click_id(str(number)))
        workshop.until_sent("out", 3)
    spec = function(tmp_path / "code", ECHO, publish_result_to="out")
    again = Workshop(tmp_path, spec, handshakes=3)
    again.broker.is_holding = True
    with again:
        assert again.sent_to("out") == [0, 1, 2]
        for number in range(3, 8):
            again.take(b"%d" % number, click=click_id(str(number)))
        again.run_until(lambda: again.member.metrics.invocations == 5, what="all are run")
        again.turn(20)
        assert len(again.sent_to("out")) == 3
        again.broker.is_holding = False
        assert sorted(again.until_sent("out", 8)) == list(range(8))
        again.run_until(lambda: len(again.settled) == 8, what="all are settled")


def test_an_event_whose_last_output_is_under_way_is_finished_and_not_run_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs"
    options: dict[str, Any] = {
        "handshakes": 1,
        "publish_result_to": "out",
        "delays": (0.01,),
    }
    with one_function(tmp_path, COUNTING, **options) as workshop:
        workshop.take(body(file=str(file), failures=1), click=click_id())
        workshop.broker.is_holding = True
        workshop.until_sent("out")
    assert len(file.read_text().split()) == 2
    with one_function(tmp_path, COUNTING, **options) as workshop:
        workshop.run_until(lambda: workshop.settled, what="it is settled")
        workshop.settle()
        assert workshop.settled == [("mine", "one", "processed")]
        assert workshop.spool.count(workshop.member.queue.backlog.queue) == 0
    assert len(file.read_text().split()) == 2


def test_a_full_disk_lets_no_source_forget_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iot_button.files import StorageError

    def fail() -> None:
        raise StorageError(tmp_path, "no space left on device")

    with one_function(tmp_path, FAILING) as workshop:
        monkeypatch.setattr(workshop.spool, "commit", fail)
        safe: list[int] = []
        event = Event(new_request_id(), b"1", workshop.clock(), on_safe=lambda: safe.append(1))
        workshop.member.queue.take(event)
        workshop.run_until(lambda: workshop.spool.is_changed, what="it is put on disk")
        workshop.turn(10)
        assert safe == []
        monkeypatch.undo()


def test_dead_letters_are_kept_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.runtime.dead_letter_box._MOST", 5)
    with one_function(tmp_path, FAILING, retries=0) as workshop:
        for number in range(12):
            workshop.take(b"%d" % number)
        workshop.until_sent(DEAD, 12)
        workshop.settle()
        assert workshop.spool.count(workshop.member.queue.dead_letters.queue) == 5


def test_a_thousand_failing_events_each_become_one_dead_letter(tmp_path: Path) -> None:
    with one_function(tmp_path, FAILING, delays=(0.01, 0.02)) as workshop:
        numbers = itertools.count()
        for _ in range(1_000):
            workshop.take(b"%d" % next(numbers))
        records = workshop.until_sent(DEAD, 1_000)
        workshop.settle()
        assert sorted(record["requestPayload"] for record in records) == list(range(1_000))
        assert {r["requestContext"]["approximateInvokeCount"] for r in records} == {3}
        assert workshop.member.metrics.invocations == 3_000


# Killed between two commits.


def test_an_event_that_was_put_on_disk_in_the_last_moment_is_not_run_twice(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs"
    rule = "SELECT * FROM 'iotbutton/+'"
    clock = Clock()
    options: dict[str, Any] = {"clock": clock, "publish_result_to": "out"}
    click: dict[str, Any] = {"eventId": "one", "file": str(file), "failures": 1}
    with one_function(tmp_path, COUNTING, rule, **options) as workshop:
        workshop.dies_after_spool = lambda: True
        workshop.click(**click)
        workshop.run_until(lambda: workshop.is_dead, what="the failed event is on disk")
        assert workshop.acknowledged == []
    clock.now += 61  # it is due, and its source sends it again
    with one_function(tmp_path, COUNTING, rule, **options) as workshop:
        packet = workshop.click(**click, duplicate=True)
        workshop.settle()
        assert workshop.acknowledged == [packet]
        assert workshop.until_sent("iotbutton/one/receipt")[0]["outcome"] == "processed"
        workshop.advance(1000)
        assert workshop.sent_to("out") == ["done"]
    assert len(file.read_text().split()) == 2


@pytest.mark.parametrize("handshakes", [0, 1])
def test_an_event_stays_on_disk_until_the_broker_has_its_receipt(
    tmp_path: Path, handshakes: int
) -> None:
    file = tmp_path / "runs"
    rule = "SELECT * FROM 'iotbutton/+'"
    options: dict[str, Any] = {"publish_result_to": "out", "delays": (0.05,)}
    with one_function(tmp_path, COUNTING, rule, handshakes=handshakes, **options) as workshop:
        queue = workshop.member.queue.backlog.queue
        workshop.broker.held = {"iotbutton/one/receipt"}
        workshop.click(eventId="one", file=str(file), failures=1)
        workshop.until_sent("iotbutton/one/receipt")
        workshop.turn(20)
        assert workshop.spool.count(queue) == 1
    with one_function(tmp_path, COUNTING, rule, handshakes=handshakes, **options) as workshop:
        receipts = workshop.until_sent("iotbutton/one/receipt")
        assert receipts[0]["outcome"] == "processed"
        workshop.settle()
        assert workshop.spool.count(queue) == 0
        assert workshop.sent_to("out") == []
    assert len(file.read_text().split()) == 2


def test_an_output_under_way_is_known_though_its_event_is_put_on_disk_meanwhile(
    tmp_path: Path,
) -> None:
    with one_function(tmp_path, ECHO, handshakes=1, publish_result_to="out") as workshop:
        key = click_id().key("mine")
        workshop.seen.send(key, 7, "out", b"1", b"extra")
        workshop.seen.done(key, "held")
        assert [output.packet_id for output in workshop.seen.under_way()] == [7]
        workshop.seen.commit()
    with Seen(tmp_path / "seen") as seen:
        assert [output.packet_id for output in seen.under_way()] == [7]
        seen.done(key, "processed")
        assert seen.under_way() == []


def test_a_click_that_the_window_has_forgotten_while_it_was_held_is_published_once(
    tmp_path: Path,
) -> None:
    spec = function(
        tmp_path / "code",
        "def lambda_handler(event, context):\n    return event\n",
        "SELECT * FROM 'iotbutton/+'",
        publish_result_to="out",
    )
    workshop = Workshop(tmp_path, spec, handshakes=16)
    workshop.seen = Seen(tmp_path / "seen", size=10)
    with workshop:
        workshop.member.set_switch(Switch(is_paused=True))
        packets = []
        for _ in range(3):
            packets.append(workshop.click(eventId="held"))
            workshop.turn(5)
            for number in range(10):
                workshop.seen.done(click_id(str(number)).key("other"), "processed")
        workshop.settle()
        assert workshop.acknowledged == packets
        workshop.member.set_switch(Switch())
        workshop.until_sent("iotbutton/one/receipt")
        workshop.settle()
        assert len(workshop.sent_to("out")) == 1
        assert workshop.spool.count(workshop.member.queue.backlog.queue) == 0


def test_a_redrive_in_the_moment_in_which_an_event_becomes_a_dead_letter_loses_it_not(
    tmp_path: Path,
) -> None:
    with one_function(tmp_path, FAILING, retries=0) as workshop:
        queue = workshop.member.queue
        workshop.broker.is_holding = True
        workshop.take(body(a=1), click=click_id())
        workshop.until_sent(DEAD)
        workshop.broker.is_holding = False
        workshop.broker.acknowledge_all()  # kept now, and not yet committed
        assert workshop.spool.count(queue.dead_letters.queue) == 1
        assert not redrive(workshop)
        workshop.settle()
        assert redrive(workshop)
        workshop.until_sent(DEAD, 2)
        workshop.settle()
        assert workshop.member.metrics.invocations == 2


def test_a_disk_that_could_not_be_read_once_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iot_button.files import StorageError

    with one_function(tmp_path, ECHO, publish_result_to="out") as workshop:

        def fail(*_args: object, **_options: object) -> None:
            monkeypatch.undo()
            raise StorageError(tmp_path, "input/output error")

        monkeypatch.setattr(workshop.spool, "due", fail)
        event = Event(new_request_id(), b"1", workshop.clock())
        workshop.member.queue.take_durably(event)
        workshop.until_sent("out")
