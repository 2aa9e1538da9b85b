"""Which route a request is for, and which routes cannot stand beside each other."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.http.route_table import RESERVED, RouteError, RouteTable, check_routes
from functions.runtime.manifest.model import FunctionSpec, Place
from tests.functions.fake_control import spec


def table(*routes: tuple[str, str]) -> RouteTable:
    return RouteTable([spec("f", *((method, path, "2.0") for method, path in routes))])


def found(routes: RouteTable, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = routes.match(method, path)
    if match is None:
        return None
    return f"{match.route.method} {match.route.path}", dict(match.parameters)


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("/ping", "/ping", {}),
        ("/ping", "/ping/", {}),
        ("ping", "/ping", {}),
        ("/", "/", {}),
        ("/a/{x}", "/a/b", {"x": "b"}),
        ("/a/{x}", "/a/b%2Fc", {"x": "b/c"}),
        ("/{x}/{y}", "/%C3%BC/2", {"x": "ü", "y": "2"}),
        ("/a/{rest+}", "/a/b", {"rest": "b"}),
        ("/a/{rest+}", "/a/b/c", {"rest": "b/c"}),
        ("/{proxy+}", "/anything/at/all", {"proxy": "anything/at/all"}),
    ],
)
def test_a_path_fits_a_template_and_fills_its_variables(
    template: str, path: str, parameters: dict[str, str]
) -> None:
    assert found(table(("GET", template)), "GET", path) == (f"GET {template}", parameters)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/ping", "/pong"),
        ("/ping", "/ping/x"),
        ("/ping", "/"),
        ("/a/{x}", "/a"),
        ("/a/{x}", "/a//"),
        ("/a/{x}", "/a/b/c"),
        ("/a/{rest+}", "/a"),
        ("/{proxy+}", "/"),
    ],
)
def test_a_path_that_does_not_fit_is_not_found(template: str, path: str) -> None:
    assert found(table(("GET", template)), "GET", path) is None


def test_another_method_is_not_found_and_any_is_for_all() -> None:
    routes = table(("POST", "/a"), ("ANY", "/b"))
    assert found(routes, "GET", "/a") is None
    assert found(routes, "PATCH", "/b") == ("ANY /b", {})


@pytest.mark.parametrize(
    ("method", "path", "winner"),
    [
        ("GET", "/pets/dog", "GET /pets/dog"),
        ("GET", "/pets/cat", "GET /pets/{id}"),
        ("POST", "/pets/cat", "ANY /pets/{id}"),
        ("GET", "/pets/cat/tail", "GET /pets/{id}/tail"),
        ("GET", "/pets/cat/ear", "GET /pets/{all+}"),
        ("GET", "/other", "GET /{proxy+}"),
    ],
)
def test_the_most_specific_route_wins_whatever_the_order(
    method: str, path: str, winner: str
) -> None:
    routes = [
        ("GET", "/{proxy+}"),
        ("GET", "/pets/{all+}"),
        ("ANY", "/pets/{id}"),
        ("GET", "/pets/{id}"),
        ("GET", "/pets/{id}/tail"),
        ("GET", "/pets/dog"),
    ]
    for order in (routes, routes[::-1]):
        match = found(table(*order), method, path)
        assert match is not None
        assert match[0] == winner


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_greedy_variable_is_what_was_sent(segments: list[str]) -> None:
    path = "/".join(quote(segment, safe="") for segment in segments)
    assert found(table(("GET", "/{p+}")), "GET", f"/{path}") == (
        "GET /{p+}",
        {"p": "/".join(segments)},
    )


def at_line(function: FunctionSpec, line: int) -> FunctionSpec:
    place = Place(Path("serverless.yml"), line)
    return replace(function, routes=tuple(replace(r, place=place) for r in function.routes))


@pytest.mark.parametrize(
    ("one", "other"), [("/a", "/a"), ("/a/{x}", "/a/{y}"), ("a", "/a"), ("/{p+}", "/{q+}")]
)
def test_two_routes_for_the_same_requests_are_an_error_that_names_both_places(
    one: str, other: str
) -> None:
    functions = [
        at_line(spec("f", ("GET", one, "2.0")), 7),
        at_line(spec("g", ("GET", other, "1.0")), 21),
    ]
    with pytest.raises(RouteError) as caught:
        check_routes(functions)
    assert "serverless.yml:7:1" in caught.value.problem
    assert "serverless.yml:21:1" in caught.value.problem


def test_routes_that_differ_in_method_or_in_how_specific_they_are_stand_beside_each_other() -> None:
    check_routes(
        [
            spec("f", ("GET", "/a", "2.0"), ("POST", "/a", "2.0"), ("ANY", "/a", "2.0")),
            spec("g", ("GET", "/{x}", "2.0"), ("GET", "/{x+}", "2.0")),
        ]
    )


@pytest.mark.parametrize("first", list(RESERVED))
def test_a_route_that_would_hide_our_own_paths_is_an_error_that_names_both(first: str) -> None:
    with pytest.raises(RouteError, match=RESERVED[first]) as caught:
        check_routes([spec("f", ("GET", f"/{first}/x", "1.0"))])
    assert "serverless.yml:1:1" in caught.value.problem


@pytest.mark.parametrize("path", ["/{", "/a}b", "/a{x}", "/{x+}/b", "/{}", "/{x}/{x}", "/{a b}"])
def test_a_path_of_another_form_is_an_error_that_names_its_place(path: str) -> None:
    with pytest.raises(RouteError, match=r"serverless\.yml:1:1") as caught:
        check_routes([spec("f", ("GET", path, "1.0"))])
    assert repr(path) in caught.value.problem
