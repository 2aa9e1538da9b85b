"""Clicks as a microcontroller words them itself."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.kept import Kept
from device_sim.moments import Moments
from device_sim.own_clicks import read_own_click
from iot_button.events import MAX_PAYLOAD_BYTES, decode_click
from tests.device_sim.workbench import SERIAL

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["serialNumber", "clickType", "batteryVoltage", "eventId", "clickedAt", "presses", "x"]
)


def read(payload: bytes) -> dict[str, Any] | None:
    return read_own_click(payload, serial_number=SERIAL)


def test_a_click_type_alone_is_enough() -> None:
    assert read(b'{"clickType": "LONG"}') == {"clickType": "LONG"}


def test_everything_that_the_button_says_is_kept() -> None:
    fields = {
        "serialNumber": SERIAL,
        "clickType": "DOUBLE",
        "batteryVoltage": "2987mV",
        "eventId": "mine-1",
        "clickedAt": "2026-11-22T10:15:30.123Z",
        "presses": 3,
        "note": {"deep": [1, 2]},
    }
    assert read(msgspec.json.encode(fields)) == fields


def test_what_it_leaves_open_is_left_out_to_be_filled_in() -> None:
    assert read(b'{"clickType": "SINGLE", "eventId": null, "batteryVoltage": null}') == {
        "clickType": "SINGLE"
    }


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"SINGLE",
        b"[]",
        b"null",
        b'"SINGLE"',
        b"{}",
        b'{"clickType": "single"}',
        b'{"clickType": "TRIPLE"}',
        b'{"clickType": null}',
        b'{"clickType": ["SINGLE"]}',
        b'{"clickType": "SINGLE"',
        b'{"clickType": "SINGLE"} {}',
        b'{"clickType": "SINGLE", "serialNumber": "ANOTHER"}',
        b'{"clickType": "SINGLE", "serialNumber": 7}',
        b'{"clickType": "SINGLE", "batteryVoltage": "full"}',
        b'{"clickType": "SINGLE", "batteryVoltage": -1}',
        b'{"clickType": "SINGLE", "eventId": ""}',
        b'{"clickType": "SINGLE", "eventId": "with space"}',
        b'{"clickType": "SINGLE", "clickedAt": "yesterday"}',
        b'{"clickType": "SINGLE", "clickedAt": "2026-11-22T10:15:30+01:00"}',
        b'{"clickType": "SINGLE", "x": 1e999}',
        b'{"clickType": "SINGLE", "x": "\\ud800"}',
        b'{"clickType": "SINGLE", "x": "\xff"}',
        b'{"clickType": "SINGLE", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"clickType": "SINGLE", "x": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"clickType": "SINGLE", "x": "' + b"x" * MAX_PAYLOAD_BYTES + b'"}',
    ],
    ids=lambda payload: payload[:48].decode("ascii", "replace"),
)
def test_what_is_no_click_is_refused_with_a_line_in_the_log(
    payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(payload) is None
    (record,) = caplog.records
    assert "the button sent what is no click: " in record.getMessage()
    assert len(record.getMessage()) < 500
    assert record.exc_info is None


@pytest.mark.parametrize("size", range(MAX_PAYLOAD_BYTES - 1_100, MAX_PAYLOAD_BYTES + 60, 20))
def test_a_long_click_that_is_taken_is_within_the_limit_with_what_is_added(size: int) -> None:
    frame = b'{"clickType":"SINGLE","x":"%s"}'
    own = read(frame % (b"x" * (size - len(frame) + 2)))
    if own is not None:
        decode_click(msgspec.json.encode(whole(own)), serial_number=SERIAL)


def whole(own: dict[str, Any]) -> dict[str, Any]:
    """Return a click with everything that is added to it, as long as that can be."""
    added = {
        "serialNumber": SERIAL,
        "batteryVoltage": "999999mV",
        "eventId": "x" * 64,
        "clickedAt": "2026-11-22T10:15:30.123Z",
    }
    return added | own


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON) | st.builds(dict, clickType=st.just("LONG"), x=JSON))
def test_what_is_taken_is_a_click_also_after_the_disk(fields: dict[str, Any]) -> None:
    own = read(msgspec.json.encode(fields))
    if own is not None:
        kept = Kept(whole(own), Moments().ago(0.0))
        again = msgspec.json.decode(msgspec.json.encode(kept), type=Kept)
        assert again == kept
        decode_click(msgspec.json.encode(again.event), serial_number=SERIAL)


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_at_all_make_it_fail(payload: bytes) -> None:
    assert read(payload) is None
