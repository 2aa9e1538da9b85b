"""Typed reading of nodes: each failure names file, line and dotted key.

A `Field` is a node at its dotted key. Its `Scope` replaces variables and intrinsic functions at the
moment a value is read, so that what has no meaning here need not be resolvable here.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from functions.runtime.manifest.errors import ManifestError
from functions.runtime.manifest.model import Place
from functions.runtime.manifest.nodes import MAX_DEPTH, MAX_NODES, Absent, Node
from functions.runtime.manifest.scope import Scope

_EXACT = 2**53  # whole numbers up to here are the same in JSON, JavaScript and Python
_YAML_1_1_WORDS = frozenset({"yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Field:
    """A node at its dotted key. `raw`: as written, before its scope replaces it."""

    raw: Node
    key: str
    scope: Scope

    @property
    def node(self) -> Node:
        """The node with variables replaced; its children are not, until they are read."""
        return self.scope.resolve(self)

    @property
    def place(self) -> Place:
        """Where it is written."""
        return self.raw.place

    @property
    def is_absent(self) -> bool:
        """Whether it counts as not written: null, or AWS::NoValue."""
        return self.node.value is None or isinstance(self.node.value, Absent)

    def fail(self, problem: str, *, mend: str = "") -> NoReturn:
        """Raise the error that names this place and key."""
        raise ManifestError(
            problem, file=self.place.file, place=self.place, key=self.key, mend=mend
        )

    def at(self, node: Node, name: str | int) -> "Field":
        """Return a child of this field."""
        if isinstance(name, int):
            return Field(node, f"{self.key}[{name}]", self.scope)
        return Field(node, f"{self.key}.{name}" if self.key else name, self.scope)

    def entries(self) -> dict[str, "Field"]:
        """Return a mapping with any keys, in the order of the file; null is an empty one."""
        value = self.node.value
        if value is None or isinstance(value, Absent):
            return {}
        if not isinstance(value, dict):
            self.fail(f"must be a mapping, not {described(value)}")
        return {name: self.at(node, name) for name, node in value.items()}

    def items(self) -> list["Field"]:
        """Return a list; null is an empty one."""
        value = self.node.value
        if value is None or isinstance(value, Absent):
            return []
        if not isinstance(value, list):
            self.fail(f"must be a list, not {described(value)}")
        fields = [self.at(node, index) for index, node in enumerate(value)]
        return [field for field in fields if not isinstance(field.node.value, Absent)]

    def fields(
        self,
        known: Iterable[str],
        *,
        ignored: Iterable[str] = (),
        refused: Mapping[str, str] | None = None,
    ) -> dict[str, "Field"]:
        """Return the entries that are known and not null.

        `ignored`: keys whose meaning is AWS's alone; their values are not looked at. `refused`:
        keys that would change what happens, and what to do about each.
        """
        known, ignored, refused = tuple(known), frozenset(ignored), refused or {}
        found = {}
        for name, field in self.entries().items():
            if name in ignored:
                continue
            if name in refused:
                if not field.is_absent and field.raw.value is not False:
                    self.fail_at(name, "is not supported here", mend=refused[name])
            elif name not in known:
                self.fail_at(name, "is not known", mend=_suggestion(name, {*known, *ignored}))
            elif not field.is_absent:
                found[name] = field
        return found

    def fail_at(self, name: str, problem: str, *, mend: str = "") -> NoReturn:
        """Raise the error that names one of this mapping's keys, at the key."""
        node = self.node
        place = node.keys.get(name, self.place)
        key = f"{self.key}.{name}" if self.key else name
        raise ManifestError(problem, file=place.file, place=place, key=key, mend=mend)

    def need(self, fields: Mapping[str, "Field"], name: str, *, mend: str = "") -> "Field":
        """Return one of this mapping's fields, which must be there."""
        if name not in fields:
            self.fail(f"{name} is missing", mend=mend)
        return fields[name]

    def text(self) -> str:
        """Return a text that is not empty; a number or a boolean is taken as written."""
        text = self.any_text()
        if not text.strip():
            self.fail("must not be empty")
        return text

    def any_text(self) -> str:
        """Return a text, which may be empty; see `text_of`."""
        return self.text_of(self.node)

    def text_of(self, node: Node) -> str:
        """Return another node's value as a text, in the name of this field.

        A number is taken in the one form that YAML, JavaScript and CloudFormation agree on; one
        written otherwise (`1.10`, `007`) would change on its way to AWS, and is refused.
        """
        value = node.value
        if isinstance(value, str):
            if self.scope.word_is_boolean and (node.source or "").lower() in _YAML_1_1_WORDS:
                self.fail(f"{value} without quotes is a boolean in YAML 1.1", mend=_QUOTES)
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, int | float):
            self.fail(f"must be a text, not {described(value)}")
        text = str(value)
        if abs(value) > _EXACT or node.source not in (None, text):
            self.fail(f"the number {node.source or text} has more than one form", mend=_QUOTES)
        return text

    def integer(self, low: int, high: int | None = None) -> int:
        """Return a whole number from `low` to `high`; `"30"` is taken as 30, as AWS does."""
        value = self.node.value
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
            value = int(value.strip()[:20])
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not isinstance(value, int | float) or not whole:
            self.fail(f"must be a whole number {limits}, not {described(value)}")
        if value < low or (high is not None and value > high):
            self.fail(f"must be {limits}, not {value:g}")
        return int(value)

    def boolean(self) -> bool:
        """Return true or false; `"true"` is taken as true, as AWS does."""
        value = self.node.value
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.lower(), value)
        if not isinstance(value, bool):
            self.fail(f"must be true or false, not {described(value)}")
        return value

    def choice(self, *options: str) -> str:
        """Return one of the options."""
        text = self.text()
        if text not in options:
            self.fail(f"must be {' or '.join(options)}, not {text!r}")
        return text

    def plain(self) -> Any:
        """Return the value as JSON has it, all variables replaced."""
        budget = iter(range(MAX_NODES))
        return self._plain(budget, depth=0)

    def _plain(self, budget: Iterator[int], *, depth: int) -> Any:
        if depth > MAX_DEPTH or next(budget, None) is None:
            self.fail("is too large, or contains itself")
        value = self.node.value
        if isinstance(value, dict):
            return {
                name: field._plain(budget, depth=depth + 1)  # noqa: SLF001
                for name, field in self.entries().items()
                if not isinstance(field.node.value, Absent)
            }
        if isinstance(value, list):
            return [field._plain(budget, depth=depth + 1) for field in self.items()]  # noqa: SLF001
        return value


_QUOTES = "write it in quotes"


def described(value: object) -> str:
    """Name a value in a message: short, and its kind where it is no scalar."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, Absent):
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)[:60]


def _suggestion(name: str, known: set[str]) -> str:
    folded = {each.lower(): each for each in sorted(known)}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    if close:
        return f"did you mean {folded[close[0]]}?"
    return f"there are: {', '.join(sorted(known))}" if known else ""
