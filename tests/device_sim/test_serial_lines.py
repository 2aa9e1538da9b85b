"""The line protocol of microcontrollers, without any port."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.drivers.serial_clock import SLACK, WRAP, EdgeClock
from device_sim.drivers.serial_lines import (
    LONGEST_FIRMWARE,
    LONGEST_WORDS,
    Battery,
    Comment,
    Edge,
    Hello,
    Line,
    Payload,
    Recognized,
    Sleep,
    Splitter,
    read_line,
)
from iot_button.events import MAX_PAYLOAD_BYTES, ClickType


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (b"D", Edge(True, None)),
        (b"U", Edge(False, None)),
        (b"D 0", Edge(True, 0)),
        (b"U 4294967295", Edge(False, 4_294_967_295)),
        (b"  D  17 \t", Edge(True, 17)),
        (b"SINGLE", Recognized(ClickType.SINGLE)),
        (b"DOUBLE", Recognized(ClickType.DOUBLE)),
        (b"LONG", Recognized(ClickType.LONG)),
        (b'{"clickType":"LONG"}', Payload(b'{"clickType":"LONG"}')),
        (b"{\xff", Payload(b"{\xff")),
        (b"BATTERY 2875", Battery(2875)),
        (b"BATTERY 2875mV", Battery(2875)),
        (b"HELLO iot-button arduino 1.0", Hello("arduino 1.0")),
        (b"HELLO iot-button", Hello(None)),
        (b"HELLO iot-button a\x1b[2J\x07  b", Hello("a[2J b")),
        (b"SLEEP", Sleep()),
        (b"# the ring was full", Comment(" the ring was full")),
        *(
            (line, None)
            for line in (
                *(b"d", b"DD", b"D17", b"D -1", b"D 1.5", b"D 0x11", "D \u0661".encode()),
                *(b"single", b"SINGLE 2", b"TRIPLE", b"BATTERY", b"BATTERY -1", b"BATTERY 3V"),
                *(b"HELLO", b"HELLO world", b"HELLO?", b"HELLO iot-buttons", b"SLEEPING"),
                *(b"\xffD", b"D\x00", b"D\x1b[2J", b"[]", b"D 1 U 2"),
            )
        ),
    ],
)
def test_a_line_is_read(line: bytes, meaning: Line | None) -> None:
    assert read_line(line) == meaning


def test_the_words_of_a_hello_are_cut_short() -> None:
    said = read_line(b"HELLO iot-button " + b"x" * 900)
    assert isinstance(said, Hello)
    assert said.firmware == "x" * LONGEST_FIRMWARE


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_are_fatal(line: bytes) -> None:
    read_line(line)


WORDS = st.binary(min_size=1, max_size=30).filter(lambda b: b.strip() == b and b"\n" not in b)


@given(
    st.lists(WORDS, max_size=20), st.lists(st.integers(1, 50)), st.sampled_from([b"\n", b"\r\n"])
)
@settings(deadline=None)
def test_lines_are_the_same_in_whatever_pieces_they_come(
    lines: list[bytes], sizes: list[int], end: bytes
) -> None:
    data = b"".join(line + end for line in lines) + b"begun"
    splitter, found = Splitter(), []
    for size in [*sizes, len(data)]:
        found += splitter.feed(data[:size])
        data = data[size:]
    assert found == lines
    assert splitter.is_amid_a_line


def test_blank_lines_are_no_lines() -> None:
    splitter = Splitter()
    assert splitter.feed(b"\n\r\n \r\nD\r\n\n") == [b"D"]
    assert not splitter.is_amid_a_line


@pytest.mark.parametrize("piece", [100, 10_000_000])
def test_a_line_that_is_too_long_is_one_line_and_is_not_kept(piece: int) -> None:
    data = b"D\n" + b"x" * (LONGEST_WORDS + 1) + b"y" * 10_000 + b"\nU\n"
    splitter, found = Splitter(), []
    for start in range(0, len(data), piece):
        found += splitter.feed(data[start : start + piece])
    assert found == [b"D", None, b"U"]


def test_each_kind_of_line_may_have_its_full_length() -> None:
    words = b"x" * LONGEST_WORDS
    payload = b"{" * MAX_PAYLOAD_BYTES
    splitter = Splitter()
    assert splitter.feed(words + b"\r\n" + payload + b"\r\n") == [words, payload]
    assert splitter.feed(payload + b"{\n") == [None]


def test_an_endless_line_takes_no_memory() -> None:
    splitter = Splitter()
    for _ in range(100):
        assert splitter.feed(b"z" * 100_000) == []
    assert splitter.is_amid_a_line
    assert splitter.feed(b"\nD\n") == [None, b"D"]


def moments(clock: EdgeClock, *readings: int | None) -> list[tuple[float, bool]]:
    told = [clock.moment(reading, arrived=500.0 + n) for n, reading in enumerate(readings)]
    return [(moment.seconds, moment.is_of_another_clock) for moment in told]


def test_milliseconds_go_on_where_the_counter_begins_anew() -> None:
    edges = moments(EdgeClock(), WRAP - 100, WRAP - 1, 0, 49)
    assert edges == [(0.0, False), (0.099, False), (0.1, False), (0.149, False)]


def test_milliseconds_go_on_over_years_of_wraps() -> None:
    clock = EdgeClock()
    edges = moments(clock, *(n * (WRAP // 4) % WRAP for n in range(20)))
    assert edges[-1] == (19 * (WRAP // 4) / 1000, False)


def test_a_counter_of_64_bits_goes_on_too() -> None:
    assert moments(EdgeClock(), 3 * WRAP - 1, 3 * WRAP + 4) == [(0.0, False), (0.005, False)]


def test_without_numbers_the_arrival_counts() -> None:
    assert moments(EdgeClock(), None, None) == [(500.0, False), (501.0, False)]


@pytest.mark.parametrize("readings", [(None, 7), (7, None)])
def test_another_form_of_edge_is_another_clock(readings: tuple[int | None, ...]) -> None:
    clock = EdgeClock()
    assert [is_other for _seconds, is_other in moments(clock, *readings)] == [False, True]
    assert moments(clock, readings[1])[0][1] is False


def test_a_counter_far_back_is_a_board_that_began_anew() -> None:
    edges = moments(EdgeClock(), 5000, 5000 - SLACK - 1, 5000 - SLACK)
    assert edges == [(0.0, False), (0.0, True), (0.001, False)]


def test_a_small_step_back_is_the_same_clock() -> None:
    assert moments(EdgeClock(), 5000, 5010, 5008, 5012) == [
        (0.0, False),
        (0.010, False),
        (0.010, False),
        (0.012, False),
    ]
