r"""The `${...}` of a serverless.yml taken apart: pure text, no values.

Serverless Framework documentation, "Variables": `${source:address, fallback, 'literal'}`, one
inside the other, and in the middle of a text; `\${` is a plain `${`. What has no source, such as
CloudFormation's `${AWS::Region}` or `${Name}`, is no variable and stays as it is.
"""

import functools
import re
from dataclasses import dataclass
from typing import TypeAlias

MAX_DEPTH = 20

_OPENING = re.compile(r"\$\{\s*(?:[a-z][A-Za-z0-9]*\s*(?:\(|:(?!:))|\$\{)")
_CLOSERS = {"(": ")", "{": "}", "[": "]"}

Template: TypeAlias = "tuple[str | Variable, ...]"
"""A text with variables in it: pieces to be joined."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One `${...}`: its sources in the order in which they are asked. `text`: as written."""

    sources: tuple[Template, ...]
    text: str


@functools.lru_cache(1024)  # one text is read many times, where others refer to it
def parse(text: str, *, depth: int = 0) -> Template:
    """Take a text apart.

    Raises:
        ValueError: for a variable that does not end.
    """
    if depth > MAX_DEPTH:
        raise ValueError("variables are nested too deeply")
    pieces: list[str | Variable] = []
    literal = ""
    index = 0
    while index < len(text):
        if text.startswith("\\${", index):
            literal, index = literal + "${", index + 3
        elif _OPENING.match(text, index):
            end = _end(text, index + 2, "}")
            pieces += [literal, _variable(text[index : end + 1], depth)]
            literal, index = "", end + 1
        else:
            literal, index = literal + text[index], index + 1
    return tuple(piece for piece in [*pieces, literal] if piece != "")


def _variable(text: str, depth: int) -> Variable:
    sources = [parse(part.strip(), depth=depth + 1) for part in _parts(text[2:-1])]
    if not all(sources):
        raise ValueError(f"{text} has an empty source")
    return Variable(tuple(sources), text)


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no quotes, brackets or inner variable."""
    parts, start, index = [], 0, 0
    while index < len(text):
        if text[index] == ",":
            parts.append(text[start:index])
            start = index + 1
        index = _after(text, index)
    return [*parts, text[start:]]


def _end(text: str, index: int, closer: str) -> int:
    """Return where the bracket closes whose inside begins at `index`."""
    opened = index
    while index < len(text):
        if text[index] == closer:
            return index
        index = _after(text, index)
    raise ValueError(f"no {closer} ends {text[max(opened - 2, 0) : opened + 20]!r}")


def _after(text: str, index: int) -> int:
    """Return the place after one character, or after all that it opens."""
    character = text[index]
    if character in "'\"":
        closing = text.find(character, index + 1)
        return closing + 1 if closing > 0 else index + 1
    if character in _CLOSERS:
        return _end(text, index + 1, _CLOSERS[character]) + 1
    return index + 1
