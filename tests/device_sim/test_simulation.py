"""The pure parts of a simulation: schedule, batteries, tally, percentiles."""

import itertools
import random
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.battery import Battery, voltage
from device_sim.latency import Latencies
from device_sim.schedule import presses
from device_sim.tally import Tally
from iot_button.events import ClickType


def test_the_same_seed_presses_the_same_buttons_again() -> None:
    first, second = (list(itertools.islice(presses(devices=7, rate=50, seed=3), 500)) for _ in "ab")
    assert first == second
    assert first != list(itertools.islice(presses(devices=7, rate=50, seed=4), 500))


def test_presses_come_at_the_rate_at_random_moments() -> None:
    some = list(itertools.islice(presses(devices=5, rate=50, seed=1), 5000))
    gaps = [b.at - a.at for a, b in itertools.pairwise(some)]
    assert min(gaps) >= 0
    assert statistics.mean(gaps) == pytest.approx(1 / 50, rel=0.05)
    # In a Poisson process the gaps' standard deviation equals their mean.
    assert statistics.stdev(gaps) == pytest.approx(1 / 50, rel=0.1)


def test_every_button_is_pressed_and_every_click_type_comes() -> None:
    some = list(itertools.islice(presses(devices=5, rate=50, seed=1), 5000))
    buttons = Counter(press.serial_number for press in some)
    types = Counter(press.click_type for press in some)
    assert len(buttons) == 5
    assert min(buttons.values()) > 800
    assert types[ClickType.SINGLE] > types[ClickType.DOUBLE] > types[ClickType.LONG] > 200


def test_a_battery_runs_from_3_volts_to_below_2_in_about_1000_presses() -> None:
    assert voltage(0) == 3000
    assert voltage(500) > 2800
    assert 1900 < voltage(1000) < 2000
    assert all(voltage(n) > voltage(n + 1) for n in range(1100))


def test_what_a_button_measures_is_noisy_and_near_the_truth() -> None:
    battery = Battery(rng=random.Random(1))
    measured = [battery.press() for _ in range(1000)]
    off = [value - voltage(n + 1) for n, value in enumerate(measured)]
    assert 4 < statistics.stdev(off) < 12
    assert abs(statistics.mean(off)) < 2


def test_an_empty_battery_is_replaced() -> None:
    battery = Battery(rng=random.Random(1))
    measured = [battery.press() for _ in range(3000)]
    assert min(measured) > 1600
    assert measured[-1] > 1600
    assert max(measured[1100:]) > 2950


@given(st.lists(st.floats(min_value=1e-5, max_value=60), min_size=1, max_size=200), st.floats(0, 1))
def test_percentiles_are_the_nearest_rank_within_one_percent(
    seconds: list[float], share: float
) -> None:
    latencies = Latencies()
    for value in seconds:
        latencies.add(value)
    rank = max(1, -int(-share * len(seconds) // 1))
    assert latencies.percentile(share) == pytest.approx(sorted(seconds)[rank - 1], rel=0.0101)


def test_no_latencies_have_no_percentile() -> None:
    assert Latencies().percentile(0.5) is None


def test_the_tally_follows_a_click_whatever_comes_first() -> None:
    tally = Tally()
    for event_id in ("acknowledged first", "processed first", "never acknowledged", "lost"):
        tally.on_sent(event_id)
    tally.on_acknowledged("acknowledged first")
    tally.on_processed("acknowledged first")
    tally.on_processed("processed first")
    tally.on_acknowledged("processed first")
    tally.on_acknowledged("lost")
    tally.on_processed("processed first")
    tally.on_processed("someone else's")
    tally.on_processed(None)
    summary = tally.summary()
    assert {k: v for k, v in summary.items() if not k.startswith("latency")} == {
        "sent": 4,
        "acknowledged": 3,
        "processed": 2,
        "acknowledgedNotProcessed": 1,
        "repeated": 1,
    }
    assert tally.under_way == 2


def test_a_lost_click_is_counted_and_no_longer_waited_for() -> None:
    tally = Tally()
    for event_id in ("lost", "not acknowledged"):
        tally.on_sent(event_id)
    tally.on_acknowledged("lost")
    tally.give_up_on_old(60.0)
    assert (tally.under_way, tally.lost) == (2, 1)
    tally.give_up_on_old(0.0)
    assert (tally.under_way, tally.lost) == (1, 1)
