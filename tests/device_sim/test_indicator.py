"""The light: what has just happened, and then how things stand."""

from collections.abc import Iterator

import pytest

from device_sim.drivers.base import Light
from device_sim.indicator import FAILED_FOR, PROCESSED_FOR, Indicator
from iot_button.loop import Loop
from tests.device_sim.workbench import Machine, pass_time, time_of


class Lamp:
    """An indicator whose light is written down, and how things stand."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.loop = Loop()
        self.shown: list[Light] = []
        self.stands = Light.OFF
        self.indicator = Indicator(self.loop, show=self.shown.append, rest=lambda: self.stands)

    def pass_time(self, seconds: float) -> None:
        pass_time(self.loop, self.machine, seconds)


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    machine = Machine()
    with time_of(machine):
        lamp = Lamp(machine)
        yield lamp
        lamp.loop.close()


def test_it_says_how_things_stand_once_for_each_change(lamp: Lamp) -> None:
    lamp.stands = Light.CONNECTING
    lamp.indicator.refresh()
    lamp.indicator.refresh()
    lamp.stands = Light.OFF
    lamp.indicator.refresh()
    assert lamp.shown == [Light.CONNECTING, Light.OFF]


def test_steady_green_goes_out_by_itself(lamp: Lamp) -> None:
    lamp.indicator.flash(Light.PROCESSED, PROCESSED_FOR)
    lamp.pass_time(PROCESSED_FOR - 0.5)
    assert lamp.shown == [Light.PROCESSED]
    lamp.pass_time(1.0)
    assert lamp.shown == [Light.PROCESSED, Light.OFF]


def test_what_has_just_happened_is_not_covered_by_how_things_stand(lamp: Lamp) -> None:
    lamp.indicator.flash(Light.FAILED, FAILED_FOR)
    lamp.stands = Light.CONNECTING
    lamp.indicator.refresh()
    assert lamp.shown == [Light.FAILED]
    lamp.pass_time(FAILED_FOR + 0.5)
    assert lamp.shown == [Light.FAILED, Light.CONNECTING]


def test_a_new_click_is_told_of_at_once_and_the_end_of_the_old_light_does_not_cut_it(
    lamp: Lamp,
) -> None:
    lamp.indicator.flash(Light.PROCESSED, PROCESSED_FOR)
    lamp.pass_time(PROCESSED_FOR / 2)
    lamp.stands = Light.TAKEN
    lamp.indicator.flash(Light.TAKEN)
    lamp.pass_time(10 * PROCESSED_FOR)
    assert lamp.shown == [Light.PROCESSED, Light.TAKEN]


def test_each_click_is_told_of_also_where_the_light_says_it_already(lamp: Lamp) -> None:
    for _ in range(3):
        lamp.indicator.flash(Light.TAKEN)
    assert lamp.shown == [Light.TAKEN] * 3


def test_a_second_flash_of_the_same_light_lasts_its_own_time(lamp: Lamp) -> None:
    lamp.indicator.flash(Light.PROCESSED, 2.0)
    lamp.pass_time(1.5)
    lamp.indicator.flash(Light.PROCESSED, 2.0)
    lamp.pass_time(1.5)
    assert lamp.shown == [Light.PROCESSED] * 2
    lamp.pass_time(1.0)
    assert lamp.shown[-1] is Light.OFF


def test_a_light_without_an_end_of_its_own_stays_until_things_stand_otherwise(lamp: Lamp) -> None:
    lamp.indicator.flash(Light.PUBLISHED)
    lamp.pass_time(60.0)
    lamp.stands = Light.TAKEN  # the broker is lost
    lamp.indicator.refresh()
    assert lamp.shown == [Light.PUBLISHED, Light.TAKEN]


def test_it_says_nothing_more_when_it_is_closed(lamp: Lamp) -> None:
    lamp.indicator.flash(Light.FAILED, FAILED_FOR)
    lamp.indicator.close()
    lamp.pass_time(FAILED_FOR * 2)
    assert lamp.shown == [Light.FAILED]
