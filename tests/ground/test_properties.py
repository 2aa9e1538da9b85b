"""User properties, as they stand in a message of MQTT 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_button.properties import MOST_READ, encoded, span, user_property, with_length

TEXTS = st.text(max_size=40)

OTHERS = (
    b"\x01\x01"  # payload format
    b"\x02\x00\x00\x00\x09"  # expiry
    b"\x03\x00\x04text"  # content type
    b"\x08\x00\x01r"  # response topic
    b"\x09\x00\x02\x26\x26"  # correlation data
    b"\x0b\x80\x01"  # subscription identifier
    b"\x23\x00\x01"  # topic alias
)


@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_the_first_of_each_name_is_read_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    data = OTHERS + encoded(pairs)
    for name, _ in pairs:
        first = next(value for other, value in pairs if other == name)
        assert user_property(data, name) == first


def test_the_bytes_are_those_of_the_standard() -> None:
    assert with_length(encoded([("ab", "c")])) == b"\x08\x26\x00\x02ab\x00\x01c"


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384])
def test_what_lies_behind_the_properties_is_found(length: int) -> None:
    data = b"before" + with_length(bytes(length)) + b"behind"
    start, stop = span(data, 6, len(data))
    assert (stop - start, data[stop:]) == (length, b"behind")


@pytest.mark.parametrize("data", [b"", b"\x05abcd", b"\x80", b"\x80\x80\x80\x80\x00"])
def test_properties_that_do_not_end_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="shorter than its properties"):
        span(data, 0, len(data))


@given(data=st.binary(max_size=100))
def test_no_bytes_raise_an_error(data: bytes) -> None:
    found = user_property(data, "traceparent")
    assert found is None or isinstance(found, str)


def test_a_flood_of_properties_is_not_read_to_its_end() -> None:
    flood = encoded([("a", "b")] * MOST_READ)
    assert user_property(flood + encoded([("traceparent", "x")]), "traceparent") is None
    assert user_property(encoded([("traceparent", "x")]) + flood, "traceparent") == "x"


def test_a_value_that_is_no_text_is_none() -> None:
    assert user_property(b"\x26\x00\x01a\x00\x01\xff", "a") is None


def test_a_value_longer_than_mqtt_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than MQTT"):
        encoded([("a", "x" * 65_536)])
