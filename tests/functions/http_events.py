"""Calls an HTTP function as API Gateway does (payload 2.0), without a server in between."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class FunctionClient:
    """`request(method, path, …)` answers what a client would get."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes = b"",
    ) -> httpx.Response:
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if json is not None:
            content = _json(json)
            sent.setdefault("content-type", "application/json")
        if content:
            sent["content-length"] = str(len(content))
        answer = self._handler(_event(method, path, sent, content), None)
        body = answer.get("body") or ""
        raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return httpx.Response(answer["statusCode"], headers=answer.get("headers", {}), content=raw)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _event(method: str, path: str, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    parts = urlsplit(path)
    return {
        "version": "2.0",
        "routeKey": "ANY /x/{proxy+}",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": {"host": "api.test", **headers},
        "requestContext": {
            "http": {"method": method, "path": parts.path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"},
            "requestId": secrets.token_hex(8),
            "stage": "$default",
        },
        "body": base64.b64encode(content).decode() if content else None,
        "isBase64Encoded": bool(content),
    }
