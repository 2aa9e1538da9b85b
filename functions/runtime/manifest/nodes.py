"""YAML read into plain nodes that know where they stand. The only importer of PyYAML.

Scalars are resolved by YAML 1.2's core schema, as the Serverless Framework does: `yes` and `on` are
texts, a date is a text. CloudFormation's short tags become the long form: `!Ref X` is `{Ref: X}`,
`!GetAtt A.B` is `{"Fn::GetAtt": "A.B"}`. Anchors, aliases and merge keys work; an alias shares its
node, so that copies of copies cost nothing.
"""

import errno
import math
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from functions.runtime.manifest.errors import ManifestError
from functions.runtime.manifest.model import Place

MAX_BYTES = 1_000_000
"""CloudFormation's own limit for a template is 1 MB ("CloudFormation quotas")."""
MAX_DEPTH = 64
MAX_NODES = 100_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_BASED = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS = {word: value for value, words in (
    (None, ("", "~", "null", "Null", "NULL")),
    (True, ("true", "True", "TRUE")),
    (False, ("false", "False", "FALSE")),
) for word in words}  # fmt: skip
_MEND = "name a serverless.yml, a SAM template, or a folder with one"
_STANDARD = "tag:yaml.org,2002:"

Scalar: TypeAlias = str | int | float | bool | None


class Absent:
    """The value of `!Ref AWS::NoValue`: as if the key had not been written."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file. The place of a mapping or a list is that of the key before it.

    `keys`: where each key of a mapping stands. `source`: a scalar's text as written without
    quotes; None where it had quotes or was not written at all.
    """

    value: "Scalar | Absent | list[Node] | dict[str, Node]"
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)
    source: str | None = None


def read(file: Path, content: bytes | None = None) -> Node:
    """Read one YAML (or JSON) document; `content`: its bytes, where they are known already.

    Raises:
        ManifestError: for a file that cannot be read, and for what is not one YAML document.
    """
    text = _text(file, _bytes(file) if content is None else content)
    try:
        return _Builder(file, yaml.parse(text, _Loader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else None
        raise ManifestError(f"not YAML: {error.problem}", file=file, place=place) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"a character that YAML does not allow: {str(error.character)!r}"
        raise ManifestError(problem, file=file, place=Place(file, line)) from error


def is_there(path: Path, *, folder: bool = False) -> bool:
    """Whether a file, or a folder, is there; a name that no file can have is not."""
    try:
        return path.is_dir() if folder else path.is_file()
    except (OSError, ValueError):
        return False


def _bytes(file: Path) -> bytes:
    """Read a regular file: a pipe could keep us waiting for its writer, a device has no end."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise OSError(errno.EINVAL, "it is neither a file nor a folder")
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ManifestError(f"cannot be read: {reason}", file=file, mend=_MEND) from error


def _text(file: Path, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise ManifestError(f"larger than {MAX_BYTES} bytes", file=file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(file, content.count(b"\n", 0, error.start) + 1)
        raise ManifestError("not UTF-8 text", file=file, place=place) from error


class _Builder:
    """Builds nodes from PyYAML's events. Depth and size are bounded here."""

    def __init__(self, file: Path, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def document(self) -> Node:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise ManifestError("the file is empty", file=self._file)
        root = self._node(next(self._events), depth=0)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document; a manifest is one")
        return root

    def _node(self, event: Any, *, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        self._counted(event, 1)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(event, f"*{event.anchor} has no finished anchor before it")
            return self._anchors[event.anchor]
        anchor, node = event.anchor, self._tagged(event, self._untagged(event, depth))
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _untagged(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        place = self._place(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(item, depth=depth + 1))
            return Node(items, place)
        return self._mapping(place, depth)

    def _scalar(self, event: Any) -> Node:
        plain = event.implicit[0] and event.tag is None
        value = _scalar(event.value) if plain else event.value
        return Node(value, self._place(event), source=event.value if plain else None)

    def _mapping(self, place: Place, depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[tuple[Any, Node]] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, "a key must be a text")
            value = self._node(next(self._events), depth=depth + 1)
            if event.value == "<<" and event.implicit[0]:
                merged.append((event, value))
                continue
            if event.value in entries:
                first = keys[event.value].line
                raise self._error(event, "the key is there twice; first", event.value, line=first)
            entries[event.value] = _under(self._place(event), value)
            keys[event.value] = self._place(event)
        for event, value in merged:
            self._merge(event, value, entries, keys)
        return Node(entries, place, keys)

    def _merge(
        self, event: Any, value: Node, entries: dict[str, Node], keys: dict[str, Place]
    ) -> None:
        """Take over what a merge key brings; what is written out wins."""
        for source in value.value if isinstance(value.value, list) else [value]:
            if not isinstance(source.value, dict):
                raise self._error(event, "<< takes a mapping, or a list of mappings")
            self._counted(event, len(source.value))
            for name in source.value.keys() - entries.keys():
                entries[name], keys[name] = source.value[name], source.keys[name]

    def _tagged(self, event: Any, node: Node) -> Node:
        tag = event.tag
        if tag is None or tag == "!":
            return node
        if tag.startswith(_STANDARD):
            return self._of_type(event, tag.removeprefix(_STANDARD), node)
        name = tag.removeprefix("!")
        if not tag.startswith("!") or not name.isalnum():
            raise self._error(event, f"the tag {tag} is not known")
        long = name if name in ("Ref", "Condition") else f"Fn::{name}"
        return Node({long: node}, node.place, {long: node.place})

    def _of_type(self, event: Any, name: str, node: Node) -> Node:
        if name in ("map", "seq") or (name == "str" and isinstance(node.value, str)):
            return node
        value = _scalar(event.value) if isinstance(event, yaml.ScalarEvent) else None
        kinds = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}
        if name not in kinds or not isinstance(value, kinds[name]):  # type: ignore[arg-type]
            raise self._error(event, f"the tag !!{name} does not fit here")
        return Node(value, node.place, source=event.value)

    def _counted(self, event: Any, more: int) -> None:
        self._count += more
        if self._count > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES} values")

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _error(self, event: Any, problem: str, key: str = "", line: int = 0) -> ManifestError:
        problem = f"{problem} in line {line}" if line else problem
        return ManifestError(problem, file=self._file, place=self._place(event), key=key)


def _under(key: Place, node: Node) -> Node:
    """Move a mapping or a list to its key: a block of its own begins a line below."""
    return replace(node, place=key) if isinstance(node.value, dict | list) else node


def _scalar(text: str) -> Scalar:
    """Resolve a scalar without quotes (YAML 1.2, section 10.3.2, "Tag Resolution")."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
