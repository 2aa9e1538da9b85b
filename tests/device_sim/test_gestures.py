"""Gestures from the edges of a bouncing contact, each as the definition says."""

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device_sim.gestures import Gesture, Gestures
from iot_button.events import ClickType
from tests.device_sim.edge_trains import (
    TRAINS,
    RawEdge,
    Rules,
    Train,
    any_edges,
    any_rules,
    any_train,
    expected,
    random_train,
)

SINGLE, DOUBLE, LONG = ClickType.SINGLE, ClickType.DOUBLE, ClickType.LONG
D, U = True, False
EXACT = Rules(bounce_time=0.25, double_window=0.5, hold_time=1.5)
"""Fractions of two, so that a test can meet a limit exactly."""


def gestures_of(edges: Iterable[RawEdge], rules: Rules = EXACT) -> list[Gesture]:
    """Feed the edges alone; then no edge comes any more."""
    recogniser = rules.recogniser()
    return [g for edge in edges for g in recogniser.edge(*edge)] + recogniser.advance(math.inf)


def as_time_comes(edges: Iterable[RawEdge], rules: Rules) -> list[tuple[Gesture, float]]:
    """Feed the edges, and `advance` punctually at each deadline; tell when each gesture came."""
    recogniser, told = rules.recogniser(), list[tuple[Gesture, float]]()
    for level, moment in [*edges, (None, math.inf)]:
        while (deadline := recogniser.deadline) is not None and deadline < moment:
            told += [(gesture, deadline) for gesture in recogniser.advance(deadline)]
            assert recogniser.deadline != deadline, "it wants the same moment again"
        if level is not None:
            told += [(gesture, moment) for gesture in recogniser.edge(level, moment)]
            assert recogniser.deadline is None or recogniser.deadline > moment, "it is late"
    return told


def kinds(gestures: Iterable[Gesture]) -> list[tuple[ClickType, int]]:
    return [(gesture.click_type, gesture.presses) for gesture in gestures]


# What each gesture is.


def test_one_press_is_single_when_the_window_after_its_release_is_over() -> None:
    recogniser = Gestures()
    assert recogniser.edge(D, 10.0) == []
    assert recogniser.edge(U, 10.1) == []
    assert recogniser.advance(10.5) == []  # a press at this very moment would still be within
    deadline = recogniser.deadline
    assert deadline is not None
    assert deadline == math.nextafter(10.5, math.inf)
    assert recogniser.advance(deadline) == [Gesture(SINGLE, 1, 10.0, 10.5)]
    assert recogniser.deadline is None


def test_two_presses_are_double_at_the_second_press() -> None:
    recogniser = Gestures()
    for level, moment in ((D, 1.0), (U, 1.1)):
        assert recogniser.edge(level, moment) == []
    assert recogniser.edge(D, 1.3) == [Gesture(DOUBLE, 2, 1.0, 1.3)]
    assert recogniser.edge(U, 1.4) == []
    assert recogniser.deadline is None
    assert recogniser.advance(math.inf) == []


@pytest.mark.parametrize(("press", "found"), [(1.0, [DOUBLE]), (1.0 + 2**-20, [SINGLE, SINGLE])])
def test_a_press_at_the_very_end_of_the_window_is_within(
    press: float, found: list[ClickType]
) -> None:
    edges = [(D, 0.0), (U, 0.5), (D, press), (U, press + 0.5)]
    assert [gesture.click_type for gesture in gestures_of(edges)] == found


@pytest.mark.parametrize(("release", "found"), [(1.5, SINGLE), (1.5 + 2**-20, LONG)])
@pytest.mark.parametrize("at_release", [False, True])
def test_a_press_is_long_when_it_is_longer_than_the_hold_time_and_not_when_as_long(
    release: float, found: ClickType, at_release: bool
) -> None:
    rules = dataclasses.replace(EXACT, long_at_release=at_release)
    assert [g.click_type for g in gestures_of([(D, 0.0), (U, release)], rules)] == [found]


def test_long_is_told_while_the_button_is_held_and_its_release_tells_nothing() -> None:
    recogniser = EXACT.recogniser()
    recogniser.edge(D, 1.0)
    assert recogniser.advance(2.5) == []
    assert recogniser.deadline == math.nextafter(2.5, math.inf)
    assert recogniser.advance(recogniser.deadline) == [Gesture(LONG, 1, 1.0, 2.5)]
    assert recogniser.edge(U, 9.0) + recogniser.advance(math.inf) == []


