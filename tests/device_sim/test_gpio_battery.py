"""The battery of a button on pins: none, known, or measured by an MCP3008."""

from collections.abc import Iterator
from typing import Any

import pytest

from device_sim.drivers.gpio import GpioDriver
from device_sim.drivers.gpio_battery import (
    MEASURE_EVERY,
    Battery,
    FixedBattery,
    MeasuredBattery,
    parse_battery,
)
from tests.device_sim.gpio_pins import Mcp3008, fake_pins
from tests.device_sim.sink import opened


class Bench:
    """An MCP3008 beside the fake pins, and a clock that is set by hand."""

    def __init__(self, factory: Any) -> None:
        self.chip = Mcp3008(factory)
        self.now = 100.0

    def driver(self, battery: Battery) -> GpioDriver:
        return GpioDriver("17", battery=battery, clock=lambda: self.now)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with fake_pins() as factory:
        bench = Bench(factory)
        yield bench
        bench.chip.close()


@pytest.mark.parametrize(
    ("channel", "raw", "divider", "reference", "millivolts"),
    [
        (0, 1023, 1.0, 3.3, 3297),
        (7, 512, 1.0, 3.3, 1650),
        (3, 620, 2.0, 3.3, 3996),
        (5, 1, 1.0, 2.5, 2),
        (1, 0, 2.0, 3.3, 0),
    ],
)
def test_millivolts_are_the_channel_times_the_divider(
    bench: Bench, channel: int, raw: int, divider: float, reference: float, millivolts: int
) -> None:
    bench.chip.values[channel] = raw
    battery = MeasuredBattery(channel, divider=divider, reference=reference)
    driver = bench.driver(battery)
    with opened(driver):
        assert driver.battery() == millivolts


def test_a_measurement_holds_for_a_while(bench: Bench) -> None:
    bench.chip.values[0] = 1023
    driver = bench.driver(MeasuredBattery(0))
    with opened(driver):
        bench.chip.values[0] = 0
        bench.now += MEASURE_EVERY - 1
        assert driver.battery() == 3297
        assert bench.chip.conversions == 1
        bench.now += 1
        assert driver.battery() == 0
        assert bench.chip.conversions == 2


def test_a_measurement_that_fails_is_unknown_and_told_once_until_it_works_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.chip.values[0] = 1023
    driver = bench.driver(MeasuredBattery(0))
    with opened(driver):
        readings = []
        for is_broken in (True, True, False, True):
            bench.chip.is_broken = is_broken
            bench.now += MEASURE_EVERY
            readings.append(driver.battery())
    assert readings == [None, None, 3297, None]
    told = [record.getMessage() for record in caplog.records]
    assert told == ["the battery cannot be measured: SPI transfer error -1"] * 2


def test_after_close_the_pins_are_free_and_the_last_measurement_stays(bench: Bench) -> None:
    bench.chip.values[0] = 1023
    driver = bench.driver(MeasuredBattery(0))
    with opened(driver):
        pass
    bench.now += MEASURE_EVERY
    assert driver.battery() == 3297
    assert bench.chip.conversions == 1
    with opened(GpioDriver("8")):
        pass


@pytest.mark.parametrize(
    ("text", "millivolts"),
    [("mains", None), ("MAINS", None), ("2900mV", 2900), ("2900", 2900), ("0mV", 0)],
)
def test_a_battery_that_is_not_measured_is_what_its_owner_says(
    text: str, millivolts: int | None
) -> None:
    battery = parse_battery(text, divider=None, reference=None)
    assert battery.read() == millivolts


def test_a_channel_of_the_converter_is_a_measured_battery() -> None:
    battery = parse_battery("mcp3008:0", divider=2.0, reference=None)
    assert isinstance(battery, MeasuredBattery)
    assert not isinstance(parse_battery("3000mV", divider=None, reference=None), MeasuredBattery)
    assert isinstance(parse_battery("3000mV", divider=None, reference=None), FixedBattery)


@pytest.mark.parametrize(
    ("text", "divider", "reference", "reason"),
    [
        ("solar", None, None, "none of mains, 2900mV and mcp3008:CHANNEL"),
        ("", None, None, "none of mains"),
        ("2.9V", None, None, "none of mains"),
        ("-5", None, None, "none of mains"),
        ("mcp3008:8", None, None, "not one of 0 to 7"),
        ("mcp3008:", None, None, "not one of 0 to 7"),
        ("mcp3008:٣", None, None, "not one of 0 to 7"),
        ("mcp3008:0", 0.5, None, "divider"),
        ("mcp3008:0", float("nan"), None, "divider"),
        ("mcp3008:0", 1e9, None, "divider"),
        ("mains", 2.0, None, "belong to mcp3008"),
        ("2900mV", None, 3.3, "belong to mcp3008"),
    ],
)
def test_a_battery_that_cannot_be_is_refused(
    text: str, divider: float | None, reference: float | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_battery(text, divider=divider, reference=reference)
