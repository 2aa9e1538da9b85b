"""The worker inside: functions that fail, and when an input is acknowledged."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions.runtime.identity import EventIdGiver, Recent
from functions.runtime.invocation import Failure, Function, Result, invoke
from functions.runtime.worker import Worker
from iot_button.errors import IotButtonError
from iot_button.events import Click, ClickType, utc_now
from iot_button.messages import Delivery, Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from iot_button.topics import Topics
from tests.support import DEADLINE, Listener, Program

TOPIC = "iotbutton/B1"
CLICK = json.dumps({"serialNumber": "B1", "clickType": "SINGLE", "eventId": "mine"})


@contextmanager
def running(port: int, handler: Callable[[Any, Any], Any]) -> Iterator[Worker]:
    worker = Worker(Function("custom", handler), topics=Topics())
    connection = Connection(
        BrokerAddress(host="127.0.0.1", port=port),
        client_id="worker",
        session=Session.UNTIL_STOP,
        on_message=lambda message: worker.on_message(connection, message),
        acknowledge_by_hand=True,
    )
    connection.subscribe(Topics().clicks)
    with connection:
        connection.wait_ready(DEADLINE)
        yield worker


def fails(event: Any, _context: Any) -> None:
    raise LookupError(f"nothing for {event['clickType']}")


def returns_what_json_cannot_hold(_event: Any, _context: Any) -> object:
    return {"bytes": b"x"}


def leaves(_event: Any, _context: Any) -> None:
    sys.exit("enough")


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (fails, "LookupError"),
        (returns_what_json_cannot_hold, "Runtime.MarshalError"),
        (leaves, "Runtime.ExitError"),
    ],
)
def test_a_handler_that_fails_makes_a_dead_letter_and_a_receipt_that_says_so(
    amqtt: Program, handler: Callable[[Any, Any], Any], error: str
) -> None:
    port = amqtt.port("mqtt")
    with running(port, handler), Listener(port, "deadletter/#", f"{TOPIC}/receipt") as listener:
        listener.publish(TOPIC, CLICK)
        letter, receipt = listener.next(), listener.next()
    assert letter.topic == "deadletter/custom"
    record = json.loads(letter.payload)
    assert record["requestContext"]["functionArn"].endswith(":function:custom:$LATEST")
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestPayload"]["eventId"] == "mine"
    assert record["responsePayload"]["errorType"] == error
    assert json.loads(receipt.payload)["outcome"] == "deadletter"


class RecordingConnection(Connection):
    """A connection to nowhere that keeps what it is told; the test plays the broker's part."""

    def __init__(self) -> None:
        super().__init__(BrokerAddress(host="127.0.0.1", port=1), client_id="nowhere")
        self.refuses = False
        self.published: list[str] = []
        self.pubacks: list[Callable[[], None]] = []
        self.acknowledged: list[Delivery] = []

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        on_acknowledged: Callable[[], None] | None = None,
    ) -> None:
        if self.refuses:
            raise IotButtonError("no packet id is free")
        self.published.append(topic)
        if on_acknowledged is not None:
            self.pubacks.append(on_acknowledged)

    def acknowledge(self, delivery: Delivery) -> None:
        self.acknowledged.append(delivery)


def message(
    connection_number: int,
    packet_id: int,
    *,
    duplicate: bool = False,
    topic: str = TOPIC,
    **fields: str,
) -> Message:
    return Message(
        topic=topic,
        payload=json.dumps(json.loads(CLICK) | fields).encode(),
        qos=1,
        retained=False,
        duplicate=duplicate,
        delivery=Delivery(connection_number, packet_id),
    )


def test_the_input_is_acknowledged_only_after_the_output_was() -> None:
    connection = RecordingConnection()
    worker = Worker(Function("f", lambda event, _context: event), topics=Topics())
    worker.on_message(connection, message(1, 7))
    assert connection.published == ["iotprocessed"]
    assert connection.acknowledged == []
    connection.pubacks[0]()
    assert connection.acknowledged == [Delivery(1, 7)]
    assert connection.published == ["iotprocessed", f"{TOPIC}/receipt"]


def test_a_click_that_comes_again_while_it_is_under_way_is_run_once_and_each_acknowledged() -> None:
    connection = RecordingConnection()
    worker = Worker(Function("f", lambda event, _context: event), topics=Topics())
    worker.on_message(connection, message(1, 7))
    worker.on_message(connection, message(2, 3, duplicate=True))
    assert connection.published == ["iotprocessed"]
    connection.pubacks[0]()
    assert set(connection.acknowledged) == {Delivery(1, 7), Delivery(2, 3)}


