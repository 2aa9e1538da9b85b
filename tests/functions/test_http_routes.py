"""http events, end to end: a request, the event that the handler got, and the answer."""

import base64
import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.fake_control import FakeControl, Reply, ask, http_side, spec
from tests.support import DEADLINE

FORMS = pytest.mark.parametrize("form", ["1.0", "2.0"])


def event_of(
    form: str, method: str, path: str, body: bytes | str | None = None, **headers: str
) -> dict[str, Any]:
    """The event that a request becomes."""
    events: list[dict[str, Any]] = []

    def keep(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        events.append(event)
        return {"statusCode": 204}

    routes = [("ANY", template, form) for template in ("/", "/things/{id}", "/all/{rest+}")]
    with http_side(FakeControl({"f": keep}, spec("f", *routes)), stage="test") as side:
        assert ask(side, method, path, body, **headers).status == 204
    return events[0]


def answer_to(form: str, result: Any) -> Reply:
    """What a client gets for a handler's result."""
    control = FakeControl({"f": lambda *_: result}, spec("f", ("GET", "/f", form)))
    with http_side(control) as side:
        return ask(side, "GET", "/f")


def test_form_1_describes_the_request_as_a_rest_api_does() -> None:
    event = event_of("1.0", "POST", "/things/7?a=1&a=2&b=", '{"x":1}', X_Test="yes")
    assert (event["resource"], event["path"]) == ("/things/{id}", "/things/7")
    assert event["httpMethod"] == "POST"
    assert event["headers"]["X-Test"] == "yes"
    assert event["multiValueHeaders"]["X-Test"] == ["yes"]
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert event["pathParameters"] == {"id": "7"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"x":1}', False)
    assert event["stageVariables"] is None
    assert "version" not in event  # only HTTP APIs have it


def test_form_1_has_null_for_what_is_not_there() -> None:
    event = event_of("1.0", "GET", "/")
    for key in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters"):
        assert event[key] is None
    assert (event["body"], event["isBase64Encoded"]) == (None, False)


def test_form_1_says_who_asked_and_when() -> None:
    context = event_of("1.0", "GET", "/things/7", User_Agent="tester")["requestContext"]
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["identity"]["userAgent"] == "tester"
    assert context["identity"]["caller"] is None
    assert (context["stage"], context["accountId"]) == ("test", "000000000000")
    assert (context["resourcePath"], context["path"]) == ("/things/{id}", "/things/7")
    assert context["requestTimeEpoch"] > 1_700_000_000_000
    assert context["requestTime"].endswith(" +0000")


def test_form_2_describes_the_request_as_an_http_api_does() -> None:
    event = event_of(
        "2.0",
        "POST",
        "/things/a%20b?a=1&a=2&b=",
        '{"x":1}',
        Content_Type="application/json",
        Cookie="one=1; two=2",
    )
    assert (event["version"], event["routeKey"]) == ("2.0", "ANY /things/{id}")
    assert (event["rawPath"], event["rawQueryString"]) == ("/things/a%20b", "a=1&a=2&b=")
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["pathParameters"] == {"id": "a b"}
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["content-type"] == "application/json"
    assert (event["body"], event["isBase64Encoded"]) == ('{"x":1}', False)
    context = event["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["stage"] == "$default"


def test_form_2_leaves_out_what_is_not_there() -> None:
    event = event_of("2.0", "GET", "/")
    absent = {"cookies", "queryStringParameters", "body", "pathParameters"}
    assert absent.isdisjoint(event)
    assert event["rawQueryString"] == ""
    assert event["isBase64Encoded"] is False


def test_a_repeated_header_keeps_all_its_values() -> None:
    events: list[dict[str, Any]] = []

    def keep(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        events.append(event)
        return {"statusCode": 204}

    functions = spec("f", ("GET", "/one", "1.0"), ("GET", "/two", "2.0"))
    with http_side(FakeControl({"f": keep}, functions)) as side:
        for path in ("/one", "/two"):
            connection = http.client.HTTPConnection(side.url[7:], timeout=DEADLINE)
            connection.putrequest("GET", path)
            connection.putheader("X-Many", "1")
            connection.putheader("X-Many", "2")
            connection.endheaders()
            assert connection.getresponse().status == 204
            connection.close()
    assert events[0]["multiValueHeaders"]["X-Many"] == ["1", "2"]
    assert events[0]["headers"]["X-Many"] == "2"
    assert events[1]["headers"]["x-many"] == "1,2"


@FORMS
def test_the_client_before_a_proxy_stays_known(form: str) -> None:
    headers = event_of(form, "GET", "/", X_Forwarded_For="192.0.2.7")["headers"]
    lower = {name.lower(): value for name, value in headers.items()}
    assert lower["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    assert lower["x-forwarded-proto"] == "http"


@FORMS
def test_a_body_that_is_no_text_comes_in_base64(form: str) -> None:
    event = event_of(form, "POST", "/", b"\xff\x00", Content_Type="application/octet-stream")
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_form_2_takes_the_media_type_as_the_sign_of_text() -> None:
    form = "application/x-www-form-urlencoded"
    assert event_of("2.0", "POST", "/", b"a=1", Content_Type=form)["isBase64Encoded"] is True
    assert event_of("1.0", "POST", "/", b"a=1", Content_Type=form)["isBase64Encoded"] is False
    json_like = "application/vnd.api+json; charset=utf-8"
    assert event_of("2.0", "POST", "/", b"{}", Content_Type=json_like)["isBase64Encoded"] is False
    assert event_of("2.0", "POST", "/", b"\xff", Content_Type="text/plain")["isBase64Encoded"]


@FORMS
def test_the_answer_is_what_the_handler_says(form: str) -> None:
    reply = answer_to(
        form, {"statusCode": 418, "headers": {"X-A": "1", "X-B": True, "X-C": 2}, "body": "tëa"}
    )
    assert (reply.status, reply.body) == (418, "tëa".encode())
    assert [reply.headers[f"x-{each}"] for each in "abc"] == ["1", "true", "2"]


@FORMS
def test_a_base64_answer_is_sent_as_the_bytes_it_stands_for(form: str) -> None:
    result = {
        "statusCode": 200,
        "headers": {"content-type": "image/png"},
        "body": "/wA=",
        "isBase64Encoded": True,
    }
    reply = answer_to(form, result)
    assert reply.body == b"\xff\x00"
    assert reply.headers["content-type"] == "image/png"


def test_form_1_merges_headers_with_those_of_many_values() -> None:
    result = {
        "statusCode": "200",
        "headers": {"X-One": "1", "set-cookie": "lost"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": None,
    }
    reply = answer_to("1.0", result)
    cookies = [value for name, value in reply.pairs if name.lower() == "set-cookie"]
    assert cookies == ["a=1", "b=2"]
    assert reply.headers["x-one"] == "1"
    assert reply.headers["content-type"] == "application/json"


def test_form_2_sends_cookies_as_headers() -> None:
    reply = answer_to("2.0", {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"], "body": "x"})
    cookies = [value for name, value in reply.pairs if name.lower() == "set-cookie"]
    assert cookies == ["a=1; Path=/", "b=2"]
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"message": "hi"}, b'{"message": "hi"}'),
        ("plain", b"plain"),
        ([1, 2], b"[1, 2]"),
        (None, b"null"),
        ({"body": "no statusCode"}, b'{"body": "no statusCode"}'),
    ],
)
def test_form_2_infers_an_answer_where_there_is_no_status(result: Any, body: bytes) -> None:
    reply = answer_to("2.0", result)
    assert (reply.status, reply.body) == (200, body)
    assert reply.headers["content-type"] == "application/json"


MALFORMED: list[Any] = [
    {"statusCode": "many"},
    {"statusCode": 99},
    {"statusCode": 600},
    {"statusCode": True},
    {"statusCode": 200, "body": {"not": "text"}},
    {"statusCode": 200, "headers": ["no", "mapping"]},
    {"statusCode": 200, "headers": {"X": ["list"]}},
    {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: evil=1"}},
    {"statusCode": 200, "headers": {"X\r\nY": "a"}},
    {"statusCode": 200, "headers": {"X": "☃"}},
    {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
]


@pytest.mark.parametrize("result", [*MALFORMED, "text", None, [], {"body": "x"}, {}])
def test_form_1_answers_502_to_what_is_no_proxy_response(result: Any) -> None:
    reply = answer_to("1.0", result)
    assert (reply.status, reply.json) == (502, {"message": "Internal server error"})
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("result", MALFORMED)
def test_form_2_answers_500_to_what_is_no_proxy_response(result: Any) -> None:
    reply = answer_to("2.0", result)
    assert (reply.status, reply.json) == (500, {"message": "Internal Server Error"})


@pytest.mark.parametrize(("form", "status"), [("1.0", 502), ("2.0", 500)])
def test_a_handler_that_fails_tells_the_client_nothing(form: str, status: int) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("the secret")

    with http_side(FakeControl({"f": fail}, spec("f", ("GET", "/f", form)))) as side:
        reply = ask(side, "GET", "/f")
    assert reply.status == status
    assert b"secret" not in reply.body


@pytest.mark.parametrize(("form", "status"), [("1.0", 429), ("2.0", 503)])
def test_a_throttled_function_answers_as_its_kind_of_api(form: str, status: int) -> None:
    control = FakeControl({"f": lambda *_: {}}, spec("f", ("GET", "/f", form)))
    control.throttle("f", 0)
    with http_side(control) as side:
        assert ask(side, "GET", "/f").status == status


@FORMS
def test_headers_of_the_connection_stay_ours(form: str) -> None:
    result = {
        "statusCode": 200,
        "headers": {"Content-Length": "3", "Transfer-Encoding": "chunked", "Connection": "close"},
        "body": "four",
    }
    reply = answer_to(form, result)
    assert reply.body == b"four"
    assert "transfer-encoding" not in reply.headers
    assert "connection" not in reply.headers


@pytest.mark.parametrize("path", ["/nowhere", "/f/x", "/", "/2015-03-31", "/topics", "/-/nope"])
def test_what_nothing_is_served_for_is_not_found(path: str) -> None:
    control = FakeControl({"f": lambda *_: {}}, spec("f", ("GET", "/f", "1.0")))
    with http_side(control) as side:
        assert ask(side, "GET", path).status in (404, 501)
        assert ask(side, "POST", "/f").json == {"message": "Not Found"}


def test_a_catch_all_route_leaves_our_own_paths_alone() -> None:
    control = FakeControl({"f": lambda *_: "mine"}, spec("f", ("ANY", "/{proxy+}", "2.0")))
    with http_side(control) as side:
        assert ask(side, "GET", "/any/path").body == b"mine"
        assert ask(side, "GET", "/things/7").body == b"mine"
        assert ask(side, "GET", "/metrics").body != b"mine"
        assert ask(side, "GET", "/-/nope").body != b"mine"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_any_is_every_method(method: str) -> None:
    assert event_of("1.0", method, "/")["httpMethod"] == method


def test_an_answer_to_head_has_no_body() -> None:
    handler: Callable[..., Any] = lambda *_: {"statusCode": 200, "body": "body"}  # noqa: E731
    with http_side(FakeControl({"f": handler}, spec("f", ("HEAD", "/f", "1.0")))) as side:
        reply = ask(side, "HEAD", "/f")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "4")


@FORMS
@pytest.mark.parametrize("size", [6 * 1024 * 1024 + 1, 6 * 1024 * 1024 - 100])
def test_a_request_larger_than_lambda_takes_is_refused(form: str, size: int) -> None:
    control = FakeControl({"f": lambda *_: "ok"}, spec("f", ("POST", "/f", form)))
    with http_side(control) as side:
        reply = ask(side, "POST", "/f", b"x" * size, Content_Type="text/plain")
        assert reply.status == 413
        assert ask(side, "POST", "/f", b"small", Content_Type="text/plain").status != 413


def test_a_path_that_is_no_text_is_a_bad_request() -> None:
    control = FakeControl({"f": lambda *_: "ok"}, spec("f", ("GET", "/{x}", "2.0")))
    with http_side(control) as side:
        assert ask(side, "GET", "/%ff").status == 400


def test_the_event_survives_json() -> None:
    event = event_of("2.0", "POST", "/all/%F0%9F%98%80?q=%F0%9F%98%80", "😀".encode())
    assert event["pathParameters"]["rest"] == "😀"
    assert json.loads(json.dumps(event)) == event