def test_long_at_release_is_told_when_the_press_ends_and_never_before() -> None:
    recogniser = dataclasses.replace(EXACT, long_at_release=True).recogniser()
    recogniser.edge(D, 1.0)
    assert recogniser.deadline is None
    assert recogniser.advance(100.0) == []
    assert recogniser.edge(U, 101.0) == [Gesture(LONG, 1, 1.0, 101.0)]


@pytest.mark.parametrize("at_release", [False, True])
def test_a_press_right_after_a_long_one_begins_anew(at_release: bool) -> None:
    rules = dataclasses.replace(EXACT, long_at_release=at_release)
    edges = [(D, 0.0), (U, 2.0), (D, 2.25), (U, 2.5), (D, 2.75), (U, 3.0)]
    assert kinds(gestures_of(edges, rules)) == [(LONG, 1), (DOUBLE, 2)]


def test_presses_beyond_two_belong_to_the_double_however_long_they_are() -> None:
    edges = [(D, 0.0), (U, 0.5), (D, 1.0), (U, 9.0), (D, 9.5), (U, 19.5), (D, 20.0), (U, 20.5)]
    assert gestures_of(edges) == [Gesture(DOUBLE, 2, 0.0, 1.0)]
    late = [*edges, (D, 21.5), (U, 22.0)]
    assert kinds(gestures_of(late)) == [(DOUBLE, 2), (SINGLE, 1)]


def test_without_a_double_window_a_press_is_single_at_its_release_and_never_double() -> None:
    recogniser = Gestures(double_window=0.0)
    recogniser.edge(D, 0.0)
    assert recogniser.edge(U, 0.1) == [Gesture(SINGLE, 1, 0.0, 0.1)]
    recogniser.edge(D, 0.1)  # a bounce
    recogniser.edge(U, 0.11)
    recogniser.edge(D, 0.15)
    assert recogniser.edge(U, 0.2) == [Gesture(SINGLE, 1, 0.15, 0.2)]
    recogniser.edge(D, 0.3)
    assert kinds(recogniser.advance(2.0)) == [(LONG, 1)]


def test_extended_counts_presses_until_the_window_after_the_last_is_over() -> None:
    rules = dataclasses.replace(EXACT, extended=True)
    triple = [(D, 0.0), (U, 0.5), (D, 1.0), (U, 1.25), (D, 1.5), (U, 2.0)]
    assert gestures_of(triple, rules) == [Gesture(DOUBLE, 3, 0.0, 2.5)]
    assert gestures_of(triple[:4], rules) == [Gesture(DOUBLE, 2, 0.0, 1.75)]
    assert gestures_of(triple[:2], rules) == [Gesture(SINGLE, 1, 0.0, 1.0)]


@pytest.mark.parametrize("at_release", [False, True])
def test_extended_is_decided_when_a_later_press_is_held(at_release: bool) -> None:
    rules = dataclasses.replace(EXACT, extended=True, long_at_release=at_release)
    edges = [(D, 0.0), (U, 0.5), (D, 1.0), (U, 5.0), (D, 5.5), (U, 6.0)]
    assert gestures_of(edges, rules) == [
        Gesture(DOUBLE, 2, 0.0, 2.5),
        Gesture(SINGLE, 1, 5.5, 6.5),
    ]


# The bounce time, and where it meets the others.


def test_a_press_shorter_than_the_bounce_time_is_a_press_and_as_long_as_it_was() -> None:
    assert gestures_of([(D, 0.0), (U, 0.125)]) == [Gesture(SINGLE, 1, 0.0, 0.125 + 0.5)]


def test_bounces_make_no_second_press() -> None:
    flights = [(D, 0.0), (U, 0.01), (D, 0.02), (U, 0.03), (D, 0.2)]
    edges = [*flights, *((not level, 1.0 + moment) for level, moment in flights)]
    assert gestures_of(edges) == [Gesture(SINGLE, 1, 0.0, 1.5)]


def test_a_release_that_still_bounces_when_the_window_ends_is_one_release() -> None:
    edges = [(D, 0.0), (U, 0.125), (D, 0.1875), (U, 0.3125), (D, 0.34375), (U, 0.375)]
    assert gestures_of(edges) == [Gesture(SINGLE, 1, 0.0, 0.3125 + 0.5)]


