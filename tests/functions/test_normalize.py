"""The handler of foreign buttons by itself: golden examples, repeats, ids, and hostile messages."""

import ast
import base64
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.handlers import normalize
from functions.handlers.normalize import handler
from functions.handlers.normalize.repeats import Repeats
from functions.handlers.normalize.sources import SOURCES
from functions.runtime.manifest import load
from functions.runtime.rules import compile_rule, topic_matches
from functions.runtime.rules.filters import overlaps
from iot_button.events import SERIAL_NUMBER, decode_click
from tests.functions.foreign_buttons import EXAMPLES, SHELLY_EXAMPLES, Example, one_click

FOLDER = Path(str(normalize.__file__)).parent
INPUT = "shellies/x/input_event/0"
BLU = "blegateway/94b21609a73e/telemetry"


class Context:
    """As much of a context as the handler looks at."""

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id


@pytest.fixture(autouse=True)
def repeats(monkeypatch: pytest.MonkeyPatch) -> Repeats:
    """A handler that has heard nothing yet."""
    fresh = Repeats()
    monkeypatch.setattr(handler, "_repeats", fresh)
    return fresh


def call(topic: str, payload: bytes | object, request_id: str = "one") -> dict[str, Any] | None:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    event = {"topic": topic, "data": base64.b64encode(data).decode()}
    return handler.lambda_handler(event, Context(request_id))


def pressed(topic: str, payload: object, request_id: str = "one") -> dict[str, Any]:
    click = call(topic, payload, request_id)
    assert click is not None
    return click


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.topic} {e.payload[:60]!r}")
def test_a_message_becomes_the_click_that_it_means(example: Example) -> None:
    click = call(example.topic, example.payload, "0b87dd46-7ba5-4d1c-b2f2-7f1bbd1b0a32")
    if click is not None:
        assert click.pop("eventId")
    assert click == example.click


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.click is not None])
def test_each_click_keeps_the_rules_of_a_click(example: Example) -> None:
    click = pressed(example.topic, example.payload, "0b87dd46-7ba5-4d1c-b2f2-7f1bbd1b0a32")
    decode_click(json.dumps(click).encode(), serial_number=click["serialNumber"])


def test_every_kind_of_button_has_examples_of_presses_and_of_others() -> None:
    for topic_filter in SOURCES:
        if re.search("BUTTON[134]$", topic_filter):
            continue  # as BUTTON2
        clicks = [e.click for e in EXAMPLES if topic_matches(topic_filter, e.topic)]
        assert any(clicks), topic_filter
        assert None in clicks or "BUTTON2" in topic_filter, topic_filter


# The manifest.


def test_the_manifest_listens_to_the_topics_of_the_table_and_none_overlap() -> None:
    functions = {f.name: f for f in load(FOLDER.parent).functions}
    filters = [compile_rule(rule.sql).topic_filter for rule in functions["normalize"].rules]
    assert filters == list(SOURCES)
    everything = [*filters, "iotbutton/+"]
    assert not [two for two in itertools.combinations(everything, 2) if overlaps(*two)]


def test_it_imports_the_standard_library_and_itself_alone_so_that_it_runs_on_aws() -> None:
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                assert {a.name.split(".")[0] for a in node.names} <= sys.stdlib_module_names
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert str(node.module).split(".")[0] in sys.stdlib_module_names


def test_the_guide_names_every_topic_of_the_table() -> None:
    guide = (FOLDER.parents[2] / "docs" / "foreign-buttons.md").read_text()
    rows = [line.split("|")[2] for line in guide.splitlines() if line.startswith("| ")]
    named = [topic for row in rows for topic in re.findall("`([^`]+)`", row)]
    concrete = [topic.replace("BUTTONn", "BUTTON1") for topic in named]
    for topic_filter in SOURCES:
        wanted = re.sub("BUTTON[234]", "BUTTON1", topic_filter)
        assert any(topic_matches(wanted, topic) for topic in concrete), topic_filter
    assert all(any(topic_matches(f, topic) for f in SOURCES) for topic in concrete)


