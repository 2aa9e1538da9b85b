"""What API Gateway makes of a handler's result: pure.

Form 1.0: API Gateway developer guide, "Output format of a Lambda function for proxy integration".
Form 2.0: "Lambda function response for format 2.0", with the response that is inferred where there
is no statusCode.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from functions.runtime.control import Invocation

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, sections 5.1 and 5.5. A line break in a value would begin a header of its own."""

_OURS: Final = frozenset(
    ["connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade"]
)
"""Headers that belong to the connection, not to the answer."""

_JSON: Final = ("Content-Type", "application/json")


class MalformedAnswerError(ValueError):
    """A handler's result that is no proxy response."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What goes back to the client."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def message(status: int, text: str) -> HttpAnswer:
    """Return an answer of API Gateway's own."""
    return HttpAnswer(status, (_JSON,), json.dumps({"message": text}).encode())


def proxy_answer(done: Invocation, form: str) -> HttpAnswer:
    """Return the answer that a handler's result means; a failure of it tells nothing more."""
    is_1 = form == "1.0"
    failed = (
        message(502, "Internal server error") if is_1 else message(500, "Internal Server Error")
    )
    if done.function_error is not None:
        return failed
    try:
        result = json.loads(done.payload)
        return _explicit(result, is_1=is_1) if is_1 or _has_status(result) else _inferred(result)
    except (ValueError, RecursionError):
        return failed


def _has_status(result: Any) -> bool:
    return isinstance(result, dict) and "statusCode" in result


def _inferred(result: Any) -> HttpAnswer:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return HttpAnswer(200, (_JSON,), text.encode(errors="replace"))


def _explicit(result: Any, *, is_1: bool) -> HttpAnswer:
    if not isinstance(result, dict):
        raise MalformedAnswerError(f"a {type(result).__name__} is no proxy response")
    headers = _headers(result, is_1=is_1)
    if not any(name.lower() == "content-type" for name, _ in headers):
        default = _JSON if is_1 else ("Content-Type", "text/plain; charset=utf-8")
        headers.append(default)
    return HttpAnswer(_status(result.get("statusCode")), tuple(headers), _body(result))


def _status(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value):
        value = int(value)
    if type(value) is not int or not 200 <= value <= 599:
        raise MalformedAnswerError(f"statusCode is {value!r}")
    return value


def _headers(result: dict[str, Any], *, is_1: bool) -> list[tuple[str, str]]:
    """Merge `headers` with what has several values; a name in both counts as the latter says."""
    several = _mapping(result, "multiValueHeaders") if is_1 else {}
    pairs = [(name, value) for name, many in several.items() for value in _list(many)]
    names = {name.lower() for name in several}
    pairs += [(n, v) for n, v in _mapping(result, "headers").items() if n.lower() not in names]
    if not is_1:
        pairs += [("Set-Cookie", cookie) for cookie in _list(result.get("cookies") or [])]
    return [(n, _checked(n, v)) for n, v in pairs if n.lower() not in _OURS]


def _mapping(result: dict[str, Any], key: str) -> dict[str, Any]:
    value = result.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedAnswerError(f"{key} is {value!r}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedAnswerError(f"{value!r} is no list")
    return value


def _checked(name: str, value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise MalformedAnswerError(f"the header {name!r} is {value!r}")
    text = str(value)
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(text)):
        raise MalformedAnswerError(f"{name!r}: {text!r} cannot be a header")
    return text


def _body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswerError(f"the body is a {type(body).__name__}, not text")
    if result.get("isBase64Encoded") is not True:
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedAnswerError(f"the body is no base64: {error}") from error
