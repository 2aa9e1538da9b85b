"""`/api/openapi.json`: the API's table as an OpenAPI 3.1 document."""

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

import msgspec
from flask import Blueprint, Response

from dashboard.access import NEEDED, ROLE_NAMES, Level
from dashboard.api_table import JSON, ROUTES, Parameter, Route
from dashboard.functions_table import ROUTES as FUNCTION_ROUTES
from dashboard.gate import COOKIE, TOKEN_HEADER

_REF: Final = "#/components/schemas/{name}"
_ERROR: Final = {"$ref": "#/components/responses/Error"}
_LOGINS: Final[list[dict[str, list[str]]]] = [{"session": []}, {"basic": []}]
_UNREADABLE: Final = (503,)
"""What every route that reads the history may answer while the disk takes or gives nothing."""


class Error(msgspec.Struct, frozen=True):
    """What went wrong, in words for a person."""

    error: str


def document() -> dict[str, Any]:
    """Return the document."""
    routes = (*ROUTES, *FUNCTION_ROUTES)
    types = [one for route in routes for one in (route.body, route.answer) if _is_struct(one)]
    schemas, components = msgspec.json.schema_components([Error, *types], ref_template=_REF)
    references = dict(zip([Error, *types], schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    error = {"description": "It did not work.", "content": {JSON: {"schema": references[Error]}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "iot-button dashboard",
            "version": "1",
            "description": "What has been clicked, by which button, and how long it took.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: _for_everyone(schema) for name, schema in components.items()},
            "responses": {"Error": error},
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": f"From /login; a change also needs its {TOKEN_HEADER}.",
                },
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def create_blueprint() -> Blueprint:
    """Return `/api/openapi.json`."""
    blueprint = Blueprint("openapi", __name__)
    text = msgspec.json.encode(document())

    @blueprint.get("/api/openapi.json")
    def openapi() -> Response:
        """Return the document."""
        return Response(text, mimetype=JSON)

    return blueprint


def _operation(route: Route, references: Mapping[Any, Any]) -> dict[str, Any]:
    level = NEEDED[f"{route.method} {_starred(route.path)}"]
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{_camel(route.path)}",
        "parameters": [_parameter(one) for one in route.parameters],
        "responses": _responses(route, references, level),
        "security": _LOGINS if level is not Level.ANYONE else [],
    }
    if level is not Level.ANYONE:
        operation["description"] = f"Where one has to log in: for the role {ROLE_NAMES[level]}."
    if route.body is not None:
        content = {JSON: {"schema": references[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(route: Route, references: Mapping[Any, Any], level: Level) -> dict[str, Any]:
    good = {"description": route.summary + "."} | _content(route, references)
    found: dict[str, Any] = {str(status): good for status in (route.status, *route.other_answers)}
    errors = {*route.errors, *(_UNREADABLE if level is not Level.ANYONE else ())}
    if level is not Level.ANYONE:
        errors |= {401, 403, 429}
    found |= {str(status): _ERROR for status in sorted(errors) if str(status) not in found}
    return found


def _content(route: Route, references: Mapping[Any, Any]) -> dict[str, Any]:
    if route.answer is None:
        return {}
    if isinstance(route.answer, str):
        return {"content": {route.answer: {"schema": {"type": "string"}}}}
    schema = references.get(route.answer, {"type": "object"})
    return {"content": {JSON: {"schema": schema}}}


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": "path" if one.is_in_path else "query",
        "required": one.is_required,
        "description": one.description,
        "schema": one.schema,
    }


def _for_everyone(schema: Any) -> Any:
    """Return a schema without what only Python knows: the end of a pattern, indentation."""
    if isinstance(schema, list):
        return [_for_everyone(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _for_everyone(value) for key, value in schema.items()}
    if isinstance(plain.get("pattern"), str):
        plain["pattern"] = plain["pattern"].replace("\\Z", "$")
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].split())
    return plain


def _is_struct(thing: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(thing, type) and issubclass(thing, msgspec.Struct)


def _starred(path: str) -> str:
    return "/".join("*" if part.startswith("{") else part for part in path.split("/"))


def _camel(path: str) -> str:
    words = path.replace("{", "").replace("}", "").replace(".", "/").split("/")
    return "".join(word[:1].upper() + word[1:] for word in words)