# Which click is which.


def test_attempts_at_one_message_give_one_id_and_equal_messages_give_two() -> None:
    message = {"action": "single"}
    ids = [pressed("zigbee2mqtt/a", message, r)["eventId"] for r in ("one", "one", "two")]
    assert ids[0] == ids[1] != ids[2]


def test_a_press_that_says_when_it_was_is_known_by_that_whoever_brings_it() -> None:
    first, again = (pressed("1click/a", one_click("SINGLE"), r) for r in ("one", "two"))
    assert first == again
    later = pressed("1click/a", one_click("SINGLE", "2018-05-04T23:26:34.000Z"), "one")
    other = pressed("1click/a", one_click("DOUBLE"), "one")
    assert len({first["eventId"], later["eventId"], other["eventId"]}) == 3


@pytest.mark.parametrize("moment", ["yesterday", "2018-13-04T23:26:33.747Z", "", None, 7])
def test_a_moment_that_is_none_is_left_out_and_the_press_is_not(moment: Any) -> None:
    click = pressed("1click/a", one_click("SINGLE", moment), "mine")
    assert "clickedAt" not in click
    assert click["eventId"] == "mine"


@given(name=st.text(min_size=1), other=st.text(min_size=1))
@settings(deadline=None)
def test_every_name_has_a_serial_number_of_its_own(name: str, other: str) -> None:
    one, two = handler.serial_number(name), handler.serial_number(other)
    assert SERIAL_NUMBER.fullmatch(one)
    assert (one == two) is (name == other)
    assert handler.serial_number(name) == one


def test_a_name_that_fits_is_the_serial_number() -> None:
    assert handler.serial_number("0x00158d0001a2b3c4") == "0x00158d0001a2b3c4"
    assert handler.serial_number("a" * 64) == "a" * 64
    assert handler.serial_number("a" * 65) != handler.serial_number("a" * 66)


# Repeats.


def test_a_shelly_that_repeats_its_last_press_clicks_once() -> None:
    message = {"event": "S", "event_cnt": 4}
    assert call(INPUT, message, "one")
    assert call(INPUT, message, "two") is None
    assert call(INPUT, message, "one") is not None  # another attempt at the first
    assert call("shellies/x/input_event/1", message, "three")
    assert call(INPUT, {"event": "S", "event_cnt": 5}, "four")


def test_a_shelly_that_begins_to_count_anew_clicks_again() -> None:
    assert call(INPUT, {"event": "S", "event_cnt": 1}, "one")
    assert call(INPUT, {"event": "", "event_cnt": 0}, "two") is None
    assert call(INPUT, {"event": "S", "event_cnt": 1}, "three")


def test_two_gateways_that_hear_one_press_give_one_click(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr(handler, "_repeats", Repeats(lambda: now[0]))
    message = {"pid": 97, "battery": 100, "button": 1}
    assert call(BLU, message, "one")
    now[0] += 59
    assert call(BLU, message | {"rssi": -70}, "two") is None
    now[0] += 2  # its packet ids begin anew after 256
    assert call(BLU, message, "three")


def test_repeats_are_known_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTION_STATE_FOLDER", str(tmp_path / "normalize"))
    monkeypatch.setattr(handler, "_repeats", Repeats())
    message = {"event": "S", "event_cnt": 4}
    assert call(INPUT, message, "one")
    monkeypatch.setattr(handler, "_repeats", Repeats())
    assert call(INPUT, message, "two") is None
    assert call(INPUT, message, "one")


def test_long_names_of_strangers_do_not_fill_the_memory_of_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUNCTION_STATE_FOLDER", str(tmp_path))
    monkeypatch.setattr(handler, "_repeats", Repeats())
    topic = f"shellies/{'x' * 60_000}/input_event/0"
    assert call(topic, {"event": "S", "event_cnt": 4}, "one")
    assert (tmp_path / "repeats.json").stat().st_size < 1_000
    monkeypatch.setattr(handler, "_repeats", Repeats())
    assert call(topic, {"event": "S", "event_cnt": 4}, "two") is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"heard": 7}', b'{"heard": [["a", 1]]}']
)
def test_a_damaged_memory_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("FUNCTION_STATE_FOLDER", str(tmp_path))
    (tmp_path / "repeats.json").write_bytes(content)
    monkeypatch.setattr(handler, "_repeats", Repeats())
    assert call(INPUT, {"event": "S", "event_cnt": 4}, "one")
    assert json.loads((tmp_path / "repeats.json").read_text())["heard"]


