"""HTTP requests as the events that API Gateway makes of them: pure.

Form 1.0 is API Gateway developer guide, "Set up Lambda proxy integrations" (REST APIs); form 2.0 is
"Create AWS Lambda proxy integrations for HTTP APIs". Differences from AWS: the URL holds no stage;
path parameters are decoded in both forms; of `requestContext` there is what can be known here, with
the account of zeros; a body of form 1.0 that is not UTF-8 comes in base64, as if its media type
stood in the API's binaryMediaTypes.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from functions.runtime.http.deployment import ACCOUNT, API_ID, Deployment
from functions.runtime.http.route_table import Match

_TEXT: Final = re.compile(r"text/.*|application/(.*\+)?(json|xml)|application/javascript")
_NO_IDENTITY: Final = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as it came.

    `path` and `query`: percent-encoded. `headers`: names as they were sent, in order.
    `moment`: seconds since 1970.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    server_port: int
    protocol: str
    request_id: str
    moment: float

    def header(self, name: str) -> str:
        """Return a header's last value, or nothing."""
        values = [value for key, value in self.headers if key.lower() == name]
        return values[-1] if values else ""


def proxy_event(request: HttpRequest, match: Match, deployment: Deployment) -> dict[str, Any]:
    """Return the event for a handler, in the form that its route names."""
    form = _form_1 if match.route.form == "1.0" else _form_2
    return form(request, match, deployment)


def _form_1(request: HttpRequest, match: Match, deployment: Deployment) -> dict[str, Any]:
    headers = _multiple([*_without_forwarding(request), *_forwarding(request)])
    query = _multiple(parse_qsl(request.query, keep_blank_values=True))
    body, is_base64 = _body(request.body, is_text=True)
    return {
        "resource": match.route.path,
        "path": unquote(request.path),
        "httpMethod": request.method,
        "headers": _last_of_each(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last_of_each(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": None,
        "requestContext": _context_1(request, match, deployment),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _context_1(request: HttpRequest, match: Match, deployment: Deployment) -> dict[str, Any]:
    identity = dict.fromkeys(_NO_IDENTITY) | {
        "sourceIp": request.source_ip,
        "userAgent": request.header("user-agent") or None,
    }
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": request.header("host"),
        "domainPrefix": API_ID,
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": identity,
        "path": unquote(request.path),
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": _common_log_time(request.moment),
        "requestTimeEpoch": int(request.moment * 1000),
        "resourceId": f"{match.route.method} {match.route.path}",
        "resourcePath": match.route.path,
        "stage": deployment.stage,
    }


def _form_2(request: HttpRequest, match: Match, _deployment: Deployment) -> dict[str, Any]:
    route_key = f"{match.route.method} {match.route.path}"
    headers = _multiple(
        [(k.lower(), v) for k, v in [*_without_forwarding(request), *_forwarding(request)]]
    )
    cookies = [c.strip() for v in headers.pop("cookie", []) for c in v.split(";") if c.strip()]
    query = _multiple(parse_qsl(request.query, keep_blank_values=True))
    body, is_base64 = _body(request.body, is_text=_is_text(request.header("content-type")))
    event = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": {name: ",".join(values) for name, values in headers.items()},
        "queryStringParameters": {name: ",".join(values) for name, values in query.items()},
        "requestContext": _context_2(request, route_key),
        "body": body,
        "pathParameters": dict(match.parameters),
        "isBase64Encoded": is_base64,
    }
    # What is empty is left out, as AWS does in this form.
    optional = ("cookies", "queryStringParameters", "body", "pathParameters")
    return {key: value for key, value in event.items() if value or key not in optional}


def _context_2(request: HttpRequest, route_key: str) -> dict[str, Any]:
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": request.header("host"),
        "domainPrefix": API_ID,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent"),
        },
        "requestId": request.request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": _common_log_time(request.moment),
        "timeEpoch": int(request.moment * 1000),
    }


def _without_forwarding(request: HttpRequest) -> list[tuple[str, str]]:
    return [(k, v) for k, v in request.headers if not k.lower().startswith("x-forwarded-")]


def _forwarding(request: HttpRequest) -> list[tuple[str, str]]:
    """Return what API Gateway adds about the client; what the client said before it stays."""
    before = [v for k, v in request.headers if k.lower() == "x-forwarded-for"]
    return [
        ("X-Forwarded-For", ", ".join([*before, request.source_ip])),
        ("X-Forwarded-Port", str(request.server_port)),
        ("X-Forwarded-Proto", "http"),
    ]


def _multiple(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Collect values under their name; the first spelling of a header's name stands for all."""
    collected: dict[str, list[str]] = {}
    for name, value in pairs:
        collected.setdefault(name, []).append(value)
    return collected


def _last_of_each(values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: many[-1] for name, many in values.items()}


def _is_text(content_type: str) -> bool:
    """Whether an HTTP API hands a body of this media type on as text."""
    if not content_type:
        return True
    message = Message()
    message["Content-Type"] = content_type
    return _TEXT.fullmatch(message.get_content_type()) is not None


def _body(body: bytes, *, is_text: bool) -> tuple[str | None, bool]:
    if not body:
        return None, False
    if is_text:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _common_log_time(moment: float) -> str:
    """Return a moment in the form of web servers' common log, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%d/%b/%Y:%H:%M:%S %z")
