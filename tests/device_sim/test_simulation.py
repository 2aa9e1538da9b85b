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
from device_sim.schedule import SOONEST_AGAIN, Mix, Press, presses
from device_sim.tally import Tally
from iot_button.events import ClickType


@pytest.mark.parametrize("mix", Mix)
def test_the_same_seed_presses_the_same_buttons_again(mix: Mix) -> None:
    def some(seed: int) -> list[Press]:
        return list(itertools.islice(presses(devices=7, rate=50, seed=seed, mix=mix), 500))

    assert some(3) == some(3)
    assert some(3) != some(4)


def test_an_even_mix_presses_at_the_rate_at_random_moments() -> None:
    some = list(itertools.islice(presses(devices=5, rate=50, seed=1), 5000))
    gaps = [b.at - a.at for a, b in itertools.pairwise(some)]
    assert min(gaps) >= 0
    assert statistics.mean(gaps) == pytest.approx(1 / 50, rel=0.05)
    # In a Poisson process the gaps' standard deviation equals their mean.
    assert statistics.stdev(gaps) == pytest.approx(1 / 50, rel=0.1)


def test_people_press_at_the_rate_in_order_and_some_buttons_far_more_than_most() -> None:
    crowd = presses(devices=1000, rate=50, seed=1, mix=Mix.PEOPLE)
    some = list(itertools.islice(crowd, 20_000))
    assert [press.at for press in some] == sorted(press.at for press in some)
    assert some[-1].at == pytest.approx(20_000 / 50, rel=0.05)
    counts = sorted(Counter(press.serial_number for press in some).values(), reverse=True)
    # A log-normal spread of sigma 1.5: the busiest fifth has 75 % (the normal distribution at
    # 1.5 - 0.84), the less busy half under 7 % (at -1.5).
    assert sum(counts[:200]) / 20_000 == pytest.approx(0.75, abs=0.05)
    assert sum(counts[500:]) / 20_000 < 0.1


def test_impatient_people_press_again_soon() -> None:
    crowd = presses(devices=100_000, rate=50, seed=1, mix=Mix.PEOPLE)
    last: dict[str, float] = {}
    waits = []
    for press in itertools.islice(crowd, 20_000):
        waits.append(press.at - last.get(press.serial_number, -1000.0))
        last[press.serial_number] = press.at
    soon = [wait for wait in waits if wait < 5]
    assert 0.07 < len(soon) / len(waits) < 0.15  # one in ten, and what falls together by chance
    assert statistics.mean(soon) == pytest.approx(SOONEST_AGAIN + 1, rel=0.15)


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
    tally.on_processed("lost")  # it was late
    assert (tally.lost, tally.processed, tally.repeated) == (0, 1, 0)


def test_of_many_lost_clicks_the_newest_are_remembered() -> None:
    tally = Tally(remember_done=2)
    for event_id in "abc":
        tally.on_sent(event_id)
        tally.on_acknowledged(event_id)
    tally.give_up_on_old(0.0)
    for event_id in "abc":
        tally.on_processed(event_id)
    assert (tally.lost, tally.processed) == (1, 2)
