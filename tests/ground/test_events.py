import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_button.errors import NotAClickError
from iot_button.events import (
    MAX_PAYLOAD_BYTES,
    Click,
    ClickType,
    ProcessedClick,
    decode_click,
    decode_processed_click,
    decode_traced_click,
    encode_click,
    format_instant,
    new_event_id,
    parse_instant,
)

SERIAL = "G030JF055364XVRB"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_SHOWN = 300

serial_numbers = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
milliseconds = st.integers(0, (1 << 47) - 1)
moments = milliseconds.map(lambda ms: EPOCH + timedelta(milliseconds=ms))
clicks = st.builds(
    Click,
    serial_number=serial_numbers,
    click_type=st.sampled_from(ClickType),
    battery_millivolts=st.none() | st.integers(0, 999_999),
    event_id=st.none() | st.uuids().map(str),
    clicked_at=st.none() | moments,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = ("serialNumber", "clickType", "batteryVoltage", "eventId", "clickedAt")


def payload_with(**fields: Any) -> bytes:
    return json.dumps({"serialNumber": SERIAL, "clickType": "SINGLE"} | fields).encode()


def decode(**fields: Any) -> Click:
    return decode_click(payload_with(**fields), serial_number=SERIAL)


def refusal(payload: bytes, *, serial_number: str = SERIAL) -> str:
    with pytest.raises(NotAClickError) as caught:
        decode_click(payload, serial_number=serial_number)
    assert caught.value.payload is payload
    return caught.value.reason


def test_the_click_of_the_contract_is_read_field_by_field() -> None:
    payload = (
        b'{"serialNumber": "G030JF055364XVRB", "batteryVoltage": "1716mV", "clickType": "SINGLE",'
        b' "eventId": "01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e",'
        b' "clickedAt": "2026-11-22T10:15:30.123Z"}'
    )
    assert decode_click(payload, serial_number=SERIAL) == Click(
        serial_number=SERIAL,
        click_type=ClickType.SINGLE,
        battery_millivolts=1716,
        event_id="01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e",
        clicked_at=datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC),
    )


@given(clicks)
def test_a_click_comes_back_as_it_was_sent(click: Click) -> None:
    assert decode_click(encode_click(click), serial_number=click.serial_number) == click


@given(clicks)
def test_an_encoded_click_has_the_names_and_forms_of_the_wire(click: Click) -> None:
    wire = json.loads(encode_click(click))
    assert wire == click.as_event()
    assert list(wire)[:3] == ["serialNumber", "batteryVoltage", "clickType"]
    assert ("eventId" in wire) is (click.event_id is not None)
    assert ("clickedAt" in wire) is (click.clicked_at is not None)


@pytest.mark.parametrize("serial_number", ["a", "A-b_9", "x" * 64])
def test_a_serial_number_of_the_form_is_taken(serial_number: str) -> None:
    payload = payload_with(serialNumber=serial_number)
    assert decode_click(payload, serial_number=serial_number).serial_number == serial_number


@pytest.mark.parametrize(
    "serial_number",
    [
        "",
        "x" * 65,
        "a b",
        "a/b",
        "+",
        "#",
        "ä",
        "a\n",
        "\n",
        "a\0",
        "a.b",
        "٣",
        5,
        None,
        ["a"],
        True,
    ],
)
def test_a_serial_number_of_another_form_is_no_click(serial_number: object) -> None:
    refusal(payload_with(serialNumber=serial_number), serial_number=str(serial_number))


def test_a_serial_number_that_is_not_the_topics_is_no_click() -> None:
    reason = refusal(payload_with(), serial_number="another")
    assert SERIAL in reason
    assert "another" in reason


def test_a_serial_number_that_differs_in_case_alone_is_no_click() -> None:
    refusal(payload_with(), serial_number=SERIAL.lower())


@pytest.mark.parametrize("click_type", ["SINGLE", "DOUBLE", "LONG"])
def test_the_three_click_types_are_taken(click_type: str) -> None:
    assert decode(clickType=click_type).click_type == click_type


@pytest.mark.parametrize("click_type", ["single", "TRIPLE", "", "SINGLE ", 1, None, ["SINGLE"]])
def test_any_other_click_type_is_no_click(click_type: object) -> None:
    assert refusal(payload_with(clickType=click_type))


@pytest.mark.parametrize("missing", ["serialNumber", "clickType"])
def test_a_click_without_a_field_it_needs_is_no_click(missing: str) -> None:
    fields = {"serialNumber": SERIAL, "clickType": "SINGLE"}
    del fields[missing]
    assert missing in refusal(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("voltage", "millivolts"),
    [
        ("1716mV", 1716),
        ("0mV", 0),
        ("999999mV", 999_999),
        (1716, 1716),
        (1716.4, 1716),
        (0, 0),
        (999_999, 999_999),
        (None, None),
    ],
)
def test_a_battery_voltage_is_read_in_millivolts(voltage: object, millivolts: int | None) -> None:
    assert decode(batteryVoltage=voltage).battery_millivolts == millivolts


