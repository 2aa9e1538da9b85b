"""Which click is which."""

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.events import ClickId, Event
from functions.runtime.identity import Deliveries, Recent, id_of_content, new_request_id
from iot_button.events import decode_click
from iot_button.messages import Delivery, Message


def message(
    packet_id: int, payload: bytes = b"x", *, duplicate: bool = False, connection: int = 1
) -> Message:
    return Message("t", payload, 1, False, duplicate, Delivery(connection, packet_id))


def test_request_ids_are_uuids_of_version_4_and_never_the_same() -> None:
    ids = {new_request_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    for text in ids:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
        assert (uuid.UUID(text).version, uuid.UUID(text).variant) == (4, uuid.RFC_4122)


def test_a_click_of_equal_content_has_an_equal_id() -> None:
    def of(moment: str) -> str:
        payload = f'{{"serialNumber": "a", "clickType": "SINGLE", "clickedAt": "{moment}"}}'
        return id_of_content(decode_click(payload.encode(), serial_number="a"))

    assert of("2026-11-22T10:00:00.000Z") == of("2026-11-22T10:00:00.000Z")
    assert of("2026-11-22T10:00:00.000Z") != of("2026-11-22T10:00:00.001Z")


def test_only_a_redelivery_is_known_again() -> None:
    deliveries: Deliveries[str] = Deliveries()
    deliveries.keep(message(1), "first")
    assert deliveries.find(message(1)) is None
    assert deliveries.find(message(1, duplicate=True, connection=2)) == "first"
    assert deliveries.find(message(2, duplicate=True)) is None
    assert deliveries.find(message(1, b"y", duplicate=True)) is None


@given(keys=st.lists(st.integers(0, 30)), size=st.integers(1, 10))
def test_the_newest_entries_are_remembered(keys: list[int], size: int) -> None:
    recent: Recent[int, int] = Recent(size)
    for number, key in enumerate(keys):
        recent.put(key, number)
    newest = list(dict.fromkeys(reversed(keys)))
    for position, key in enumerate(newest):
        last = len(keys) - 1 - keys[::-1].index(key)
        assert recent.get(key) == (last if position < size else None)


EVENTS = st.builds(
    Event,
    st.uuids().map(str),
    st.binary(max_size=100),
    st.floats(0, 1e10),
    st.none() | st.builds(ClickId, st.text(), st.text(), st.booleans(), st.integers(0, 9)),
    attempts=st.integers(0, 9),
)


@given(event=EVENTS)
def test_an_event_comes_back_from_disk_as_it_went(event: Event) -> None:
    again = Event.from_bytes(event.to_bytes(), entry=7)
    for name in ("request_id", "body", "received", "click", "attempts"):
        assert getattr(again, name) == getattr(event, name)
    assert again.entry == 7


@given(
    one=st.tuples(st.text(), st.text(), st.text(), st.integers(0, 3)),
    two=st.tuples(st.text(), st.text(), st.text(), st.integers(0, 3)),
)
def test_different_clicks_have_different_keys(
    one: tuple[str, str, str, int], two: tuple[str, str, str, int]
) -> None:
    def key(function: str, serial: str, event_id: str, rule: int) -> bytes:
        return ClickId(serial, event_id, True, rule).key(function)

    # A function's name has no space: it could otherwise look like another's second rule.
    if " " not in one[0] + two[0]:
        assert (key(*one) == key(*two)) is (one == two)
