"""Which topics a topic filter matches: MQTT 3.1.1, section 4.7."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.runtime.rules import fault_of_filter, topic_matches

LEVELS = st.lists(st.sampled_from(["", "a", "b", "a.b", "$x", "\n"]), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("iotbutton/+", "iotbutton/G030", True),
        ("iotbutton/+", "iotbutton/G030/status", False),
        ("iotbutton/+", "iotbutton", False),
        ("iotbutton/+", "iotbutton/", True),
        ("+", "finance", True),
        ("+", "/finance", False),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("sport/#", "sport", True),
        ("sport/#", "sport/tennis/player1", True),
        ("sport/#", "sports", False),
        ("sport/+/#", "sport", False),
        ("sport/+/#", "sport/a", True),
        ("#", "a/b", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$SYS/+", "$SYS/uptime", True),
        ("a/+", "a/$b", True),
        ("a", "A", False),
        ("a.b", "axb", False),
        ("a/+", "a/b\nc", True),
    ],
)
def test_a_filter_matches_as_mqtt_says(topic_filter: str, topic: str, matches: bool) -> None:
    assert topic_matches(topic_filter, topic) is matches


def naive(wanted: list[str], levels: list[str]) -> bool:
    if wanted[:1] == ["#"]:
        return True
    if not wanted or not levels:
        return not wanted and not levels
    return wanted[0] in ("+", levels[0]) and naive(wanted[1:], levels[1:])


@given(LEVELS, st.data())
def test_a_filter_matches_as_level_by_level(levels: list[str], data: st.DataObject) -> None:
    wanted = [data.draw(st.sampled_from([level, "+", "c"])) for level in levels]
    wanted = wanted[: data.draw(st.integers(1, len(wanted)))]
    wanted += data.draw(st.sampled_from([[], ["#"], ["+"]]))
    assume(wanted != [""])  # the empty text is no topic filter
    hidden = levels[0][:1] == "$" and wanted[0] in ("+", "#")
    expected = naive(wanted, levels) and not hidden
    assert topic_matches("/".join(wanted), "/".join(levels)) is expected
    assert fault_of_filter("/".join(wanted)) is None


@pytest.mark.parametrize(
    "topic_filter", ["", "a#", "#/a", "a/#/", "a+", "+a/b", "a\0", "ä" * 40_000]
)
def test_a_filter_that_is_none(topic_filter: str) -> None:
    assert fault_of_filter(topic_filter) is not None
