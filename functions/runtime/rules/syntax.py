"""A rule as a tree. Each node knows its `at`: the offset in the sql that an error points to."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, a Boolean or Null."""

    at: int
    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Everything:
    """`*`: the payload."""

    at: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """A key of the payload."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`."""

    at: int
    of: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`NOT x`, `-x` and `+x`."""

    at: int
    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`; the operator in capitals."""

    at: int
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Case:
    """`CASE subject WHEN value THEN result ... ELSE otherwise END`."""

    at: int
    subject: "Expression"
    branches: tuple[tuple["Expression", "Expression"], ...]
    otherwise: "Expression | None"


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; `name` as written."""

    at: int
    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """`cast(operand AS type)`; `type_at`: where the type stands."""

    at: int
    operand: "Expression"
    type: str
    type_at: int


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`."""

    at: int
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Object:
    """`{'key': value}`."""

    at: int
    items: tuple[tuple[str, "Expression"], ...]


Expression: TypeAlias = (
    Literal | Everything | Attribute | Member | Unary | Binary | Case | Call | Cast | Array | Object
)


@dataclass(frozen=True, slots=True)
class Item:
    """One of SELECT's items. `path`: its name, `AS a.b` being `("a", "b")`; empty for `*`."""

    at: int
    expression: Expression
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole rule. `value`: that of `SELECT VALUE`, which has no items."""

    items: tuple[Item, ...]
    value: Expression | None
    topic_filter: str
    where: Expression | None
