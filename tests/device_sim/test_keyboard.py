"""The space bar of a terminal as the button, on a real pseudo-terminal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device_sim.drivers.base import DriverError, Light
from device_sim.drivers.keyboard import KeyboardDriver
from device_sim.gestures import Gestures
from iot_button.events import ClickType
from tests.device_sim.sink import Recorder, opened
from tests.device_sim.terminals import PlayedTerminal

KITTY = 0b11111
HELD_HELP, TAPPED_HELP = "space: the button, hold it", "space: click (twice: double)"
CTRL_C = b"\x1b[99;5u"


class Session:
    """A driver that is open on a played terminal."""

    def __init__(self, terminal: PlayedTerminal, driver: KeyboardDriver, sink: Recorder) -> None:
        self.terminal, self.driver, self.sink = terminal, driver, sink

    def until_shown(self, text: str) -> None:
        self.sink.run_until(
            lambda: any(text in line for line in self.terminal.look()), what=f"{text!r} shown"
        )

    def until_said(self, number: int) -> None:
        self.sink.run_until(
            lambda: self.terminal.look() and len(self.sink.said) >= number, what=f"{number} said"
        )

    def clicks(self) -> list[ClickType]:
        """What a person's gestures were."""
        gestures = Gestures()
        found = [
            gesture
            for _edge, is_pressed, moment in (said for said in self.sink.said if said[0] == "edge")
            for gesture in gestures.edge(bool(is_pressed), float(str(moment)))
        ]
        return [gesture.click_type for gesture in found + gestures.advance(float("inf"))]


@contextmanager
def session(*, flags: int | None = None, is_silent: bool = False) -> Iterator[Session]:
    with PlayedTerminal(flags=flags, is_silent=is_silent) as terminal:
        driver = KeyboardDriver(fd=terminal.fd, screen=terminal.screen)
        with opened(driver) as sink:
            yield Session(terminal, driver, sink)


@pytest.fixture
def taps() -> Iterator[Session]:
    """A terminal that cannot tell of releases, and has said so."""
    with session() as playing:
        playing.until_shown(TAPPED_HELP)
        yield playing


@pytest.fixture
def kitty() -> Iterator[Session]:
    """A terminal that speaks the protocol."""
    with session(flags=KITTY) as playing:
        playing.until_shown(HELD_HELP)
        yield playing


def test_a_tapped_space_is_a_single_click(taps: Session) -> None:
    taps.terminal.type(b" ")
    taps.until_said(2)
    assert taps.clicks() == [ClickType.SINGLE]


def test_two_spaces_at_once_are_a_double_click(taps: Session) -> None:
    taps.terminal.type(b"  ")
    taps.until_said(4)
    assert taps.clicks() == [ClickType.DOUBLE]


def test_letters_say_what_taps_cannot(taps: Session) -> None:
    taps.terminal.type(b"dLx")
    taps.until_said(2)
    assert taps.sink.said == [("clicked", ClickType.DOUBLE), ("clicked", ClickType.LONG)]


def test_a_held_space_is_pressed_until_it_is_released(kitty: Session) -> None:
    kitty.terminal.type(b"\x1b[32;1:1u" + 5 * b"\x1b[32;1:2u")
    kitty.until_said(1)
    kitty.terminal.type(b"\x1b[32;1:3u")
    kitty.until_said(2)
    assert kitty.sink.edges == [True, False]
    (_, _, pressed), (_, _, released) = kitty.sink.said
    assert float(str(pressed)) < float(str(released))


def test_a_release_counts_whatever_other_key_is_held_by_then(kitty: Session) -> None:
    kitty.terminal.type(b"\x1b[32;129:1u\x1b[32;5:3u")
    kitty.until_said(2)
    assert kitty.sink.edges == [True, False]


def test_a_press_after_a_lost_release_is_another_press(kitty: Session) -> None:
    kitty.terminal.type(b"\x1b[32u\x1b[32u\x1b[32;1:3u")
    kitty.until_said(4)
    assert kitty.sink.edges == [True, False, True, False]
    assert kitty.clicks() == [ClickType.DOUBLE]


def test_other_keys_press_nothing(kitty: Session) -> None:
    kitty.terminal.type(b"\x1b[97u\x1b[97;1:3u\x1b[32;5u\x1b[32;5:3u\x1b[100u")
    kitty.until_said(1)
    assert kitty.sink.said == [("clicked", ClickType.DOUBLE)]


def test_a_terminal_that_reports_no_releases_is_asked_for_none() -> None:
    with session(flags=1) as playing:
        playing.until_shown(TAPPED_HELP)
        playing.sink.run_until(
            lambda: playing.terminal.look() and playing.terminal.stack == [0], what="flags popped"
        )
        playing.terminal.type(b" ")
        playing.until_said(2)


def test_a_terminal_that_answers_nothing_taps() -> None:
    with session(is_silent=True) as playing:
        playing.until_shown(TAPPED_HELP)
        playing.terminal.type(b" ")
        playing.until_said(2)


