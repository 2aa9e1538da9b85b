"""What lies under both kinds: YAML with places, and its bounds."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.manifest import ManifestError, load
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.nodes import MAX_BYTES, MAX_DEPTH, read
from functions.runtime.manifest.scope import Scope
from tests.functions.manifest_support import SERVERLESS, only, refused, serverless, write


def plain(text: str) -> Any:
    """Return what a YAML text says."""
    return Field(read(Path("a.yml"), text.encode()), "", Scope()).plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("2016-03-23", "2016-03-23"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("a:", {"a": None}),
        ("007", 7),
        ("-12", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.50", 1.5),
        (".5e1", 5.0),
        ("1e999", "1e999"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!int 1", 1),
        ("! 1", "1"),
        ("{a: [1, {b: c}]}", {"a": [1, {"b": "c"}]}),
        ('{"json": "works"}', {"json": "works"}),
        ("!Ref A", {"Ref": "A"}),
        ("!GetAtt A.Arn", {"Fn::GetAtt": "A.Arn"}),
        ("!Sub [a, {b: !Ref C}]", {"Fn::Sub": ["a", {"b": {"Ref": "C"}}]}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 3}}),
        ("{<<: [{a: 1}, {a: 2, b: 3}]}", {"a": 1, "b": 3}),
        ("{'<<': 1}", {"<<": 1}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_a_value_is_what_yaml_1_2_makes_of_it(text: str, value: Any) -> None:
    assert plain(text) == value


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=20)
"""YAML allows no control characters, and PyYAML no escaped surrogates."""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner),
        max_leaves=12,
    )
)
def test_json_is_read_as_json(value: Any) -> None:
    assert plain(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("service: [1, 2\nprovider: {} # <--", "not YAML"),
        ("service: 'open # <--", "not YAML"),
        ("a: 1\n\tb: 2 # <--", "not YAML"),
        ("a: 1\nb: 2\na: 3 # <--", "the key is there twice; first in line 1"),
        ("a: &x 1\nb: *y # <--", r"\*y has no finished anchor"),
        ("a: &x\n - *x # <--", r"\*x has no finished anchor"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("a: !!python/object:os.system x # <--", "tag !!python/object:os.system does not fit"),
        ("a: !<x> y # <--", "the tag x is not known"),
        ("a: !!int one # <--", "the tag !!int does not fit"),
        ("a: !!binary aGk= # <--", "the tag !!binary does not fit"),
        ("[a, b]: 1 # <--", "a key must be a text"),
        ("a: 1\n<<: 2 # <--", "<< takes a mapping"),
    ],
)
def test_yaml_that_cannot_be_used_is_refused_at_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    if "---" in text:
        text = text.replace("---", "--- # <--")
    assert problem.replace("\\", "") in refused(tmp_path, text).problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"# nothing but a comment\n", "the file is empty"),
        (b"- a\n- b\n", "neither a serverless.yml nor a SAM template"),
        (b"just a text", "neither"),
        (b"a: 1\nb: \xff\n", ":2:1: not UTF-8"),
        (b"a: 1\nb: \x00\n", ":2:1: a character that YAML does not allow"),
        (b"a: 1\nb: \x07\n", ":2:1: a character that YAML does not allow"),
        (b"#" * (MAX_BYTES + 1), "larger than 1000000 bytes"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "serverless.yml"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        load(path)
    assert problem in str(caught.value)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_where_it_becomes_too_deep(opening: str) -> None:
    with pytest.raises(ManifestError, match=f"nested deeper than {MAX_DEPTH} levels") as caught:
        read(Path("a.yml"), (opening * 100_000).encode())
    assert caught.value.line == 1


def test_copies_of_copies_of_copies_cost_nothing_until_they_are_read(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 30):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    bomb = "custom:\n" + "\n".join(f"  {line}" for line in lines) + "\n"
    began = time.monotonic()
    assert only(serverless(tmp_path, root=bomb)).name == "f"
    read_by_a_function = (
        "events: [{schedule: {rate: rate(1 day), input: {all: '${self:custom.a29}'}}}]"
    )
    with pytest.raises(ManifestError, match="too large"):
        serverless(tmp_path, read_by_a_function, root=bomb)
    assert time.monotonic() - began < 10


def test_merges_of_merges_are_bounded() -> None:
    base = ", ".join(f"k{number}: 1" for number in range(1000))
    text = f"a: &a {{{base}}}\nb:\n" + "".join(f"- {{<<: *a}} # {n}\n" for n in range(200))
    with pytest.raises(ManifestError, match="more than 100000 values"):
        read(Path("a.yml"), text.encode())


def test_anchors_serve_in_a_manifest(tmp_path: Path) -> None:
    text = SERVERLESS + "    <<: &same {timeout: 9}\n  g: {<<: *same, handler: handler.run}\n"
    manifest = load(write(tmp_path, text), environ={})
    assert [(each.name, each.timeout) for each in manifest.functions] == [("f", 9.0), ("g", 9.0)]


@given(st.text("{}[]:,-&*!|>'\"#% \n\tab1~<?@`\\", max_size=60) | st.binary(max_size=60))
def test_any_text_is_read_or_is_a_manifest_error(content: str | bytes) -> None:
    raw = content.encode() if isinstance(content, str) else content
    try:
        node = read(Path("a.yml"), raw)
    except ManifestError:
        return
    assert node.place.file == Path("a.yml")
