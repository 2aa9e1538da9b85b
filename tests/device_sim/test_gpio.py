"""A button on gpiozero's fake pins."""

import itertools
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_sim.drivers.base import DriverError, Light
from device_sim.drivers.gpio import GpioDriver, Pull
from device_sim.drivers.gpio_battery import MeasuredBattery
from device_sim.drivers.gpio_factory import explained
from device_sim.drivers.gpio_light import GpioLight, Lamp
from iot_button.events import ClickType
from tests.conftest import Start
from tests.device_sim.edge_trains import TRAINS, random_train
from tests.device_sim.gpio_pins import fake_pins, mock
from tests.device_sim.sink import Recorder, opened
from tests.support import DEADLINE


class HandClock:
    """A clock that stands where it is put."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class HeldPin(mock.MockPin):  # type: ignore[misc]  # no types there
    """A pin that someone holds to ground: no pull makes it high."""

    def drive_high(self) -> None:
        """Stay low."""
        self._change_state(False)


@pytest.fixture
def pins() -> Iterator[Any]:
    with fake_pins() as factory:
        yield factory


def test_every_edge_is_told_in_order_with_the_moment_it_came(pins: Any) -> None:
    clock = HandClock()
    with opened(GpioDriver("17", clock=clock)) as recorder:
        pin = pins.pin("GPIO17")
        for moment, drive in ((101.0, pin.drive_low), (101.0005, pin.drive_high)) * 2:
            clock.now = moment
            drive()
        assert recorder.said == []  # not in gpiozero's thread
        recorder.run_until(lambda: len(recorder.said) == 4, what="four edges")
    assert recorder.said == [
        ("edge", True, 101.0),
        ("edge", False, 101.0005),
        ("edge", True, 101.0),
        ("edge", False, 101.0005),
    ]


def test_edges_of_another_thread_come_in_order(pins: Any) -> None:
    count = 2000
    with opened(GpioDriver("17")) as recorder:
        pin = pins.pin("GPIO17")

        def press() -> None:
            for _ in range(count // 2):
                pin.drive_low()
                pin.drive_high()

        finger = threading.Thread(target=press)
        finger.start()
        recorder.run_until(lambda: len(recorder.said) == count, what="all edges")
        finger.join(DEADLINE)
    assert recorder.edges == [True, False] * (count // 2)
    moments = [said[2] for said in recorder.said]
    assert moments == sorted(moments)  # type: ignore[type-var]  # floats


@pytest.mark.parametrize(
    ("pull", "active_high", "pressed_is_high"),
    [
        (Pull.UP, None, False),
        (Pull.DOWN, None, True),
        (Pull.FLOATING, True, True),
        (Pull.FLOATING, False, False),
    ],
)
def test_pressed_is_what_the_wiring_makes_it(
    pins: Any, pull: Pull, active_high: bool | None, pressed_is_high: bool
) -> None:
    pin = pins.pin("GPIO17")
    if pull is Pull.FLOATING and not pressed_is_high:
        pin.drive_high()
    with opened(GpioDriver("17", pull=pull, active_high=active_high)) as recorder:
        assert pin.pull == pull.value
        press, release = pin.drive_low, pin.drive_high
        if pressed_is_high:
            press, release = release, press
        press()
        release()
        recorder.run_until(lambda: len(recorder.said) == 2, what="two edges")
        assert recorder.edges == [True, False]


def test_a_contact_that_is_closed_at_the_start_is_a_press() -> None:
    with fake_pins(pin_class=HeldPin) as factory:
        clock = HandClock()
        with opened(GpioDriver("17", clock=clock)) as recorder:
            assert recorder.said == [("edge", True, 100.0)]
            clock.now = 101.0
            super(HeldPin, factory.pin("GPIO17")).drive_high()  # it is let go
            recorder.run_until(lambda: len(recorder.said) == 2, what="the release")
            assert recorder.said[1] == ("edge", False, 101.0)


@pytest.mark.usefixtures("pins")
def test_an_open_contact_says_nothing_at_the_start() -> None:
    with opened(GpioDriver("17")) as recorder:
        recorder.loop.call_later(0.0, recorder.loop.stop)
        recorder.loop.run()
        assert recorder.said == []


@pytest.mark.parametrize("name", ["17", "GPIO17", "gpio17", "BCM17", "BOARD11", "J8:11"])
def test_a_pin_has_every_name_that_gpiozero_takes(pins: Any, name: str) -> None:
    with opened(GpioDriver(name)) as recorder:
        pins.pin("GPIO17").drive_low()
        recorder.run_until(lambda: recorder.said, what="the press")


def test_the_label_tells_pins_apart_and_not_the_spellings_of_a_number() -> None:
    labels = [GpioDriver(name).label for name in ("17", "GPIO17", "bcm17", "BOARD11", "J8:11")]
    assert labels == ["gpio17", "gpio17", "gpio17", "gpioBOARD11", "gpioJ8-11"]


def test_nothing_is_told_after_close_and_the_pin_is_free(pins: Any) -> None:
    pin = pins.pin("GPIO17")
    with Recorder() as recorder:
        driver = GpioDriver("17")
        driver.open(recorder.loop, recorder)
        pin.drive_low()
        driver.close()
        pin.drive_low()
        recorder.loop.call_later(0.0, recorder.loop.stop)
        recorder.loop.run()
        assert recorder.said == []
        driver.close()
    assert pin.when_changed is None
    with opened(GpioDriver("17")) as recorder:
        pin.drive_low()
        recorder.run_until(lambda: recorder.edges == [True], what="the press")


def test_random_trains_of_bouncing_edges_are_the_clicks_they_should_be(pins: Any) -> None:
    trains = [random_train(seed) for seed in range(TRAINS)]
    clock = HandClock()
    with opened(GpioDriver("17", clock=clock)) as recorder:
        pin = pins.pin("GPIO17")
        for train in trains:
            for is_pressed, moment in train.edges:
                clock.now = moment
                (pin.drive_low if is_pressed else pin.drive_high)()
        count = sum(len(train.edges) for train in trains)
        recorder.run_until(lambda: len(recorder.said) == count, what=f"{count} edges")
    said = iter(recorder.said)
    for number, train in enumerate(trains):
        gestures = train.rules.recogniser()
        clicks: list[ClickType] = []
        for _edge, level, at in itertools.islice(said, len(train.edges)):
            assert isinstance(at, float)
            clicks += [gesture.click_type for gesture in gestures.edge(bool(level), at)]
        clicks += [gesture.click_type for gesture in gestures.advance(train.end)]
        assert clicks == train.clicks, f"train {number}: {train.edges}"


@pytest.mark.usefixtures("pins")
@pytest.mark.parametrize(
    ("driver", "problem", "mend"),
    [
        (GpioDriver("99"), "pin 99 cannot be used: this board has no such GPIO pin", "pinout"),
        (GpioDriver("BOARD1"), "pin BOARD1 cannot be used: this board has no such", "pinout"),
        (GpioDriver("2", pull=Pull.DOWN), "the board has a resistor on it", "--pull up"),
        (
            GpioDriver("17", light=GpioLight({Lamp.RED: "22", Lamp.GREEN: "BOARD11"})),
            "the green LED's pin BOARD11 cannot be used: it has another use",
            "pins of its own",
        ),
        (
            GpioDriver("9", battery=MeasuredBattery(0)),
            "the MCP3008 on pins 8 to 11 cannot be used: it has another use",
            "8 to 11",
        ),
    ],
)
def test_a_pin_that_cannot_be_used_is_named_and_the_others_are_given_back(
    driver: GpioDriver, problem: str, mend: str
) -> None:
    with Recorder() as recorder:
        with pytest.raises(DriverError) as raised:
            driver.open(recorder.loop, recorder)
        assert problem in raised.value.problem
        assert mend in raised.value.mend
    with opened(GpioDriver("17", light=GpioLight({Lamp.RED: "22"}))):
        pass


def test_the_active_state_belongs_to_a_pin_without_pull() -> None:
    with pytest.raises(ValueError, match="active_high"):
        GpioDriver("17", active_high=True)
    with pytest.raises(ValueError, match="active_high"):
        GpioDriver("17", pull=Pull.FLOATING)


@pytest.mark.usefixtures("pins")
def test_a_button_without_lights_takes_every_light() -> None:
    with opened(GpioDriver("17")) as recorder:
        driver = GpioDriver("22")
        driver.open(recorder.loop, recorder)
        for light in (*Light, *Light):
            driver.show(light)
        assert driver.battery() is None
        driver.close()


def test_a_missing_library_is_one_line_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with Recorder() as recorder, pytest.raises(DriverError) as raised:
        GpioDriver("17").open(recorder.loop, recorder)
    assert "gpiozero cannot be loaded" in raised.value.problem
    assert "[gpio]" in raised.value.mend


_NO_PI = "unable to locate Pi revision in /proc/device-tree or /proc/cpuinfo"
_NO_LGPIO = "Falling back from lgpio: No module named 'lgpio'"
_LAST = "Unable to load any default pin factory!"


@pytest.mark.parametrize(
    ("said", "problem", "mend"),
    [
        ([_NO_LGPIO, f"Falling back from native: {_NO_PI}", _LAST], "no Raspberry Pi", "keyboard"),
        ([_NO_LGPIO, _LAST], "finds no library", "[gpio]"),
        (
            ["Falling back from lgpio: 'GPIO trouble'", "Falling back from rpigpio: x", _LAST],
            "cannot open the pins: Falling back from lgpio: 'GPIO trouble'",
            "pinout",
        ),
    ],
)
def test_what_gpiozero_says_in_many_lines_is_said_in_one(
    tmp_path: Path, said: list[str], problem: str, mend: str
) -> None:
    error = explained(said, chips=tmp_path)
    assert problem in error.problem
    assert mend in error.mend
    assert "\n" not in error.problem + error.mend


def test_a_user_without_the_right_to_the_pins_is_told_the_group(tmp_path: Path) -> None:
    (tmp_path / "gpiochip0").symlink_to(tmp_path / "away")  # root may use any that is there
    error = explained(["Falling back from lgpio: 'can not open gpiochip'", _LAST], chips=tmp_path)
    assert "usermod -aG gpio" in error.mend


def test_a_pin_factory_that_the_user_chose_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nix")
    error = explained(["Unable to find pin factory 'nix'"], chips=tmp_path)
    assert "GPIOZERO_PIN_FACTORY=nix" in error.problem


LGPIO = """
import os
os.chdir(os.environ.get("LG_WD", "."))
os.mkfifo(".lgd-nfy0")
pipe = os.open(".lgd-nfy0", os.O_RDWR)
print("lgpio was loaded", flush=True)
SET_PULL_NONE = BOTH_EDGES = RISING_EDGE = FALLING_EDGE = None
"""
"""What lgpio 0.2.2 does to the working directory when it is imported."""


@pytest.mark.skipif(
    Path("/proc/device-tree/system/linux,revision").exists(), reason="this is a Raspberry Pi"
)
def test_a_machine_without_pins_is_told_so_in_a_line_and_nothing_is_left_behind(
    start: Start, tmp_path: Path
) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "lgpio.py").write_text(LGPIO)
    path = os.pathsep.join([str(modules), *filter(None, [os.environ.get("PYTHONPATH")])])
    program = start("device", "gpio", "--pin", "17", PYTHONPATH=path)
    assert program.end() == 1
    assert program.printed == ["lgpio was loaded"]
    assert len(program.said) == 2, program.said
    assert "no Raspberry Pi" in program.said[0]
    assert not list(tmp_path.glob(".lgd*"))
