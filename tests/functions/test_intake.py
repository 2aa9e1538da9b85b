"""From a message to the events of functions: rules, repeats, receipts, and what is no event."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iot_button.messages import Delivery
from tests.functions.service_support import CLICKS, Workshop, body, function, one_function

ECHO = "def lambda_handler(event, context):\n    return event\n"
FAILING = "def lambda_handler(event, context):\n    raise ValueError('no')\n"
RECEIPT = "iotbutton/one/receipt"


def echo(folder: Path, name: str, *rules: str, **more: Any) -> Any:
    options = {"publish_result_to": f"out/{name}"} | more
    return function(folder / "code", ECHO, *rules, name=name, **options)


def test_one_topic_reaches_every_function_whose_rule_wants_it(tmp_path: Path) -> None:
    specs = (
        echo(tmp_path, "all", CLICKS),
        echo(tmp_path, "single", f"{CLICKS} WHERE clickType = 'SINGLE'"),
        echo(tmp_path, "long", f"{CLICKS} WHERE clickType = 'LONG'"),
        echo(tmp_path, "other", "SELECT * FROM 'sensors/#'"),
    )
    with Workshop(tmp_path, *specs) as workshop:
        packet = workshop.click(eventId="one")
        assert workshop.until_sent("out/all")[0]["eventId"] == "one"
        assert workshop.until_sent("out/single")[0]["clickType"] == "SINGLE"
        assert workshop.until_sent(RECEIPT)[0]["outcome"] == "processed"
        workshop.settle()
        assert workshop.acknowledged == [packet]
        assert len(workshop.sent_to(RECEIPT)) == 1
        assert not workshop.sent_to("out/long")
        assert not workshop.sent_to("out/other")


def test_a_message_is_acknowledged_only_when_all_its_functions_are_done(tmp_path: Path) -> None:
    specs = (echo(tmp_path, "quick", CLICKS), echo(tmp_path, "held", CLICKS))
    with Workshop(tmp_path, *specs) as workshop:
        workshop.broker.held = {"out/held"}
        workshop.click(eventId="one")
        workshop.until_sent("out/quick")
        workshop.until_sent("out/held")
        workshop.turn(20)
        assert workshop.acknowledged == []
        assert workshop.sent_to(RECEIPT) == []
        workshop.broker.held = set()
        workshop.loop.call_later(0, workshop.broker.acknowledge_all)
        workshop.until_sent(RECEIPT)
        workshop.settle()
        assert len(workshop.acknowledged) == 1


def test_where_one_of_two_functions_fails_the_receipt_says_so_after_both(tmp_path: Path) -> None:
    failing = function(tmp_path / "code", FAILING, CLICKS, name="failing", retries=1)
    specs = (echo(tmp_path, "good", CLICKS), failing)
    with Workshop(tmp_path, *specs, delays=(0.3,)) as workshop:
        workshop.click(eventId="one")
        workshop.until_sent("out/good")
        workshop.run_until(lambda: workshop.acknowledged, what="it is safe")
        assert workshop.sent_to(RECEIPT) == []
        (receipt,) = workshop.until_sent(RECEIPT)
        assert receipt["outcome"] == "deadletter"
        assert len(workshop.sent_to("deadletter/failing")) == 1


def test_two_rules_of_one_function_make_two_events(tmp_path: Path) -> None:
    rules = ("SELECT 1 AS rule FROM 'iotbutton/+'", "SELECT 2 AS rule FROM 'iotbutton/one'")
    with Workshop(tmp_path, echo(tmp_path, "mine", *rules)) as workshop:
        workshop.click(eventId="one")
        results = workshop.until_sent("out/mine", 2)
        assert sorted(result["rule"] for result in results) == [1, 2]
        assert len(workshop.until_sent(RECEIPT)) == 1


def test_a_click_that_no_function_wants_gets_its_receipt(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", f"{CLICKS} WHERE 1 = 2")) as workshop:
        packet = workshop.click(eventId="one")
        assert workshop.until_sent(RECEIPT)[0]["outcome"] == "processed"
        assert workshop.acknowledged == [packet]


def test_a_repeat_gets_its_receipt_again_also_from_the_next_runtime(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        workshop.click(eventId="one")
        workshop.until_sent(RECEIPT)
        second = workshop.click(eventId="one")
        workshop.until_sent(RECEIPT, 2)
        assert workshop.acknowledged[-1] == second
        assert len(workshop.sent_to("out/mine")) == 1
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        third = workshop.click(eventId="one")
        workshop.until_sent(RECEIPT)
        workshop.settle()
        assert workshop.acknowledged == [third]
        assert workshop.sent_to("out/mine") == []


def test_a_click_is_acknowledged_behind_its_receipt(tmp_path: Path) -> None:
    """A connection that is cut between the two must not take the receipt alone."""
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        sent_before: list[int] = []
        acknowledge = workshop.intake._acknowledge  # noqa: SLF001 - to hear the order of the two

        def listen(delivery: Delivery) -> None:
            sent_before.append(len(workshop.sent_to(RECEIPT)))
            acknowledge(delivery)

        workshop.intake._acknowledge = listen  # noqa: SLF001 - likewise
        workshop.click(eventId="one")
        workshop.click(eventId="one")
        workshop.run_until(lambda: len(workshop.acknowledged) == 2, what="both are acknowledged")
        assert sent_before == [1, 1]


def test_a_repeat_while_the_first_runs_joins_it(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        packets = {workshop.click(eventId="one") for _ in range(5)}
        assert workshop.acknowledged == []
        workshop.until_sent(RECEIPT)
        workshop.settle()
        assert set(workshop.acknowledged) == packets
        assert len(workshop.sent_to("out/mine")) == 1


def test_the_same_id_of_another_button_is_another_click(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        workshop.click(eventId="one")
        workshop.click(eventId="one", serial="two")
        assert len(workshop.until_sent("out/mine", 2)) == 2


def test_clicks_without_ids_are_told_apart_but_a_redelivery_is_known(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        payload = body(serialNumber="one", clickType="SINGLE")
        workshop.deliver("iotbutton/one", payload, packet_id=7)
        workshop.deliver("iotbutton/one", payload, packet_id=8)
        workshop.deliver("iotbutton/one", payload, packet_id=7, duplicate=True, connection=2)
        results = workshop.until_sent("out/mine", 2)
        workshop.settle()
        assert len({result["eventId"] for result in results}) == 2
        assert len(workshop.sent_to("out/mine")) == 2
        assert sorted(workshop.acknowledged) == [7, 7, 8]
        assert workshop.sent_to(RECEIPT) == []


def test_a_click_that_says_when_it_was_is_known_again_without_an_id(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        for second in (1, 1, 2):
            workshop.click(clickedAt=f"2026-11-22T10:15:0{second}.000Z")
        results = workshop.until_sent("out/mine", 2)
        workshop.settle()
        assert len({result["eventId"] for result in results}) == 2
        assert len(workshop.acknowledged) == 3


def test_a_retained_message_is_refused(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        payload = body(serialNumber="one", clickType="SINGLE")
        packet = workshop.deliver("iotbutton/one", payload, retained=True)
        workshop.settle()
        assert workshop.acknowledged == [packet]
        assert workshop.broker.sent == []
        assert workshop.intake.refusals.counts["retained"] == 1


def test_a_message_on_no_topic_of_ours_is_let_go(tmp_path: Path) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        packet = workshop.deliver("somewhere/else", b"{}")
        workshop.settle()
        assert workshop.acknowledged == [packet]
        assert workshop.broker.sent == []


@pytest.mark.parametrize(
    "value", [b'"\xff"', b"1e999", b"1" * 5000, b'{"\xff": 1}', b"[" * 40_000 + b"]" * 40_000]
)
@pytest.mark.parametrize("rule", [CLICKS, "SELECT *, 1 AS one FROM 'iotbutton/+'"])
def test_a_click_whose_other_fields_are_no_json_is_a_dead_letter_and_acknowledged(
    tmp_path: Path, value: bytes, rule: str
) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", rule)) as workshop:
        packet = workshop.deliver(
            "iotbutton/one", b'{"serialNumber":"one","clickType":"SINGLE","x":%b}' % value
        )
        workshop.until_sent("deadletter/mine")
        workshop.settle()
        assert workshop.acknowledged == [packet]


def test_a_click_is_acknowledged_however_deep_its_other_fields_nest(tmp_path: Path) -> None:
    # Somewhere between these depths, reading works and writing it again does not.
    depths = range(850, 1010, 5)
    spec = function(
        tmp_path / "code", "def lambda_handler(event, context):\n    return 1\n", CLICKS
    )
    with Workshop(tmp_path, spec) as workshop:
        payload = b'{"serialNumber":"one","clickType":"SINGLE","x":%b%b}'
        packets = [
            workshop.deliver("iotbutton/one", payload % (b"[" * depth, b"]" * depth))
            for depth in depths
        ]
        workshop.settle()
        held_back = workshop.spool.count(
            workshop.member.queue.backlog.queue
        )  # it failed: a retry waits
        assert sorted(workshop.acknowledged) == packets, held_back


@pytest.mark.parametrize("payload", [b'{"a": 1}', b"[1, 2]", b'"text"', b"3", b"null", b" true "])
def test_any_json_on_another_topic_is_an_event(tmp_path: Path, payload: bytes) -> None:
    code = "def lambda_handler(event, context):\n    return [event]\n"
    spec = function(
        tmp_path / "code", code, "SELECT * FROM 'sensors/#'", publish_result_to="out/mine"
    )
    with Workshop(tmp_path, spec) as workshop:
        workshop.deliver("sensors/a/b", payload)
        assert workshop.until_sent("out/mine") == [[json.loads(payload)]]


@pytest.mark.parametrize("payload", [b"", b"no json", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_a_dead_letter_with_its_bytes(tmp_path: Path, payload: bytes) -> None:
    spec = echo(tmp_path, "mine", "SELECT * FROM 'sensors/#'")
    with Workshop(tmp_path, spec) as workshop:
        packet = workshop.deliver("sensors/a", payload)
        (record,) = workshop.until_sent("deadletter/mine")
        workshop.settle()
        assert record["requestPayload"]["topic"] == "sensors/a"
        kept = base64.b64decode(record["requestPayload"]["payloadBase64"])
        assert kept == payload
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert workshop.acknowledged == [packet]
        assert workshop.spool.count(workshop.member.queue.dead_letters.queue) == 1


def test_a_message_that_comes_while_the_runtime_stops_stays_with_the_broker(
    tmp_path: Path,
) -> None:
    with Workshop(tmp_path, echo(tmp_path, "mine", CLICKS)) as workshop:
        workshop.intake.is_stopping = True
        workshop.click(eventId="one")
        workshop.settle()
        assert workshop.acknowledged == []
        assert workshop.broker.sent == []


def test_while_paused_a_click_is_held_on_disk_and_its_repeat_is_known(tmp_path: Path) -> None:
    from functions.runtime.switches import Switch

    spec = echo(tmp_path, "mine", CLICKS)
    with Workshop(tmp_path, spec, switch=Switch(is_paused=True)) as workshop:
        workshop.click(eventId="one")
        workshop.run_until(lambda: workshop.acknowledged, what="it is on disk")
        workshop.click(eventId="one")
        workshop.settle()
        assert len(workshop.acknowledged) == 2
        assert workshop.member.queue.waiting == 1
        assert workshop.sent_to(RECEIPT) == []
    with Workshop(tmp_path, spec) as workshop:
        assert workshop.until_sent(RECEIPT)[0]["outcome"] == "processed"
        assert len(workshop.sent_to("out/mine")) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
HOSTILE = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(
            ["serialNumber", "clickType", "batteryVoltage", "eventId", "clickedAt", "more"]
        ),
        JSON | st.sampled_from(["one", "SINGLE", "1716mV", "2026-11-22T10:15:00Z", math.inf]),
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(payloads=st.lists(HOSTILE, min_size=1, max_size=20))
def test_every_message_whatever_it_holds_is_acknowledged_in_the_end(
    tmp_path: Path, payloads: list[bytes]
) -> None:
    with one_function(
        tmp_path, ECHO, CLICKS, "SELECT *, topic(2) AS place FROM 'sensors/#'"
    ) as workshop:
        for payload in payloads:
            workshop.deliver("iotbutton/one", payload)
            workshop.deliver("sensors/one", payload)
        count = 2 * len(payloads)
        workshop.run_until(lambda: len(workshop.acknowledged) == count, what="all are done")
        assert workshop.intake.refusals.counts.total() >= 0