@pytest.mark.parametrize("flags", [KITTY, 1])
def test_an_answer_that_comes_late_is_heard(flags: int) -> None:
    with session(is_silent=True) as playing:
        playing.until_shown(TAPPED_HELP)
        playing.terminal.flags = flags  # from now on it answers
        playing.terminal.type(b"\x1b[?0u")
        if flags == KITTY:
            playing.until_shown(HELD_HELP)
        else:
            playing.sink.run_until(
                lambda: playing.terminal.look() and "\x1b[<u" in playing.terminal.raw, what="pop"
            )
            assert not any(HELD_HELP in line for line in playing.terminal.look())


@pytest.mark.parametrize("end", [b"q", b"\x04", b"\x1b[113u", b"\x1b[1081::113u", b"\x1b[100;5u"])
def test_q_and_ctrl_d_end_it_once_and_nothing_is_pressed_after(taps: Session, end: bytes) -> None:
    taps.terminal.type(b" " + end + b" d" + end)
    taps.until_said(3)
    assert [said[0] for said in taps.sink.said] == ["edge", "edge", "ended"]


def test_it_ends_with_its_terminal_and_lets_go_of_the_space(kitty: Session) -> None:
    kitty.terminal.type(b"\x1b[32u")
    kitty.until_said(1)
    kitty.terminal.hang_up()
    kitty.sink.run_until(lambda: len(kitty.sink.said) >= 3, what="ended")
    assert [said[0] for said in kitty.sink.said] == ["edge", "edge", "ended"]
    assert kitty.sink.edges == [True, False]


@pytest.mark.parametrize("flags", [None, KITTY])
def test_the_terminal_is_given_back_as_it_was(flags: int | None) -> None:
    with session(flags=flags) as playing:
        playing.until_shown("space: ")
        playing.driver.show(Light.TAKEN)
        assert playing.terminal.takes_keys_one_by_one
        playing.driver.close()
        shown = playing.terminal.look()
        assert playing.terminal.mode() == playing.terminal.before
        assert playing.terminal.stack == [0]
        assert shown[-1] == ""


def test_ctrl_c_in_the_protocol_interrupts_and_gives_the_terminal_back(kitty: Session) -> None:
    interrupted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: interrupted.append(number))
    try:
        kitty.terminal.type(CTRL_C)
        kitty.sink.run_until(lambda: interrupted, what="SIGINT")
    finally:
        signal.signal(signal.SIGINT, before)
    kitty.terminal.look()
    assert kitty.terminal.mode() == kitty.terminal.before
    assert kitty.terminal.stack == [0]


def test_clicks_and_log_lines_stand_whole_above_the_light(taps: Session) -> None:
    taps.driver.show(Light.TAKEN)
    click = '{"serialNumber":"DESK","clickType":"SINGLE"}'
    for line in (click, "10:15:30 INFO connected to mqtt://127.0.0.1:1883"):
        taps.terminal.screen.write(f"{line}\n")
        taps.terminal.screen.flush()
    taps.terminal.type(b"x")  # any turn of the loop draws the light again
    taps.sink.run_until(
        lambda: (
            taps.terminal.look()[1:]
            == [click, "10:15:30 INFO connected to mqtt://127.0.0.1:1883", "* taken: on our disk"]
        ),
        what="all three lines",
    )


@pytest.mark.parametrize("light", list(Light))
def test_every_light_has_words_of_its_own_and_short_ones(
    light: Light, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with session() as playing:
        playing.until_shown(TAPPED_HELP)
        before = playing.terminal.raw
        playing.driver.show(light)
        shown = playing.terminal.look()[-1]
        assert len(shown) <= 24  # shorter than any line that may go over it
        assert "ready" in shown if light is Light.OFF else shown.startswith("* ")
        assert not playing.terminal.raw[len(before) :].count("m")


def test_colour_is_used_where_it_is_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with session() as playing:
        playing.until_shown(TAPPED_HELP)
        playing.driver.show(Light.FAILED)
        playing.terminal.look()
        assert "\x1b[1;31m* failed\x1b[0m" in playing.terminal.raw


def test_what_is_no_terminal_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, Recorder() as sink:
        driver = KeyboardDriver(fd=file.fileno())
        with pytest.raises(DriverError, match="no terminal") as refused:
            driver.open(sink.loop, sink)
        assert "iot-button press" in refused.value.mend
        driver.close()
        assert sink.said == []


def test_a_terminal_that_can_only_be_read_taps() -> None:
    with PlayedTerminal(flags=KITTY) as terminal:
        fd = os.open(terminal.path, os.O_RDONLY | os.O_NOCTTY)
        try:
            with opened(KeyboardDriver(fd=fd, screen=terminal.screen)) as sink:
                Session(terminal, KeyboardDriver(), sink).until_shown(TAPPED_HELP)
            assert terminal.mode() == terminal.before
        finally:
            os.close(fd)
