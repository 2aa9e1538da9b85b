"""Which filters match which topic, beside amqtt's own comparison, and what is left behind."""

import gc
import logging
from typing import Any, cast

import pytest
from amqtt.broker import Broker
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.gate.packets import is_filter
from broker.gate.topic_names import TopicNames
from broker.gate.tree import TopicTree

LEVEL = st.sampled_from(["a", "b", "", "$s", "+"])
FILTER = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(LEVEL, min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
)
TOPIC = st.lists(st.sampled_from(["a", "b", "", "$s"]), min_size=1, max_size=5).map("/".join)


def by_amqtt(topic: str, topic_filter: str) -> bool:
    """Compare as amqtt does, and put right that `a/#` matches `a` too (4.7.1.2)."""
    unborn = cast(Any, Broker.__new__(Broker))
    unborn.logger = logging.getLogger("unborn")
    matches: bool = unborn._matches(topic, topic_filter)  # noqa: SLF001 - it is amqtt's
    if topic_filter.endswith("/#"):
        matches = matches or unborn._matches(topic, topic_filter[:-2])  # noqa: SLF001
    return matches


@settings(max_examples=500, deadline=None)
@given(st.lists(FILTER, max_size=12), TOPIC)
def test_a_tree_finds_what_a_comparison_with_each_filter_finds(
    filters: list[str], topic: str
) -> None:
    tree: TopicTree[str] = TopicTree()
    for topic_filter in filters:
        tree.add(topic_filter, topic_filter, 1)
    assert set(tree.match(topic)) == {one for one in filters if by_amqtt(topic, one)}


@settings(deadline=None)
@given(st.lists(FILTER, max_size=12))
def test_nothing_is_left_of_filters_that_are_taken_away(filters: list[str]) -> None:
    tree: TopicTree[str] = TopicTree()
    for topic_filter in filters:
        tree.add(topic_filter, "x", 0)
    for topic_filter in filters:
        tree.remove(topic_filter, "x")
    assert not tree._root.is_needed  # noqa: SLF001 - memory is what this is about


@settings(max_examples=500, deadline=None)
@given(st.lists(TOPIC, max_size=12), st.lists(TOPIC, max_size=3), FILTER)
def test_topics_are_found_by_filter_as_a_comparison_with_each_finds_them(
    topics: list[str], gone: list[str], topic_filter: str
) -> None:
    names = TopicNames()
    for topic in topics:
        names.add(topic)
    for topic in gone:
        names.remove(topic)
    found = [topic for topic in names.match(topic_filter) if topic is not None]
    assert len(found) == len(set(found))
    assert set(found) == {t for t in set(topics) - set(gone) if by_amqtt(t, topic_filter)}


def test_one_who_holds_overlapping_filters_gets_the_highest_qos() -> None:
    tree: TopicTree[str] = TopicTree()
    for topic_filter, qos in (("a/+", 0), ("a/#", 2), ("a/b", 1)):
        tree.add(topic_filter, "x", qos)
    assert tree.match("a/b") == {"x": 2}


def test_the_garbage_collector_has_nothing_to_look_at_in_filters_and_topics() -> None:
    """Of 5,000 filters that came it made others wait for 3 ms, and of all of them for 11."""
    tree: TopicTree[object] = TopicTree()
    names, holder = TopicNames(), object()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for number in range(300):
            tree.add(f"{number}/+/{number % 7}/#", holder, 1)
            names.add(f"{number}/a/{number % 7}/b")
        after = len(gc.get_objects())
    finally:
        gc.enable()
    assert len(tree.match("7/x/0/y")) == 1
    assert after - before < 10


def test_a_filter_that_finds_nothing_for_long_lets_others_have_a_turn() -> None:
    names = TopicNames()
    for number in range(1000):
        names.add(f"kept/{number}/a")
    assert list(names.match("+/+/b")) == [None] * 10
    assert list(names.match("kept/+")) == [None] * 10


def test_topics_that_come_and_go_while_a_filter_is_looked_at_do_no_harm() -> None:
    names = TopicNames()
    for number in range(10):
        names.add(f"a/{number}")
    found = names.match("a/+")
    first = next(found)
    for number in range(5, 10):
        names.remove(f"a/{number}")
        names.add(f"b/{number}")
    assert {first, *found} == {f"a/{number}" for number in range(5)}


@pytest.mark.parametrize("topic_filter", ["a", "+", "#", "a/+/b", "a/#", "/", "+/", "$SYS/#"])
def test_a_topic_filter_is_one(topic_filter: str) -> None:
    assert is_filter(topic_filter)


@pytest.mark.parametrize("topic_filter", ["", "a+", "a#", "#/a", "a/#/b", "+a/b", "a/" * 300])
def test_what_breaks_the_rules_is_no_topic_filter(topic_filter: str) -> None:
    assert not is_filter(topic_filter)
