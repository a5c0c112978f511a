"""The WebSocket functions as API Gateway calls them: its exact events, and what it makes of the answers."""

import base64
import importlib
import json
import secrets
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.settings import settings
from tests.support.connections import RecordingConnections

ADDRESS = "166.90.225.1"
NAMES = ("connect", "message", "disconnect")


@dataclass
class Gateway:
    """One WebSocket API; `tenant` is new, and tokens are of it unless a test says otherwise."""

    functions: dict[str, ModuleType]
    sent: RecordingConnections
    issuer: ThreadedIssuer
    tenant: str = field(default_factory=lambda: f"t{secrets.token_hex(6)}")

    def token(self, user: str = "ann", *permissions: str, **claims: Any) -> str:
        metadata = {"tenant_id": self.tenant, "permissions": list(permissions or ("read", "write"))}
        return self.issuer.mint(**{"sub": user, "app_metadata": metadata, **claims})

    def expired_token(self, user: str = "ann") -> str:
        now = int(time.time())
        return self.token(user, iat=now - 7200, exp=now - 3600)

    def handshake(self, **parts: Any) -> tuple[str, dict[str, Any]]:
        """A new connection's id, and what the function answered."""
        connection = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
        return connection, self.functions["connect"].handler(connect_event(connection, **parts), None)

    def open(self, token: str = "", **parts: Any) -> str:
        """The id of an admitted socket."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection, answer = self.handshake(headers=headers, **parts)
        assert answer["statusCode"] == 200, answer
        return connection

    def client(self, user: str = "ann", *permissions: str) -> str:
        """The id of a connected client, which sent its token in its first frame."""
        connection = self.open()
        assert self.send(connection, {"id": 1, "connect": {"token": self.token(user, *permissions)}}) == []
        assert self.reply(connection, 1)["connect"]["client"] == connection
        return connection

    def send_text(self, connection: str, text: str) -> str:
        answer = self.functions["message"].handler(message_event(connection, text), None)
        assert answer["statusCode"] == 200
        body: str = answer["body"]
        assert len(body.encode()) <= 131_072
        return body

    def send(self, connection: str, *commands: dict[str, Any]) -> list[dict[str, Any]]:
        """The replies in the route's response, without the keep-alive push that stands for none."""
        body = self.send_text(connection, "\n".join(map(json.dumps, commands)))
        frames = [json.loads(line) for line in body.split("\n")]
        return [frame for frame in frames if frame != {"push": {"channel": "$ka"}}]

    def ask(self, connection: str, command_id: int, method: str, /, **params: Any) -> dict[str, Any]:
        """The one reply, wherever it came."""
        direct = self.send(connection, {"id": command_id, method: params})
        return direct[0] if direct else self.reply(connection, command_id)

    def error(self, connection: str, command_id: int, method: str, /, **params: Any) -> int:
        """The code of the error that answers the command."""
        return int(self.ask(connection, command_id, method, **params)["error"]["code"])

    def reply(self, connection: str, command_id: int) -> dict[str, Any]:
        """The reply that was posted to the connection."""
        (found,) = [frame for frame in self.sent.frames(connection) if frame.get("id") == command_id]
        return found

    def ended(self, connection: str) -> list[int]:
        """The codes of its disconnect pushes; the socket was closed once for each."""
        codes = [push["code"] for push in self.sent.pushes(connection, "disconnect")]
        assert self.sent.closed.count(connection) == len(codes)
        return codes

    def leave(self, connection: str) -> None:
        self.functions["disconnect"].handler(disconnect_event(connection), None)


def gateway_of(
    upstash: ThreadedUpstash,
    issuer: ThreadedIssuer,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    **environment: str,
) -> Gateway:
    """The functions in environments of their own, which read their settings as in Lambda."""
    environment = {
        "UPSTASH_REDIS_REST_URL": upstash.rest_url,
        "UPSTASH_REDIS_REST_TOKEN": upstash.token,
        "SUPABASE_URL": issuer.url,
        "CONNECTIONS_ENDPOINT": sent.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SEND_TIMEOUT_MS": "400",
        "INLINE_DRAIN_MS": "5000",
        **environment,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    functions = {name: importlib.reload(importlib.import_module(f"functions.{name}.handler")) for name in NAMES}
    settings.cache_clear()
    return Gateway(functions, sent, issuer)


def connect_event(connection: str, *, headers: dict[str, str] | None = None, **query: str) -> dict[str, Any]:
    shown = {
        "Host": "fjnq7njcv2.execute-api.us-east-1.amazonaws.com",
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Key": "+W5xw47OHh3OTFsWKjGu9Q==",
        "Sec-WebSocket-Version": "13",
        "X-Amzn-Trace-Id": "Root=1-6731ebfc-08e1e656421db73c5d2eef31",
        "X-Forwarded-For": ADDRESS,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **(headers or {}),
    }
    event: dict[str, Any] = {
        "headers": shown,
        "multiValueHeaders": {name: [value] for name, value in shown.items()},
        "requestContext": {"routeKey": "$connect", "eventType": "CONNECT", **_context(connection)},
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    return event


def message_event(connection: str, text: str) -> dict[str, Any]:
    context = {"routeKey": "$default", "messageId": "BFaVtfGSIAMCKug=", "eventType": "MESSAGE", **_context(connection)}
    return {"requestContext": context, "body": text, "isBase64Encoded": False}


def disconnect_event(connection: str) -> dict[str, Any]:
    headers = {"Host": "x.execute-api.us-east-1.amazonaws.com", "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    context = {
        "routeKey": "$disconnect",
        "disconnectStatusCode": 1005,
        "eventType": "DISCONNECT",
        "disconnectReason": "Client-side close frame status not set",
        **_context(connection),
    }
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": context,
        "isBase64Encoded": False,
    }


def _context(connection: str) -> dict[str, Any]:
    now_ms = int(time.time() * 1000)
    return {
        "extendedRequestId": "BFHPhFe3IAMF95g=",
        "requestTime": "11/Nov/2024:11:35:24 +0000",
        "messageDirection": "IN",
        "stage": "prod",
        "connectedAt": now_ms - 8,
        "requestTimeEpoch": now_ms,
        "identity": {"sourceIp": ADDRESS},
        "requestId": "BFHPhFe3IAMF95g=",
        "domainName": "fjnq7njcv2.execute-api.us-east-1.amazonaws.com",
        "connectionId": connection,
        "apiId": "fjnq7njcv2",
    }