def test_an_absent_battery_voltage_is_none_and_null_for_the_handler() -> None:
    click = decode()
    assert click.battery_millivolts is None
    assert click.as_event()["batteryVoltage"] is None


@pytest.mark.parametrize(
    "voltage",
    [
        "",
        "1716",
        "mV",
        "1716 mV",
        "1716MV",
        "1.7V",
        "-1mV",
        "+1mV",
        "1716mV\n",
        "1000000mV",
        "\u0661\u0667mV",
        -1,
        -0.5,
        1_000_000,
        1e300,
        10**30,
        float("nan"),
        float("inf"),
        True,
        False,
        [1716],
        {},
    ],
)
def test_any_other_battery_voltage_is_no_click(voltage: object) -> None:
    assert refusal(payload_with(batteryVoltage=voltage))


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" + b"0" * 5000])
def test_a_battery_voltage_that_no_float_holds_is_no_click(number: bytes) -> None:
    payload = payload_with(batteryVoltage=17).replace(b"17", number)
    assert "batteryVoltage" in refusal(payload)


@pytest.mark.parametrize("event_id", ["01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e", "a", "x" * 64])
def test_an_event_id_is_kept_as_it_came(event_id: str) -> None:
    assert decode(eventId=event_id).event_id == event_id


@pytest.mark.parametrize("event_id", ["", "x" * 65, "a b", "a\n", "é", "a/b", 7, True, {}])
def test_an_event_id_of_another_form_is_no_click(event_id: object) -> None:
    assert "eventId" in refusal(payload_with(eventId=event_id))


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-22T10:15:30Z", 0),
        ("2026-11-22T10:15:30.1Z", 100_000),
        ("2026-11-22T10:15:30.123Z", 123_000),
        ("2026-11-22T10:15:30.123456Z", 123_456),
        ("2026-11-22T10:15:30.123456789Z", 123_456),
    ],
)
def test_clicked_at_is_read_as_utc_down_to_the_microsecond(text: str, microsecond: int) -> None:
    moment = decode(clickedAt=text).clicked_at
    assert moment == datetime(2026, 11, 22, 10, 15, 30, microsecond, tzinfo=UTC)
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22T10:15:30",
        "2026-11-22T10:15:30z",
        "2026-11-22t10:15:30Z",
        "2026-11-22 10:15:30Z",
        "2026-11-22T10:15:30+00:00",
        "2026-11-22T11:15:30+01:00",
        "2026-11-22T10:15:30.Z",
        "2026-11-22T10:15:30.1234567890Z",
        "2026-11-22T10:15:30,123Z",
        "2026-11-22T10:15Z",
        "2026-11-22Z",
        "2026-02-30T10:15:30Z",
        "2025-02-29T10:15:30Z",
        "2026-13-01T10:15:30Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T24:00:01Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T10:15:61Z",
        "0000-01-01T00:00:00Z",
        "+2026-11-22T10:15:30Z",
        "٢٠٢٦-11-22T10:15:30Z",
        "2026-11-22T10:15:30Z\n",
        1_795_342_530,
        True,
        [],
    ],
)
def test_clicked_at_of_another_form_is_no_click(text: object) -> None:
    assert refusal(payload_with(clickedAt=text))


def test_null_for_the_optional_fields_is_as_good_as_their_absence() -> None:
    assert decode(eventId=None, clickedAt=None, batteryVoltage=None) == decode()


def test_unknown_fields_are_dropped() -> None:
    click = decode(colour="red", nested={"a": [1, {"serialNumber": "x"}]}, ipAddress="1.2.3.4")
    assert click == decode()
    assert set(click.as_event()) == {"serialNumber", "batteryVoltage", "clickType"}


def test_of_a_field_given_twice_the_last_one_counts_and_is_checked() -> None:
    start = b'{"serialNumber": "' + SERIAL.encode() + b'", "clickType": "SINGLE", "clickType": '
    assert decode_click(start + b'"LONG"}', serial_number=SERIAL).click_type is ClickType.LONG
    assert refusal(start + b'"TRIPLE"}')


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"7",
        b'"SINGLE"',
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
        b'{"x":' * 20_000,
        payload_with() + b"x",
        payload_with() + payload_with(),
        payload_with(clickType="?").replace(b"?", b"\xff"),
        payload_with(eventId="?").replace(b"?", b"\\ud800"),
        payload_with(x=0)[:-2] + b"[" * 100_000,
    ],
)
def test_what_is_not_one_json_object_is_no_click(payload: bytes) -> None:
    assert refusal(payload)


def test_a_payload_beyond_the_limit_is_refused_by_its_length() -> None:
    assert "200000 bytes" in refusal(b" " * 200_000)
    filler = "x" * (MAX_PAYLOAD_BYTES - len(payload_with(filler="")))
    assert decode(filler=filler) == decode()
    assert refusal(payload_with(filler=filler + "x"))


def test_a_reason_is_short_and_printable_whatever_the_payload_says() -> None:
    escape = "\x1b]0;owned\x07"
    for fields in (
        {"clickType": escape * 5000},
        {"serialNumber": escape * 5},
        {"batteryVoltage": escape * 5000},
        {"eventId": escape * 5000},
        {"clickedAt": escape * 5000},
    ):
        reason = refusal(payload_with(**fields))
        assert reason.isprintable()
        assert len(reason) < LONGEST_SHOWN