def test_a_stopped_worker_leaves_messages_with_the_broker() -> None:
    connection = RecordingConnection()
    worker = Worker(Function("f", lambda event, _context: event), topics=Topics())
    worker.stop()
    worker.on_message(connection, message(1, 7))
    assert connection.published == []
    assert connection.acknowledged == []


def test_a_redelivery_without_an_id_gets_the_id_of_the_first_time() -> None:
    giver, click = EventIdGiver(), Click(serial_number="B1", click_type=ClickType.SINGLE)
    first = giver.event_id(click, message(1, 7), utc_now())
    assert giver.event_id(click, message(2, 7, duplicate=True), utc_now()) == first
    assert giver.event_id(click, message(2, 8, duplicate=True), utc_now()) != first
    assert giver.event_id(click, message(2, 7), utc_now()) != first


def test_the_memory_of_ids_forgets_the_oldest() -> None:
    recent: Recent[int, str] = Recent(size=3)
    for number in range(5):
        recent.put(number, "done")
    assert [number for number in range(5) if recent.get(number)] == [2, 3, 4]


def test_the_context_has_the_names_and_forms_of_aws() -> None:
    def handler(_event: Any, context: Any) -> dict[str, Any]:
        return {
            "function_name": context.function_name,
            "function_version": context.function_version,
            "invoked_function_arn": context.invoked_function_arn,
            "memory_limit_in_mb": context.memory_limit_in_mb,
            "log_group_name": context.log_group_name,
            "log_stream_name": context.log_stream_name,
            "aws_request_id": context.aws_request_id,
            "identity": context.identity,
            "client_context": context.client_context,
            "remaining": context.get_remaining_time_in_millis(),
        }

    result = invoke(Function("hello", handler), {})
    assert isinstance(result, Result)
    context = json.loads(result.payload)
    assert 0 < context.pop("remaining") <= 3000
    assert context.pop("aws_request_id") == result.request_id
    assert context == {
        "function_name": "hello",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:000000000000:function:hello",
        "memory_limit_in_mb": "128",
        "log_group_name": "/aws/lambda/hello",
        "log_stream_name": "local",
        "identity": None,
        "client_context": None,
    }


def test_an_error_response_has_the_fields_of_aws_and_no_frame_of_ours() -> None:
    failure = invoke(Function("f", fails), {"clickType": "LONG"})
    assert isinstance(failure, Failure)
    assert failure.response["errorMessage"] == "nothing for LONG"
    assert failure.response["errorType"] == "LookupError"
    assert failure.response["requestId"] == failure.request_id
    assert "invocation.py" not in "".join(failure.response["stackTrace"])
    assert "in fails" in failure.response["stackTrace"][0]


def echo() -> Worker:
    return Worker(Function("f", lambda event, _context: event), topics=Topics())


def test_two_buttons_may_count_their_ids_alike() -> None:
    connection, worker = RecordingConnection(), echo()
    worker.on_message(connection, message(1, 1))
    other = message(1, 2, topic="iotbutton/B2", serialNumber="B2")
    connection.pubacks[0]()
    worker.on_message(connection, other)
    assert connection.published.count("iotprocessed") == 2


def test_a_click_without_an_id_is_named_by_the_moment_that_it_tells() -> None:
    giver, moment = EventIdGiver(), utc_now()
    click = Click(serial_number="B1", click_type=ClickType.SINGLE, clicked_at=moment)
    other = Click(serial_number="B1", click_type=ClickType.DOUBLE, clicked_at=moment)
    first = giver.event_id(click, message(1, 7), utc_now())
    assert EventIdGiver().event_id(click, message(5, 1), utc_now()) == first
    assert giver.event_id(other, message(1, 8), utc_now()) != first


def test_a_click_whose_output_could_not_be_sent_is_run_when_it_comes_again() -> None:
    connection, worker = RecordingConnection(), echo()
    connection.refuses = True
    with pytest.raises(IotButtonError):
        worker.on_message(connection, message(1, 7))
    connection.refuses = False
    worker.on_message(connection, message(2, 7, duplicate=True))
    assert connection.published == ["iotprocessed"]


def test_a_click_on_a_topic_that_is_not_ours_is_let_go() -> None:
    connection, worker = RecordingConnection(), echo()
    worker.on_message(connection, message(1, 7, topic=f"home/{TOPIC}"))
    assert connection.published == []
    assert connection.acknowledged == [Delivery(1, 7)]
    assert worker.counts["strays"] == 1


def test_a_repeat_is_counted_as_a_repeat_and_not_as_processed() -> None:
    connection, worker = RecordingConnection(), echo()
    worker.on_message(connection, message(1, 7))
    connection.pubacks[0]()
    worker.on_message(connection, message(1, 8))
    assert worker.counts == {"processed": 1, "repeats": 1}
