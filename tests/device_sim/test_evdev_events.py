"""The kernel's structs, numbers and names, beside the kernel's own header; which keys are held."""

import itertools
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.drivers import evdev_ioctl
from device_sim.drivers.evdev_events import EVENT, EventReader, HeldKeys
from device_sim.drivers.evdev_keys import HIGHEST, KEYS, key_code, key_name
from tests.device_sim.input_devices import (
    ENTER,
    PRESS,
    RELEASE,
    REPEAT,
    VOLUME_UP,
    dropped,
    key,
    packed,
)
from tests.support import require_program

PROGRAM = """
#include <stdio.h>
#include <stddef.h>
#include <linux/input.h>
int main(void) {{
    printf("%zu %zu %zu\\n", sizeof(struct input_event), offsetof(struct input_event, type),
           offsetof(struct input_event, value));
    printf("%lu %lu %lu %lu %lu %d\\n", (unsigned long) EVIOCGNAME(256),
           (unsigned long) EVIOCGKEY(96), (unsigned long) EVIOCGBIT(EV_KEY, 96),
           (unsigned long) EVIOCGRAB, (unsigned long) EVIOCSCLOCKID, KEY_MAX);
    {names}
    return 0;
}}
"""


@pytest.fixture(scope="module")
def kernels_own(tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """What a C program prints that was compiled with the kernel's header."""
    compiler = require_program("cc", "gcc libc6-dev")
    directory = tmp_path_factory.mktemp("header")
    source, program = directory / "numbers.c", directory / "numbers"
    names = "".join(f'printf("%d ", {name});' for name in KEYS)
    source.write_text(PROGRAM.format(names=names))
    subprocess.run([compiler, "-o", str(program), str(source)], check=True)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return [[int(number) for number in line.split()] for line in printed.splitlines()]


def test_the_struct_is_the_kernels(kernels_own: list[list[int]]) -> None:
    at = EVENT.unpack(bytes(kernels_own[0][1]) + b"\1\0\2\0\3\0\0\0")
    assert [EVENT.size, *at[2:]] == [kernels_own[0][0], 1, 2, 3]
    assert kernels_own[0][2] == kernels_own[0][1] + 4


def test_the_requests_are_the_kernels(kernels_own: list[list[int]]) -> None:
    assert kernels_own[1] == [
        evdev_ioctl.EVIOCGNAME,
        evdev_ioctl.EVIOCGKEY,
        evdev_ioctl.EVIOCGBIT_KEY,
        evdev_ioctl.EVIOCGRAB,
        evdev_ioctl.EVIOCSCLOCKID,
        HIGHEST,
    ]


def test_the_names_are_the_kernels(kernels_own: list[list[int]]) -> None:
    assert dict(zip(KEYS, kernels_own[2], strict=True)) == KEYS


@pytest.mark.parametrize(
    ("text", "code"),
    [("KEY_VOLUMEUP", 115), ("volumeup", 115), ("BTN_LEFT", 272), ("115", 115), ("0x73", 115)],
)
def test_a_key_is_known_by_name_and_by_number(text: str, code: int) -> None:
    assert key_code(text) == code


@pytest.mark.parametrize("text", ["", "NO_SUCH", "0", "-1", "768", "1.5", "KEY_"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no key|is not between"):
        key_code(text)


def test_what_a_key_is_shown_as_names_it() -> None:
    codes = range(1, HIGHEST + 1)
    assert [key_code(key_name(code)) for code in codes] == list(codes)


def test_bits_are_keys() -> None:
    assert evdev_ioctl.key_set(bytes([0b10, 0, 0b1])) == {1, 16}


events = st.tuples(
    st.integers(0, 2**31 - 1), st.integers(0, 999_999), st.integers(0, 31), st.integers(0, 767),
    st.integers(-(2**31), 2**31 - 1),
)  # fmt: skip


@given(sent=st.lists(events), cuts=st.lists(st.integers(0, 500)))
@settings(deadline=None)
def test_events_are_read_however_they_are_cut(
    sent: list[tuple[int, int, int, int, int]], cuts: list[int]
) -> None:
    data = b"".join(EVENT.pack(*event) for event in sent)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = EventReader()
    found = [
        event for begin, end in itertools.pairwise(places) for event in reader.feed(data[begin:end])
    ]
    assert [tuple(event[1:]) for event in found] == [event[2:] for event in sent]
    assert [event.moment for event in found] == pytest.approx(
        [seconds + micro / 1e6 for seconds, micro, *_ in sent]
    )


def pressed(
    *sent: bytes, counted: set[int] | None = None, held: set[int] | None = None
) -> list[bool]:
    """Whether the button is pressed after each event."""
    keys = HeldKeys(counted, ask=lambda: held)
    found = []
    for event in EventReader().feed(b"".join(sent)):
        keys.take(event)
        found.append(keys.is_pressed)
    return found[1::2]  # after the report of each


def test_it_is_pressed_while_any_key_is_held() -> None:
    assert pressed(
        key(PRESS), key(PRESS, ENTER), key(RELEASE), key(REPEAT, ENTER), key(RELEASE, ENTER)
    ) == [True, True, True, True, False]


def test_keys_that_do_not_count_press_nothing() -> None:
    assert pressed(key(PRESS, ENTER), key(PRESS), counted={VOLUME_UP}) == [False, True]


def test_what_is_no_key_presses_nothing() -> None:
    assert pressed(packed(2, VOLUME_UP, 1) + packed(0, 0, 0)) == [False]  # a mouse that moves


@pytest.mark.parametrize(
    ("held", "after"), [({VOLUME_UP}, True), (set(), False), ({ENTER}, False), (None, False)]
)
def test_after_lost_events_the_kernel_is_asked(held: set[int] | None, after: bool) -> None:
    lost = dropped() + packed(1, VOLUME_UP, PRESS) + packed(1, ENTER, RELEASE) + packed(0, 0, 0)
    found = pressed(key(PRESS), lost, key(RELEASE), counted={VOLUME_UP}, held=held)
    assert found == [True, True, after, False]