@given(st.binary())
def test_arbitrary_bytes_are_never_anything_but_no_click(payload: bytes) -> None:
    assert refusal(payload)
    with pytest.raises(NotAClickError):
        decode_processed_click(payload)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), json_values))
def test_arbitrary_json_is_a_click_of_the_rules_or_keeps_its_bytes(fields: dict[str, Any]) -> None:
    payload = payload_with(**fields)
    try:
        click = decode_click(payload, serial_number=SERIAL)
    except NotAClickError as error:
        # ruff: noqa: PT017 - either outcome is right, and each is checked
        assert error.payload is payload
        assert len(error.reason) < LONGEST_SHOWN
        return
    again = decode_click(encode_click(click), serial_number=SERIAL)
    assert again.as_event() == click.as_event()


@given(milliseconds)
def test_an_event_id_is_a_uuid_7_that_names_its_moment(millisecond: int) -> None:
    event_id = uuid.UUID(new_event_id(EPOCH + timedelta(milliseconds=millisecond)))
    assert event_id.version == 7
    assert event_id.variant == uuid.RFC_4122
    assert event_id.int >> 80 == millisecond


@given(moments, st.timedeltas(timedelta(milliseconds=1), timedelta(days=3650)))
def test_event_ids_sort_by_time(moment: datetime, later: timedelta) -> None:
    assert new_event_id(moment) < new_event_id(moment + later)


def test_event_ids_of_one_moment_differ() -> None:
    assert len({new_event_id(EPOCH) for _ in range(1000)}) == 1000


def test_our_own_event_id_is_taken_in_a_click() -> None:
    event_id = new_event_id(datetime.now(UTC))
    assert decode(eventId=event_id).event_id == event_id


@given(moments)
def test_an_instant_is_read_back_as_it_was_written(moment: datetime) -> None:
    assert parse_instant(format_instant(moment)) == moment


def test_an_instant_is_written_in_utc_with_milliseconds_and_z() -> None:
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2026, 11, 22, 15, 45, 30, 123_999, tzinfo=elsewhere)
    assert format_instant(moment) == "2026-11-22T10:15:30.123Z"
    assert format_instant(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"


def test_a_processed_click_is_read_field_by_field() -> None:
    payload = (
        b'{"title": "Demo event assembled by lambda python function",'
        b' "timestamp": "2026-11-22T10:15:30.131Z", "ipAddress": "192.0.2.17",'
        b' "serialNumber": "G030JF055364XVRB", "batteryVoltage": "1716mV", "clickType": "SINGLE",'
        b' "eventId": "01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e",'
        b' "clickedAt": "2026-11-22T10:15:30.123Z"}'
    )
    assert decode_processed_click(payload) == ProcessedClick(
        title="Demo event assembled by lambda python function",
        timestamp="2026-11-22T10:15:30.131Z",
        ip_address="192.0.2.17",
        serial_number=SERIAL,
        battery_voltage="1716mV",
        click_type="SINGLE",
        event_id="01936d2a-7c1e-7b6a-9f53-0d5a1f0c2b7e",
        clicked_at="2026-11-22T10:15:30.123Z",
    )


def test_a_processed_click_is_read_leniently() -> None:
    processed = decode_processed_click(
        payload_with(clickType="TRIPLE", timestamp="noon", batteryVoltage="full", extra=1)
    )
    assert (processed.click_type, processed.timestamp, processed.title) == ("TRIPLE", "noon", "")
    assert processed.battery_voltage == "full"
    assert processed.battery_millivolts is None


@pytest.mark.parametrize(
    ("voltage", "millivolts"), [("1716mV", 1716), (1716, 1716), (1715.6, 1716), (-1, None)]
)
def test_a_processed_clicks_battery_is_a_number_where_it_can_be(
    voltage: object, millivolts: int | None
) -> None:
    processed = decode_processed_click(payload_with(batteryVoltage=voltage))
    assert processed.battery_millivolts == millivolts


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"{}", b'{"serialNumber": "a"}', b"[" * 100_000, b" " * 200_000],
)
def test_what_names_no_button_and_no_click_type_is_no_processed_click(payload: bytes) -> None:
    with pytest.raises(NotAClickError) as caught:
        decode_processed_click(payload)
    assert caught.value.payload is payload


def test_where_the_time_went_is_for_those_who_ask_for_it() -> None:
    plain = b'{"serialNumber":"B-1","clickType":"SINGLE"}'
    traced = plain[:-1] + b',"trace":{"attempt":1}}'
    assert decode_processed_click(traced) == decode_processed_click(plain)
    assert bytes(decode_traced_click(traced).trace) == b'{"attempt":1}'
    assert bytes(decode_traced_click(plain).trace) == b""
    assert "trace" not in msgspec.to_builtins(decode_processed_click(traced))
    with pytest.raises(NotAClickError):
        decode_traced_click(b"{}")
