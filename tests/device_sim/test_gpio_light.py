"""The LEDs on gpiozero's fake pins: what is lit, and for how long."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from device_sim.drivers.base import Light
from device_sim.drivers.gpio import GpioDriver
from device_sim.drivers.gpio_light import WINK, GpioLight, Lamp
from iot_button.loop import Callback, Loop, Timer
from tests.device_sim.gpio_pins import fake_pins, gpiozero
from tests.device_sim.sink import opened

RGB = {Lamp.RED: "22", Lamp.GREEN: "27", Lamp.BLUE: "23"}
THREE = {Lamp.RED: "22", Lamp.GREEN: "27", Lamp.WHITE: "23"}
TRAFFIC = {Lamp.RED: "22", Lamp.GREEN: "27", Lamp.AMBER: "23"}
TWO = {Lamp.RED: "22", Lamp.GREEN: "27"}
SHOWN = [light for light in Light if light is not Light.OFF]

Film = list[tuple[float, str]]
"""Moments in seconds since the light was shown, and the lamps that are lit from then on."""


class HandLoop(Loop):
    """A loop whose time passes by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.timers: list[Timer] = []

    def call_later(self, delay: float, callback: Callback) -> Timer:
        timer = Timer(round(self.now + delay, 6), len(self.timers), callback)
        self.timers.append(timer)
        return timer

    @property
    def waiting(self) -> list[Timer]:
        return sorted(timer for timer in self.timers if timer.callback is not None)

    def advance(self) -> None:
        """Go to the next timer."""
        timer = self.waiting[0]
        self.now, callback, timer.callback = timer.moment, timer.callback, None
        assert callback is not None
        callback()


class Stage:
    """LEDs that are watched."""

    def __init__(self, factory: Any, pins: Mapping[Lamp, str], *, active_high: bool = True) -> None:
        self.loop = HandLoop()
        self.light = GpioLight(pins, active_high=active_high)
        self.light.open(self.loop, gpiozero, factory)
        self.active_high = active_high
        self.pins = {lamp: factory.pin(f"GPIO{pin}") for lamp, pin in pins.items()}

    @property
    def lit(self) -> str:
        on = [lamp for lamp, pin in self.pins.items() if pin.state is self.active_high]
        return "+".join(on) or "off"

    def film(self, light: Light, *, changes: int = 5) -> Film:
        """Show a light, and follow it through some changes."""
        self.light.show(light)
        start = self.loop.now
        film = [(0.0, self.lit)]
        for _ in range(changes - 1):
            if not self.loop.waiting:
                break
            self.loop.advance()
            film.append((round(self.loop.now - start, 6), self.lit))
        return film

    def close(self) -> None:
        self.light.close()
        self.loop.close()


@pytest.fixture
def factory() -> Iterator[Any]:
    with fake_pins() as pins:
        yield pins


Build = Callable[..., Stage]


@pytest.fixture
def stage_of(factory: Any) -> Iterator[Build]:
    """Builds a stage of these pins; it is closed at the end."""
    with ExitStack() as stack:

        def build(pins: Mapping[Lamp, str], *, active_high: bool = True) -> Stage:
            stage = Stage(factory, pins, active_high=active_high)
            stack.callback(stage.close)
            return stage

        yield build


def blinking(lamps: str, on: float, off: float) -> Film:
    moments = itertools.accumulate([0.0, on, off, on, off])
    states = [lamps, "off", lamps, "off", lamps]
    return [(round(moment, 6), state) for moment, state in zip(moments, states, strict=True)]


@pytest.mark.parametrize(
    ("pins", "white", "amber"),
    [
        (RGB, "red+green+blue", "red+green"),
        (THREE, "white", "red+green"),
        (TRAFFIC, "red+green", "amber"),
        (TWO, "red+green", "red+green"),
    ],
    ids=["rgb", "red-green-white", "red-green-amber", "red-green"],
)
def test_with_red_and_green_the_colours_say_what_is(
    stage_of: Build, pins: Mapping[Lamp, str], white: str, amber: str
) -> None:
    stage = stage_of(pins)
    assert stage.lit == "off"
    assert stage.film(Light.CONNECTING) == blinking(white, 0.5, 0.5)
    assert stage.film(Light.TAKEN) == blinking(amber, 0.1, 0.1)
    assert stage.film(Light.QUEUED) == [(0.0, amber)]
    assert stage.film(Light.PUBLISHED) == blinking("green", 0.25, 0.25)
    assert stage.film(Light.PROCESSED) == [(0.0, "green")]
    assert stage.film(Light.FAILED) == [(0.0, "red")]
    assert stage.film(Light.OFF) == [(0.0, "off")]