def test_a_change_found_at_the_end_of_a_window_begins_one_of_its_own() -> None:
    recogniser = EXACT.recogniser()
    for edge in ((D, 0.0), (U, 0.125), (D, 0.375), (U, 0.4375)):  # the last two: bounces
        assert recogniser.edge(*edge) == []
    assert kinds(recogniser.advance(math.inf)) == [(SINGLE, 1)]


def test_with_no_bounce_time_every_edge_is_believed_also_at_one_moment() -> None:
    rules = dataclasses.replace(EXACT, bounce_time=0.0)
    edges = [(D, 1.0), (U, 1.0), (D, 1.0), (U, 1.0)]
    assert gestures_of(edges, rules) == [Gesture(DOUBLE, 2, 1.0, 1.0)]


def test_an_edge_that_says_nothing_new_changes_nothing() -> None:
    edges = [(U, 0.0), (D, 1.0), (D, 1.25), (D, 1.5), (U, 1.75), (U, 2.25)]
    assert gestures_of(edges) == [Gesture(SINGLE, 1, 1.0, 2.25)]


def test_a_release_within_a_bounce_time_longer_than_the_hold_time_makes_it_no_long_press() -> None:
    rules = Rules(bounce_time=1.0, double_window=0.25, hold_time=0.5)
    recogniser = rules.recogniser()
    recogniser.edge(D, 0.0)
    recogniser.edge(U, 0.25)
    assert recogniser.advance(0.75) == []  # whether it was a release is not known yet
    assert recogniser.deadline == 1.0
    assert recogniser.advance(1.0) == [Gesture(SINGLE, 1, 0.0, 0.5)]


def test_a_release_after_the_hold_time_is_long_even_while_the_contact_is_not_listened_to() -> None:
    rules = Rules(bounce_time=1.0, double_window=0.25, hold_time=0.5)
    recogniser = rules.recogniser()
    recogniser.edge(D, 0.0)
    assert recogniser.edge(U, 0.75) == [Gesture(LONG, 1, 0.0, 0.5)]
    assert recogniser.advance(math.inf) == []


def test_a_contact_that_closes_again_past_the_hold_time_was_held_in_any_case() -> None:
    recogniser = Rules(bounce_time=1.0, double_window=0.25, hold_time=0.5).recogniser()
    recogniser.edge(D, 0.0)
    recogniser.edge(U, 0.25)
    assert recogniser.edge(D, 0.625) == [Gesture(LONG, 1, 0.0, 0.5)]


def test_a_press_that_may_be_within_the_window_is_waited_for_past_its_end() -> None:
    rules = Rules(bounce_time=1.0, double_window=0.75, hold_time=1.5)
    recogniser = rules.recogniser()
    for edge in ((D, 0.0), (U, 0.5)):  # the release is believed at 1.0, as of 0.5
        recogniser.edge(*edge)
    assert recogniser.edge(D, 1.125) == []
    assert recogniser.advance(1.5) == []
    assert recogniser.deadline == 2.0
    assert recogniser.advance(2.0) == [Gesture(DOUBLE, 2, 0.0, 1.125)]


def test_a_moment_before_the_last_is_taken_as_the_last() -> None:
    recogniser = EXACT.recogniser()
    recogniser.edge(D, 5.0)
    recogniser.advance(5.5)
    recogniser.edge(U, 1.0)
    assert recogniser.advance(3.0) == []
    assert recogniser.advance(math.nan) == []
    assert recogniser.advance(7.0) == [Gesture(SINGLE, 1, 5.0, 6.0)]


# What holds for all trains of edges.


def random_rules(seed: int) -> Rules:
    """Settings as people have them; every fourth time the defaults."""
    rng = random.Random(-seed)
    if seed % 4 == 0:
        return Rules()
    return Rules(
        bounce_time=rng.choice((0.0, 0.005, 0.02, 0.05)),
        double_window=rng.choice((0.0, 0.03, 0.25, 0.4, 1.0)),
        hold_time=rng.choice((0.5, 1.5, 3.0)),
        long_at_release=rng.random() < 0.5,
        extended=rng.random() < 0.5,
    )


def test_1000_random_trains_are_classified_as_the_definition_says() -> None:
    seen: Counter[ClickType] = Counter()
    for seed in range(TRAINS):
        train = random_train(seed, rules=random_rules(seed))
        found = gestures_of(train.edges, train.rules)
        assert [gesture.click_type for gesture in found] == train.clicks, f"seed {seed}"
        assert found == expected(train.edges, train.rules), f"seed {seed}"
        seen.update(train.clicks)
    assert min(seen[kind] for kind in ClickType) > 200


