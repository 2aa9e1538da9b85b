"""Which function's http event a request is for. Without flask: manifests are checked with this.

A path's variables are API Gateway's: `{name}` is one segment, `{name+}` all that remain. Of several
routes that match, the most specific wins: a literal segment before a variable before a greedy one,
and a method before ANY (API Gateway developer guide, "Create routes for HTTP APIs"). One slash at
the end of a request's path is ignored.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from functions.runtime.manifest.model import FunctionSpec, HttpRoute
from iot_button.errors import IotButtonError

RESERVED: Final = {
    "topics": "the IoT data plane",
    "2015-03-31": "the Lambda API",
    "2017-10-31": "the Lambda API",
    "2019-09-30": "the Lambda API",
    "metrics": "the metrics page",
    "-": "the runtime's administration",
}
"""First segments of paths that are the runtime's own, and whose they are."""

_SEGMENT = re.compile(r"\{([A-Za-z0-9_.:-]+)(\+?)\}|[^{}]*")
_LITERAL, _VARIABLE, _GREEDY, _DEFAULT = range(4)


class RouteError(IotButtonError):
    """An http event that cannot be served."""


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route that a request is for. `parameters`: the path's variables, decoded."""

    function: FunctionSpec
    route: HttpRoute
    parameters: Mapping[str, str]


class RouteTable:
    """All http events of all functions.

    Raises:
        RouteError: as `check_routes`.
    """

    def __init__(self, specs: Iterable[FunctionSpec]) -> None:
        entries = list(_checked(specs))
        entries.sort(key=lambda entry: ([s.kind for s in entry[0]], entry[2].method == "ANY"))
        self._entries = entries

    def match(self, method: str, path: str) -> Match | None:
        """Return the route for a request. `path`: as it was sent, percent-encoded.

        Raises:
            UnicodeDecodeError: the path is not UTF-8.
        """
        wanted = decoded_segments(path)
        for template, function, route in self._entries:
            if route.method not in (method, "ANY"):
                continue
            parameters = _fit(template, wanted)
            if parameters is not None:
                return Match(function=function, route=route, parameters=parameters)
        return None


def check_routes(specs: Iterable[FunctionSpec]) -> None:
    """Check that the http events of all functions can be served beside each other.

    Raises:
        RouteError: for a path that is not API Gateway's form, one that is the runtime's own, or two
            routes for the same requests. It names file and line of each.
    """
    for _ in _checked(specs):
        pass


def decoded_segments(path: str) -> list[str]:
    """Split a path as it was sent into its segments, and decode each.

    Raises:
        UnicodeDecodeError: a segment is not UTF-8.
    """
    trimmed = path.removeprefix("/")
    if len(trimmed) > 1:
        trimmed = trimmed.removesuffix("/")
    return [unquote(segment, errors="strict") for segment in trimmed.split("/")]


def _checked(
    specs: Iterable[FunctionSpec],
) -> Iterator[tuple[tuple[_Segment, ...], FunctionSpec, HttpRoute]]:
    taken: dict[tuple[object, ...], HttpRoute] = {}
    for spec in specs:
        for route in spec.routes:
            template = _parsed(route)
            _refuse_reserved(route, template[0])
            key = (
                route.method,
                *((s.kind, s.text if s.kind == _LITERAL else "") for s in template),
            )
            other = taken.setdefault(key, route)
            if other is not route:
                raise RouteError(
                    f"{route.place}: {route.method} {route.path} is for the same requests as "
                    f"{other.method} {other.path} at {other.place}",
                    mend="give one of them another path or method",
                )
            yield template, spec, route


def _parsed(route: HttpRoute) -> tuple[_Segment, ...]:
    if route.path == "$default":  # an HTTP API's route for what no other takes
        return (_Segment(_DEFAULT, ""),)
    segments = tuple(
        _segment(route, text) for text in route.path.strip().removeprefix("/").split("/")
    )
    names = [segment.text for segment in segments if segment.kind != _LITERAL]
    if any(s.kind == _GREEDY for s in segments[:-1]) or len(set(names)) < len(names):
        raise _bad_path(route)
    return segments


def _segment(route: HttpRoute, text: str) -> _Segment:
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise _bad_path(route)
    if match[1] is None:
        return _Segment(_LITERAL, text)
    return _Segment(_GREEDY if match[2] else _VARIABLE, match[1])


def _bad_path(route: HttpRoute) -> RouteError:
    return RouteError(
        f"{route.place}: {route.path!r} is no path of an http event",
        mend="write segments joined by /; {name} stands for one segment, and {name+}, in the last "
        "place, for all that remain; each name once",
    )


def _refuse_reserved(route: HttpRoute, first: _Segment) -> None:
    if first.kind == _LITERAL and first.text in RESERVED:
        raise RouteError(
            f"{route.place}: {route.path} would hide {RESERVED[first.text]}, which is served there",
            mend=f"choose a path that does not begin with /{first.text}",
        )


def _fit(template: tuple[_Segment, ...], wanted: list[str]) -> dict[str, str] | None:
    if template[0].kind == _DEFAULT:
        return {}
    is_greedy = template[-1].kind == _GREEDY
    if len(wanted) < len(template) or (len(wanted) > len(template) and not is_greedy):
        return None
    parameters: dict[str, str] = {}
    for position, segment in enumerate(template):
        value = wanted[position] if segment.kind != _GREEDY else "/".join(wanted[position:])
        if segment.kind != _LITERAL and value:
            parameters[segment.text] = value
        elif segment.text != value or segment.kind != _LITERAL:
            return None
    return parameters