@pytest.mark.parametrize("lamp", [Lamp.RED, Lamp.GREEN, Lamp.AMBER, Lamp.WHITE])
def test_one_lamp_of_any_colour_says_all_by_rhythm(stage_of: Build, lamp: Lamp) -> None:
    stage = stage_of({lamp: "22"})
    assert stage.film(Light.CONNECTING) == blinking(lamp, 0.5, 0.5)
    assert stage.film(Light.TAKEN) == blinking(lamp, 0.9, 0.1)
    assert stage.film(Light.QUEUED) == blinking(lamp, 0.1, 0.9)
    assert stage.film(Light.PUBLISHED) == blinking(lamp, 0.25, 0.25)
    assert stage.film(Light.PROCESSED) == [(0.0, lamp)]
    assert stage.film(Light.FAILED) == blinking(lamp, 0.1, 0.1)
    assert stage.film(Light.OFF) == [(0.0, "off")]


def all_sets() -> Sequence[tuple[Lamp, ...]]:
    numbers = range(1, len(Lamp) + 1)
    return [lamps for n in numbers for lamps in itertools.combinations(Lamp, n)]


@pytest.mark.parametrize("lamps", all_sets(), ids="+".join)
def test_with_any_lamps_every_light_is_seen_and_told_from_the_others(
    stage_of: Build, lamps: tuple[Lamp, ...]
) -> None:
    stage = stage_of({lamp: str(22 + n) for n, lamp in enumerate(lamps)})
    films = [stage.film(light) for light in SHOWN]
    assert all(film[0][1] != "off" for film in films)
    assert all(one != other for one, other in itertools.combinations(films, 2))


def test_common_anode_is_lit_by_a_low_pin(stage_of: Build) -> None:
    stage = stage_of(RGB, active_high=False)
    assert [pin.state for pin in stage.pins.values()] == [True, True, True]
    stage.light.show(Light.FAILED)
    assert [pin.state for pin in stage.pins.values()] == [False, True, True]
    stage.light.show(Light.OFF)
    assert [pin.state for pin in stage.pins.values()] == [True, True, True]


@pytest.mark.parametrize("light", SHOWN)
def test_the_same_light_again_is_seen_as_a_wink(stage_of: Build, light: Light) -> None:
    stage = stage_of(RGB)
    first = stage.film(light, changes=1)
    assert stage.film(light, changes=2) == [(0.0, "off"), (WINK, first[0][1])]


def test_a_light_that_changes_while_it_blinks_leaves_no_timer_behind(stage_of: Build) -> None:
    stage = stage_of(TWO)
    for light in (Light.CONNECTING, Light.PUBLISHED, Light.PUBLISHED, Light.CONNECTING):
        stage.light.show(light)
    assert len(stage.loop.waiting) == 1
    stage.light.show(Light.QUEUED)
    assert not stage.loop.waiting


def test_close_ends_the_blinking_and_gives_dark_pins_back(stage_of: Build) -> None:
    stage = stage_of(TWO)
    stage.light.show(Light.CONNECTING)
    states = {lamp: pin.states for lamp, pin in stage.pins.items()}
    stage.light.close()
    assert not stage.loop.waiting
    assert all(kept[-1].state is False for kept in states.values())
    assert [pin.function for pin in stage.pins.values()] == ["input", "input"]
    stage.light.show(Light.FAILED)  # too late: nothing happens
    assert stage.lit == "off"
    assert stage_of(TWO).lit == "off"


def test_pins_that_fail_are_told_of_once_and_harm_nothing(
    stage_of: Build, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of(TWO)

    def fail(_self: object, _value: float) -> None:
        raise OSError("the pins are gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(stage.pins[Lamp.RED]), "_set_state", fail)
        for light in SHOWN:
            stage.light.show(light)
    assert [record.getMessage() for record in caplog.records] == [
        "the light cannot be switched: the pins are gone"
    ]


def test_the_driver_blinks_on_its_devices_own_loop(factory: Any) -> None:
    driver = GpioDriver("17", light=GpioLight({Lamp.GREEN: "27"}))
    with opened(driver) as recorder:
        pin = factory.pin("GPIO27")
        pin.clear_states()
        driver.show(Light.FAILED)
        recorder.run_until(lambda: len(pin.states) >= 5, what="two blinks")
        assert [kept.state for kept in pin.states][:5] == [False, True, False, True, False]
        assert all(kept.timestamp >= 0.099 for kept in pin.states[2:5])
