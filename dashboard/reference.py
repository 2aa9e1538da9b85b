"""The API's OpenAPI document, put into words for the page that people read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from dashboard.openapi import document

Schema = Mapping[str, Any]

_WORDS: Final = {"string": "text", "integer": "number", "number": "number", "boolean": "yes or no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a part of a body. `kind`: what it can be, in words."""

    name: str
    kind: str
    about: str = ""
    is_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What can be asked: one method of one path.

    `media`: the answer's media type; empty where there is no body. `can_be_opened`: whether a
    browser can just go there.
    """

    id: str
    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    media: str
    answer: tuple[Field, ...]
    errors: tuple[str, ...]

    @property
    def can_be_opened(self) -> bool:
        """Whether it is a GET without anything that has to be given."""
        return self.method == "GET" and not any(field.is_needed for field in self.parameters)


@cache
def operations() -> tuple[Operation, ...]:
    """Return all of them, in the document's order."""
    told = document()
    return tuple(_operations(told["paths"], told["components"]["schemas"]))


def _operations(paths: Schema, schemas: Schema) -> Iterator[Operation]:
    for path, methods in paths.items():
        for method, told in methods.items():
            success = next(value for code, value in told["responses"].items() if code < "300")
            media, answer = _content(success, schemas)
            yield Operation(
                id=told["operationId"],
                method=method.upper(),
                path=path,
                summary=told["summary"],
                about=told.get("description", ""),
                parameters=tuple(_parameters(told)),
                body=_content(told.get("requestBody", {}), schemas)[1],
                media=media,
                answer=answer,
                errors=tuple(code for code in told["responses"] if code >= "400"),
            )


def _parameters(told: Schema) -> Iterator[Field]:
    for one in told.get("parameters", ()):
        kind = _kind(one["schema"])
        yield Field(
            name=one["name"],
            kind=kind,
            about=one.get("description", ""),
            is_needed=one.get("required", False),
        )


def _content(told: Schema, schemas: Schema) -> tuple[str, tuple[Field, ...]]:
    for media, content in told.get("content", {}).items():
        return media, tuple(_fields(content.get("schema", {}), schemas))
    return "", ()


def _fields(schema: Schema, schemas: Schema, *, under: str = "") -> Iterator[Field]:
    schema = _resolved(schema, schemas)
    needed = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        yield Field(name=f"{under}{name}", kind=_kind(one), is_needed=name in needed)
        inner = one.get("items", one)
        if "$ref" in inner:
            yield from _fields(
                inner, schemas, under=f"{under}{name}{'[].' if inner is not one else '.'}"
            )


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Schema = schemas[name] if name else schema
    return found


def _kind(schema: Schema) -> str:
    """Say what a value can be: `number, 1 to 1000`, `text or null`, `list of numbers`."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(str(one) for one in schema["enum"])
    kind: str = schema.get("type", "object")
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("format") == "date-time":
        return "moment (RFC 3339)"
    return _WORDS.get(kind, kind) + _limits(schema)


def _limits(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema and schema["maximum"] < 1 << 53:
        return f", {schema['minimum']:,} to {schema['maximum']:,}"
    if "maxLength" in schema:
        return f", up to {schema['maxLength']} characters"
    return ""
