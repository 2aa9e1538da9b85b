"""What a terminal sends becomes keys, however it is cut."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device_sim.drivers.kitty import CTRL, Action, Attributes, Flags, Key, Reader, Report

SPACE = ord(" ")
PIECES = (
    *(b" ", b"q", b"D", b"\x1b", b"\x1b[", b"\x1bO", b"[", b"\x04", b"\x00", b"\xff", "й".encode()),
    *(b"\x1b[32u", b"\x1b[32;1:3u", b"\x1b[32;129:2u", b"\x1b[?15u", b"\x1b[?62;4c", b"9" * 80),
    *(b"\x1b[[D", b"\x1bOP", b"\x1b[3~", b"\x1b[1;5A", b"\x1b[?1;2$y", b"\x1b]0;x\x07"),
)
STREAMS = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES)).map(b"".join))


def read(data: bytes) -> list[Report]:
    return Reader().feed(data)


@given(data=STREAMS, cuts=st.lists(st.integers(0, 200)))
@settings(deadline=None)
def test_it_does_not_matter_where_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = Reader()
    found = [
        report
        for begin, end in itertools.pairwise(places)
        for report in reader.feed(data[begin:end])
    ]
    assert found == read(data)


@given(data=STREAMS)
@example(data=b"\x1b ")
@example(data=b"\x1b[ ")
@example(data=b"\x1b[1; q")
@example(data=b"\x1bO ")
@example(data=b"\x1b[[ ")
@settings(deadline=None)
def test_no_space_is_ever_swallowed(data: bytes) -> None:
    assert read(data).count(Key(SPACE, Action.TAP)) == data.count(b" ")


@given(
    code=st.integers(1, 127),
    modifiers=st.integers(0, 255),
    action=st.sampled_from([Action.PRESS, Action.REPEAT, Action.RELEASE]),
    shifted=st.sampled_from(["", ":", ":65", ":65:97", "::97"]),
    text=st.sampled_from(["", ";", ";65", ";65:66"]),
)
@settings(deadline=None)
def test_a_reported_key_is_read_with_all_that_may_stand_beside_it(
    code: int, modifiers: int, action: Action, shifted: str, text: str
) -> None:
    sent = f"\x1b[{code}{shifted};{1 + modifiers}:{action.value}{text}u"
    assert read(sent.encode()) == [Key(code, action, modifiers)]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (b"\x1b[32u", Key(SPACE, Action.PRESS)),
        (b"\x1b[32;2u", Key(SPACE, Action.PRESS, 1)),
        (b"\x1b[1081::113;1:1u", Key(ord("q"), Action.PRESS)),  # where q is on a Russian keyboard
        (b"\x1b[1089::99;5u", Key(ord("c"), Action.PRESS, CTRL)),
        (b"\x1b[1081;1:1u", Key(1081, Action.PRESS)),
        (b"\x04", Key(ord("d"), Action.TAP, CTRL)),
        (b"\x1a", Key(ord("z"), Action.TAP, CTRL)),
    ],
)
def test_keys_are_found_on_any_keyboard(sent: bytes, key: Key) -> None:
    assert read(sent) == [key]


def test_answers_to_questions_are_told_from_keys() -> None:
    assert read(b"\x1b[?11u\x1b[?62;c") == [Flags(11), Attributes()]


@pytest.mark.parametrize(
    "sent",
    [b"\x1b[[D", b"\x1bOD", b"\x1b[D", b"\x1b[1;5D", b"\x1b[3~", b"\x1b[27u\x1b[27;1:3u"],
    ids=repr,
)
def test_other_keys_are_no_letters(sent: bytes) -> None:
    assert not [
        key
        for key in read(sent)
        if isinstance(key, Key) and any(key.is_plain(letter) for letter in "dlq ")
    ]


@pytest.mark.parametrize("lock", [0, 64, 128, 192, 1, 193])
def test_locks_and_shift_do_not_change_what_a_key_is(lock: int) -> None:
    assert Key(ord("q"), Action.PRESS, lock).is_plain("q")
    assert Key(ord("c"), Action.PRESS, CTRL | lock).is_ctrl("c")


@pytest.mark.parametrize("modifier", [2, 4, 8, 16, 32])
def test_a_key_with_another_modifier_is_not_that_key(modifier: int) -> None:
    assert not Key(SPACE, Action.PRESS, modifier).is_plain(" ")
    assert not Key(ord("c"), Action.PRESS, CTRL | modifier | 2).is_ctrl("c")
