"""A button that presses itself: its clicks are what they were meant to be."""

import itertools
import json
import math
import statistics
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.battery import voltage
from device_sim.drivers.base import Light
from device_sim.drivers.simulated import SimulatedDriver
from device_sim.finger import Finger, Pressing
from iot_button.events import ClickType
from tests.conftest import Start
from tests.device_sim.edge_trains import Rules, expected
from tests.device_sim.sink import opened
from tests.support import Listener, Program

FAST = Rules(bounce_time=0.001, double_window=0.008, hold_time=0.05)
"""So short that a test need not wait."""


def finger(rate: float, seed: int, rules: Rules) -> Finger:
    return Finger(
        rate=rate,
        seed=seed,
        bounce_time=rules.bounce_time,
        double_window=rules.double_window,
        hold_time=rules.hold_time,
    )


def some(rate: float, seed: int, *, rules: Rules | None = None, count: int = 30) -> list[Pressing]:
    return list(itertools.islice(finger(rate, seed, rules or Rules()).clicks(), count))


@settings(deadline=None, max_examples=100)
@given(
    st.floats(0.01, 100),
    st.integers(0, 2**32),
    st.builds(
        Rules,
        bounce_time=st.just(0.0) | st.floats(0.0001, 1),
        double_window=st.just(0.0) | st.floats(0.001, 10),
        hold_time=st.floats(0.001, 60),
        long_at_release=st.booleans(),
        extended=st.booleans(),
    ),
)
def test_each_click_is_recognised_as_it_was_meant_under_any_settings(
    rate: float, seed: int, rules: Rules
) -> None:
    clicks = some(rate, seed, rules=rules)
    edges = [edge for click in clicks for edge in click.edges]
    assert [moment for _level, moment in edges] == sorted(moment for _level, moment in edges)
    recogniser = rules.recogniser()
    found = [gesture for edge in edges for gesture in recogniser.edge(*edge)]
    found += recogniser.advance(math.inf)
    assert [gesture.click_type for gesture in found] == [click.click_type for click in clicks]
    assert found == expected(edges, rules)


def test_the_same_seed_presses_the_same_way() -> None:
    assert some(0.5, 7) == some(0.5, 7)
    assert some(0.5, 7) != some(0.5, 8)


def test_clicks_come_at_the_rate_in_a_realistic_mix_and_bounce() -> None:
    clicks = some(0.2, 1, count=3000)
    begins = [click.edges[0].moment for click in clicks]
    assert statistics.mean(b - a for a, b in itertools.pairwise(begins)) == pytest.approx(5, 0.06)
    types = Counter(click.click_type for click in clicks)
    assert types[ClickType.SINGLE] > types[ClickType.DOUBLE] > types[ClickType.LONG] > 150
    presses = len(clicks) + types[ClickType.DOUBLE]
    assert sum(len(click.edges) for click in clicks) > 4 * presses


def test_the_driver_ends_after_its_clicks_and_its_battery_runs_down() -> None:
    driver = SimulatedDriver(finger(100, 1, FAST), seed=1, clicks=8)
    before = driver.battery()
    with opened(driver) as sink:
        driver.show(Light.TAKEN)
        sink.run_until(lambda: ("ended",) in sink.said, what="the end")
    edges = [edge for click in some(100, 1, rules=FAST, count=8) for edge in click.edges]
    assert sink.said == [*(("edge", *edge) for edge in edges), ("ended",)]
    assert driver.battery() != before
    assert voltage(600) - 40 < driver.battery() < voltage(0) + 40


def test_the_command_is_a_button_with_a_battery_that_ends_when_its_clicks_are_done(
    amqtt: Program, start: Start
) -> None:
    with Listener(amqtt.port("mqtt"), "iotbutton/SIM") as listener:
        program = start(
            *("device", "simulated", "--rate", "100", "--seed", "1", "--presses", "4"),
            *("--double-window", "0.1", "--hold-time", "0.3", "--serial", "SIM"),
            *("--broker", amqtt.address("mqtt"), "--done-at", "broker"),
        )
        assert program.end() == 0, program.said
        clicks = [json.loads(listener.next().payload) for _ in range(4)]
        assert listener.is_empty
    rules = Rules(double_window=0.1, hold_time=0.3)
    assert [c["clickType"] for c in clicks] == [c.click_type for c in some(100, 1, rules=rules)[:4]]
    assert all(2500 < int(click["batteryVoltage"].removesuffix("mV")) < 3100 for click in clicks)


@pytest.mark.parametrize("options", [("--rate", "0"), ("--presses", "0"), ("--rate", "nan")])
def test_wrong_usage_is_status_2(start: Start, options: tuple[str, ...]) -> None:
    program = start("device", "simulated", *options)
    assert program.end() == 2
    assert not any("Traceback" in line for line in program.said)
