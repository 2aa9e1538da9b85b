"""What variables and intrinsic functions stand for, found out when a value is read."""

from typing import TYPE_CHECKING

from functions.runtime.manifest.nodes import MAX_DEPTH, Node

if TYPE_CHECKING:
    from functions.runtime.manifest.fields import Field

MAX_RESOLUTIONS = 10_000
MAX_TEXT = 1_000_000


class Scope:
    """What gives variables their values; this one has none. Bounds the work of all of them.

    `word_is_boolean`: YAML 1.1, where `yes` and `off` without quotes are booleans.
    """

    word_is_boolean = False

    def __init__(self) -> None:
        self._active: set[int] = set()
        self._left = MAX_RESOLUTIONS

    def resolve(self, field: "Field") -> Node:
        """Return the node that a field stands for.

        Raises:
            ManifestError: for what cannot be known here, and for what depends on itself.
        """
        if not self.is_dynamic(field.raw):
            return field.raw
        self._left -= 1
        mark = id(field.raw)
        if mark in self._active or len(self._active) > MAX_DEPTH:
            field.fail("depends on itself")
        if self._left < 0:
            field.fail(f"more than {MAX_RESOLUTIONS} variables to resolve")
        self._active.add(mark)
        try:
            return self.evaluate(field)
        finally:
            self._active.remove(mark)

    def is_dynamic(self, node: Node) -> bool:  # noqa: ARG002
        """Whether a node is one that `evaluate` replaces."""
        return False

    def evaluate(self, field: "Field") -> Node:
        """Return what replaces a dynamic node."""
        return field.raw
