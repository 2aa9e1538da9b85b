import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.dead_letters import MAX_PAYLOAD, NotADeadLetterError, decode_dead_letter
from dashboard.ingest import Ingest
from dashboard.store import Reader, Store
from iot_button.messages import Delivery, Message
from iot_button.topics import Topics
from tests.dashboard.helpers import processed
from tests.support import DEADLINE, Listener, Program, eventually

CLICK = {"serialNumber": "B-1", "clickType": "SINGLE"}


def record(payload: Any = CLICK, **response: Any) -> bytes:
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-11-22T10:15:30.123Z",
            "requestContext": {
                "requestId": "0198-1",
                "functionArn": "arn:aws:lambda:eu-central-1:000000000000:function:enrich:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": payload,
            "responsePayload": response,
        }
    ).encode()


class Inlet:
    """An ingest before a real store, and what it acknowledged."""

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self.ingest = Ingest(store, topics)
        self.acknowledged = 0

    def take(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message in, and wait until it is acknowledged."""
        message = Message(topic, payload, 1, retained, False, Delivery(1, 1))
        before = self.acknowledged
        self.ingest.take(message, self._acknowledge)
        eventually(lambda: self.acknowledged == before + 1, what="it is acknowledged")

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        reader = Reader(self._store.path)
        try:
            return reader(sql)
        finally:
            reader.close()

    def _acknowledge(self) -> None:
        self.acknowledged += 1


@pytest.fixture(params=["", "home/ground-floor"])
def prefix(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/" if request.param else ""


@pytest.fixture
def inlet(tmp_path: Path, prefix: str) -> Iterator[Inlet]:
    with Store(tmp_path) as store:
        yield Inlet(store, Topics(prefix.rstrip("/")))


def test_a_dead_letter_is_kept_once_with_its_function_and_reason(inlet: Inlet, prefix: str) -> None:
    for _ in range(2):
        inlet.take(f"{prefix}deadletter/enrich", record(errorMessage="division by zero"))
    rows = inlet.read("SELECT function, reason, attempts, serial_number, payload FROM dead_letter")
    reason = "RetriesExhausted: division by zero"
    assert rows == [("enrich", reason, 3, "B-1", json.dumps(CLICK).encode())]


def test_the_bytes_of_what_was_no_click_are_kept_as_they_came() -> None:
    for given in (b"\xff\xfe", b"not json", b""):
        payload = {"topic": "t", "payloadBase64": base64.b64encode(given).decode()}
        assert decode_dead_letter(record(payload), function="enrich").payload == given


def test_a_huge_payload_is_cut_and_stays_text() -> None:
    given = json.dumps({"x": "\u20ac" * 100_000}, ensure_ascii=False).encode()  # 3 bytes each
    payload = {"payloadBase64": base64.b64encode(given).decode()}
    kept = decode_dead_letter(record(payload), function="f").payload
    assert MAX_PAYLOAD - 3 < len(kept) <= MAX_PAYLOAD
    assert given.decode().startswith(kept.decode())


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b"\xff", b"[" * 5000, b'{"requestContext":7}'],
)
def test_what_is_no_dead_letter_is_refused(payload: bytes) -> None:
    with pytest.raises(NotADeadLetterError):
        decode_dead_letter(payload, function="f")


def test_the_state_of_a_button_is_kept_from_when_it_changed(inlet: Inlet, prefix: str) -> None:
    topic = f"{prefix}iotbutton/B-1/status"
    inlet.take(topic, b'{"state":"online","firmware":"1"}', retained=True)
    (first,) = inlet.read("SELECT state, state_at FROM button")
    inlet.take(topic, b'{"state":"online"}', retained=True)
    assert inlet.read("SELECT state, state_at FROM button") == [first]
    inlet.take(topic, b'{"state":"offline"}')
    assert inlet.read("SELECT state FROM button") == [("offline",)]
    inlet.take(topic, b"")
    assert inlet.read("SELECT state FROM button") == [(None,)]


@pytest.mark.parametrize(
    ("topic", "payload", "retained"),
    [
        ("iotprocessed", processed(), True),
        ("iotprocessed", b"{}", False),
        ("deadletter/f", record(), True),
        ("deadletter/f", b"[" * 5000, False),
        ("iotbutton/B-1/status", b'{"state":"<b>"}', True),
        ("iotbutton/B-1/status", b'{"state":7}', True),
        ("iotbutton/B-1/status", b"[" * 5000, True),
        ("iotbutton/%s/status" % ("x" * 65), b'{"state":"online"}', True),
        ("iotbutton/a b/status", b'{"state":"online"}', True),
    ],
)
def test_what_does_not_belong_on_its_topic_is_acknowledged_and_not_kept(
    inlet: Inlet, prefix: str, topic: str, payload: bytes, retained: bool
) -> None:
    inlet.take(prefix + topic, payload, retained=retained)
    assert inlet.ingest.refused == 1
    for table in ("click", "button", "dead_letter"):
        assert inlet.read(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - our names


def test_dead_letters_and_states_come_through_the_broker(
    dashboard: Program, publisher: Listener
) -> None:
    def get(path: str) -> Any:
        url = dashboard.address("dashboard") + path
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 - our own
            return json.load(answer)

    for number, function in enumerate(("a", "b", "b")):
        letter = json.loads(record())
        letter["requestContext"]["requestId"] = str(number)
        publisher.publish(f"deadletter/{function}", json.dumps(letter).encode())
    publisher.connection.publish("iotbutton/B-9/status", b'{"state":"online"}', retain=True)
    eventually(lambda: get("/api/buttons")["buttons"], what="the button is known")
    page = get("/api/deadletters?function=b&limit=1")
    assert [letter["requestId"] for letter in page["deadLetters"]] == ["2"]
    older = get(f"/api/deadletters?function=b&before={page['before']}")
    assert [letter["requestId"] for letter in older["deadLetters"]] == ["1"]
    assert older["before"] is None
    assert json.loads(older["deadLetters"][0]["payload"]) == CLICK
    assert get("/api/buttons")["buttons"][0]["state"] == "online"