def test_random_trains_are_what_they_promise() -> None:
    bounces = short = 0
    for seed in range(TRAINS):
        train = random_train(seed)
        moments = [moment for _level, moment in train.edges]
        assert moments == sorted(moments)
        assert [float(f"{moment:.6f}") for moment in moments] == moments
        assert sum(train.counts) == len(train.presses)
        short += sum(press.up - press.down < 0.02 for press in train.presses)
        bounces += len(train.edges) - 2 * len(train.presses)
    assert short > 500
    assert bounces > 10_000


@settings(deadline=None, max_examples=400)
@given(any_edges(), any_rules)
@example([(D, 0.0), (U, 0.25), (D, 0.75)], Rules(bounce_time=1.0, double_window=0.25))
def test_any_edges_mean_what_the_definition_says(edges: list[RawEdge], rules: Rules) -> None:
    assert gestures_of(edges, rules) == expected(edges, rules)


@settings(deadline=None, max_examples=300)
@given(any_edges(), any_rules, st.data())
def test_asking_at_any_moments_between_changes_nothing(
    edges: list[RawEdge], rules: Rules, data: st.DataObject
) -> None:
    recogniser, found = rules.recogniser(), list[Gesture]()
    for level, moment in edges:
        for back in sorted(data.draw(st.lists(st.integers(0, 20), max_size=3)), reverse=True):
            found += recogniser.advance(moment - back / 1024)
        found += recogniser.edge(level, moment)
    assert found + recogniser.advance(math.inf) == gestures_of(edges, rules)


@settings(deadline=None, max_examples=300)
@given(any_edges(), any_rules)
def test_a_caller_who_keeps_the_deadlines_hears_of_each_gesture_as_soon_as_it_is_certain(
    edges: list[RawEdge], rules: Rules
) -> None:
    told = as_time_comes(edges, rules)
    assert [gesture for gesture, _moment in told] == gestures_of(edges, rules)
    for gesture, moment in told:
        assert gesture.moment <= moment <= gesture.moment + 2 * rules.bounce_time + 1e-9


@settings(deadline=None)
@given(any_train)
def test_every_true_press_belongs_to_exactly_one_gesture(train: Train) -> None:
    rules = dataclasses.replace(train.rules, extended=True)
    counted = random_train_again(train, rules)
    assert sum(gesture.presses for gesture in gestures_of(train.edges, rules)) == len(train.presses)
    assert [gesture.presses for gesture in gestures_of(train.edges, rules)] == counted.counts


@settings(deadline=None)
@given(any_train)
def test_each_gesture_begins_with_a_press_of_its_own(train: Train) -> None:
    downs = [press.down for press in train.presses]
    begun = [gesture.pressed_at for gesture in gestures_of(train.edges, train.rules)]
    assert len(begun) == len(set(begun)) == len(train.clicks)
    assert set(begun) <= set(downs)
    assert begun[0] == downs[0]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_bounces_change_nothing(seed: int, at_release: bool, extended: bool) -> None:
    rules = Rules(long_at_release=at_release, extended=extended)
    clean, bouncing = (random_train(seed, rules=rules, bounces=b) for b in (False, True))
    found, expected_ones = (gestures_of(train.edges, rules) for train in (bouncing, clean))
    assert kinds(found) == kinds(expected_ones)
    assert [g.pressed_at for g in found] == [g.pressed_at for g in expected_ones]
    for one, other in zip(found, expected_ones, strict=True):
        # A release that bounces while a short press is not listened to is seen a little later.
        assert other.moment <= one.moment < other.moment + rules.bounce_time


@settings(deadline=None)
@given(any_train)
def test_a_long_press_never_comes_with_a_single(train: Train) -> None:
    held = {p.down for p in train.presses if p.up - p.down > train.rules.hold_time}
    for gesture in gestures_of(train.edges, train.rules):
        if gesture.click_type is LONG:
            assert gesture.pressed_at in held
        elif gesture.click_type is SINGLE:
            assert gesture.pressed_at not in held


def random_train_again(train: Train, rules: Rules) -> Train:
    """Return the same presses under other rules."""
    return Train(train.edges, train.presses, rules)
