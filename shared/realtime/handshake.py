"""What a WebSocket handshake brings: headers in any case, a token in one of three places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SUBPROTOCOL: Final = "centrifuge-json"
_BEARER: Final = "bearer."


@dataclass(frozen=True)
class Handshake:
    """`token` is empty when none came; `subprotocol` is the one to echo, never the one that carries the token."""

    connection: str
    address: str
    token: str
    tenant: str | None
    subprotocol: str


def handshake_of(event: Mapping[str, Any]) -> Handshake:
    """Reads API Gateway's CONNECT event."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    query = event.get("queryStringParameters") or {}
    offered = [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip()]
    context = event["requestContext"]
    return Handshake(
        connection=context["connectionId"],
        address=context["identity"]["sourceIp"],
        token=_authorization(headers) or query.get("access_token", "") or _token_offered(offered),
        tenant=headers.get("x-tenant-id") or query.get("tenant") or None,
        subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else "",
    )


def _authorization(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _token_offered(offered: list[str]) -> str:
    return next((name[len(_BEARER) :] for name in offered if name.startswith(_BEARER)), "")