def test_a_memory_that_cannot_be_written_hinders_no_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FUNCTION_STATE_FOLDER", str(tmp_path / "file" / "normalize"))
    monkeypatch.setattr(handler, "_repeats", Repeats())
    assert call(INPUT, {"event": "S", "event_cnt": 4}, "one")
    assert call(INPUT, {"event": "S", "event_cnt": 4}, "two") is None


def test_the_memory_is_bounded(repeats: Repeats) -> None:
    for number in range(Repeats.MOST + 50):
        assert call(f"shellies/{number}/input_event/0", {"event": "S", "event_cnt": 1}, "one")
    assert len(repeats._heard) == Repeats.MOST  # noqa: SLF001 - nothing else shows it


# Hostile messages.

WORDS = sorted({word for e in EXAMPLES for word in re.findall(r"[A-Za-z_0-9:]+", str(e.payload))})
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
TOPICS = st.sampled_from(sorted({e.topic for e in EXAMPLES})) | st.text(max_size=30)


@given(topic=TOPICS, message=JSON)
@settings(deadline=None, max_examples=500)
def test_no_message_raises_and_each_click_is_one(topic: str, message: object) -> None:
    click = call(topic, message, "one")
    if click is not None:
        decode_click(json.dumps(click).encode(), serial_number=click["serialNumber"])


@given(topic=TOPICS, payload=st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_raise(topic: str, payload: bytes) -> None:
    call(topic, payload, "one")


@st.composite
def altered(draw: st.DrawFn) -> tuple[str, Any]:
    """A golden example with one of its values, however deep, put in the place of another."""
    chosen = draw(st.sampled_from([e for e in EXAMPLES if e.payload[:1] == b"{"]))
    message = json.loads(chosen.payload)
    place = message
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        place[key] = draw(JSON)
        return chosen.topic, message


@given(message=altered())
@settings(deadline=None, max_examples=500)
def test_no_message_that_is_nearly_right_raises(message: tuple[str, Any]) -> None:
    click = call(*message)
    if click is not None:
        decode_click(json.dumps(click).encode(), serial_number=click["serialNumber"])


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"action": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"event": "S", "event_cnt": ' + b"9" * 5_000 + b"}",
        b'{"action": "\\ud800_single"}',
        b'{"action": "' + b"single_" * 10_000 + b'"}',
        b'{"event_type": "multi_press_end", "multi_press_count": 1e999}',
        b'{"params": {"events": [{"component": "input:0", "event": "single_push", "ts": 1e308}]}}',
        b'{"Button1": {"Action": ["SINGLE"]}}',
    ],
)
@pytest.mark.parametrize("topic", sorted({e.topic for e in EXAMPLES}))
def test_what_is_meant_to_break_it_does_not(topic: str, payload: bytes) -> None:
    call(topic, payload)


def test_a_shelly_without_a_clock_says_no_moment() -> None:
    example = next(e for e in SHELLY_EXAMPLES if b"single_push" in e.payload)
    message = json.loads(example.payload)
    message["params"]["ts"] = message["params"]["events"][0]["ts"] = 12.5
    click = pressed(example.topic, message, "mine")
    assert "clickedAt" not in click
    assert click["eventId"] == "mine"
