"""Gestures on a loop's timers: the driver's clock is not ours."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from device_sim.gestures import Gesture
from device_sim.recognizer import Recognizer, gestures_of
from iot_button.events import ClickType
from iot_button.loop import Loop
from iot_button.settings import DeviceSettings
from tests.device_sim.workbench import Machine, pass_time, time_of

SINGLE, DOUBLE, LONG = ClickType


class Finger:
    """Presses in a driver's own clock, which is ahead of ours by any amount."""

    def __init__(self, machine: Machine, settings: DeviceSettings, *, ahead: float = 0.0) -> None:
        self.machine = machine
        self.ahead = ahead
        self.loop = Loop()
        self.gestures: list[Gesture] = []
        self.recognizer = Recognizer(self.loop, settings, on_gesture=self.gestures.append)

    def edge(self, is_pressed: bool) -> None:
        self.recognizer.edge(is_pressed, self.machine.uptime + self.ahead)

    def press(self, seconds: float = 0.1) -> None:
        self.edge(True)
        self.wait(seconds)
        self.edge(False)

    def wait(self, seconds: float) -> None:
        pass_time(self.loop, self.machine, seconds)

    @property
    def types(self) -> list[ClickType]:
        return [gesture.click_type for gesture in self.gestures]


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    with time_of(machine):
        yield machine


@pytest.fixture
def make_finger(machine: Machine) -> Iterator[Callable[..., Finger]]:
    """Make a finger with settings and a clock of its own."""
    fingers: list[Finger] = []

    def make(*, ahead: float = 0.0, **changed: Any) -> Finger:
        fingers.append(Finger(machine, DeviceSettings(**changed), ahead=ahead))
        return fingers[-1]

    yield make
    for finger in fingers:
        finger.loop.close()


@pytest.fixture
def finger(make_finger: Callable[..., Finger]) -> Finger:
    return make_finger()


@pytest.mark.parametrize("ahead", [0.0, -999.0, 1e6, 2.0**31])
def test_what_is_due_by_itself_comes_at_its_time_whatever_clock_the_driver_has(
    make_finger: Callable[..., Finger], ahead: float
) -> None:
    finger = make_finger(ahead=ahead)
    finger.press()
    finger.wait(0.25)
    assert finger.types == []
    finger.wait(0.5)
    finger.press(2.0)
    finger.wait(1.0)
    assert finger.types == [SINGLE, LONG]


def test_a_long_press_is_told_of_while_it_is_held(finger: Finger) -> None:
    finger.edge(True)
    finger.wait(1.25)
    assert finger.types == []
    finger.wait(0.5)
    assert finger.types == [LONG]


def test_a_second_press_within_the_window_is_a_double_and_nothing_more(finger: Finger) -> None:
    finger.press()
    finger.wait(0.2)
    finger.press()
    finger.wait(5.0)
    assert finger.types == [DOUBLE]


def test_a_loop_that_was_late_hears_of_the_second_press_before_the_window_is_over(
    finger: Finger,
) -> None:
    finger.press()
    finger.machine.pass_time(3.0)  # nothing turned
    moment = finger.machine.uptime - 2.8
    # As a driver's thread does: before the timers of the turn.
    finger.loop.call_from_thread(functools.partial(finger.recognizer.edge, True, moment))
    finger.wait(0.25)
    assert finger.types == [DOUBLE]


def test_half_a_gesture_is_forgotten_when_the_hardware_begins_anew(finger: Finger) -> None:
    finger.press()
    finger.recognizer.start_over()
    assert not finger.recognizer.is_busy
    finger.ahead = -500.0  # its clock too
    finger.press()
    finger.wait(5.0)
    assert finger.types == [SINGLE]


def test_it_may_begin_anew_before_the_first_edge(finger: Finger) -> None:
    finger.recognizer.start_over()
    finger.press()
    finger.wait(1.0)
    assert finger.types == [SINGLE]


def test_it_is_busy_as_long_as_time_can_make_a_gesture(finger: Finger) -> None:
    busy = [finger.recognizer.is_busy]
    finger.press()
    busy.append(finger.recognizer.is_busy)
    finger.wait(1.0)
    busy.append(finger.recognizer.is_busy)
    assert busy == [False, True, False]
    assert len(finger.gestures) == 1


def test_nothing_comes_after_its_end(finger: Finger) -> None:
    finger.press()
    finger.recognizer.close()
    finger.wait(5.0)
    assert finger.types == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"double_window": 0.0}, [SINGLE, SINGLE]),
        ({"double_window": 0.05}, [SINGLE, SINGLE]),
        ({"hold_time": 0.05}, [LONG, LONG]),
        ({"bounce_time": 0.3}, [SINGLE]),
        ({"extended": True}, [DOUBLE]),
    ],
    ids=str,
)
def test_the_settings_are_followed(
    make_finger: Callable[..., Finger],
    changed: dict[str, float | bool],
    expected: list[ClickType],
) -> None:
    finger = make_finger(**changed)
    finger.press()
    finger.machine.pass_time(0.15)
    finger.press()
    finger.wait(5.0)
    assert finger.types == expected


def test_a_long_press_is_told_of_at_its_end_where_that_is_set() -> None:
    gestures = gestures_of(DeviceSettings(long_at="release"))
    assert gestures.edge(True, 0.0) == gestures.advance(50.0) == []
    assert [gesture.click_type for gesture in gestures.edge(False, 60.0)] == [LONG]
