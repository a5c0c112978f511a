"""HTTP API payload format 2.0: requests to events, and function results to responses (facts/aws.md §2)."""

import base64
import binascii
import json
import time
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

from local.gateway import ids
from local.gateway.http_messages import Request, Response
from local.gateway.http_routes import RouteMatch
from local.gateway.settings import GatewaySettings
from local.gateway.socket_events import request_time

Event = dict[str, object]

_NOT_FORWARDED = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "expect",
    "proxy-connection",
}
_SET_BY_GATEWAY = {"content-length", "connection", "transfer-encoding", "keep-alive"}
_TEXT_TYPES = {"application/json", "application/javascript", "application/xml"}


class MalformedResponse(Exception):
    """The function's result is no response of payload format 2.0."""


def http_event(settings: GatewaySettings, request: Request, match: RouteMatch, request_id: str, port: int) -> Event:
    headers, cookies = _headers(request, port)
    event: Event = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(settings, request, headers, match.route.key, request_id),
        "isBase64Encoded": False,
    }
    query = _joined(parse_qsl(request.query, keep_blank_values=True))
    optional = {"cookies": cookies, "queryStringParameters": query, "pathParameters": match.path_parameters}
    event.update({name: value for name, value in optional.items() if value})
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers)
    return event


def _headers(request: Request, port: int) -> tuple[dict[str, str], list[str]]:
    pairs = [(name.lower(), value) for name, value in request.headers if name.lower() not in _NOT_FORWARDED]
    cookies = [
        cookie.strip() for name, value in pairs if name == "cookie" for cookie in value.split(";") if cookie.strip()
    ]
    headers = _joined((name, value) for name, value in pairs if name != "cookie")
    forwarded = headers.get("x-forwarded-for")
    headers["content-length"] = str(len(request.body))
    headers.setdefault("x-amzn-trace-id", ids.trace_id())
    headers["x-forwarded-for"] = f"{forwarded}, {request.source_ip}" if forwarded else request.source_ip
    headers["x-forwarded-port"] = str(port)
    headers["x-forwarded-proto"] = "http"
    return dict(sorted(headers.items())), cookies


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _context(
    settings: GatewaySettings, request: Request, headers: dict[str, str], route_key: str, request_id: str
) -> Event:
    now_ms = time.time_ns() // 1_000_000
    domain = headers.get("host", "localhost")
    return {
        "accountId": settings.account_id,
        "apiId": settings.api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": request.version,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": request_time(now_ms),
        "timeEpoch": now_ms,
    }


def _body(body: bytes, headers: dict[str, str]) -> tuple[str, bool]:
    """Text by its content type, everything else (form posts too) as base64."""
    if "content-encoding" not in headers and _is_text_type(headers.get("content-type")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _is_text_type(content_type: str | None) -> bool:
    if content_type is None:
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))


def http_response(result: object) -> Response:
    """The response a result means; raises `MalformedResponse`."""
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return Response(200, [("content-type", "application/json")], text.encode())
    status = _status(result["statusCode"])
    headers = [
        (_scalar(name).lower(), _scalar(value))
        for name, value in _mapping(result.get("headers")).items()
        if name.lower() not in _SET_BY_GATEWAY
    ]
    body = _response_body(result)
    if body and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    headers += [("set-cookie", _scalar(cookie)) for cookie in result.get("cookies") or ()]
    return Response(status, headers, body)


def _status(value: object) -> int:
    try:
        status = int(str(value))
    except ValueError as error:
        raise MalformedResponse(f"statusCode {value!r}") from error
    if not 200 <= status <= 599:
        raise MalformedResponse(f"statusCode {value!r}")
    return status


def _mapping(value: object) -> dict[str, object]:
    if value is not None and not isinstance(value, dict):
        raise MalformedResponse("headers are no object")
    return value or {}


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise MalformedResponse(f"header value {value!r}")
    text = str(value)
    if "\r" in text or "\n" in text:
        raise MalformedResponse("line break in a header")
    return text


def _response_body(result: dict[str, object]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponse("body is no string")
    if not result.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedResponse("body is no base64") from error
