"""The events of a WebSocket API, field by field as captured from AWS (facts/aws.md §1.1)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from local.gateway import ids
from local.gateway.http_messages import Request

Event = dict[str, object]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOP_BY_HOP = ("connection", "upgrade")


def request_time(epoch_ms: int) -> str:
    """`11/Nov/2024:11:35:24 +0000`, whatever the locale."""
    t = time.gmtime(epoch_ms / 1000)
    month = _MONTHS[t.tm_mon - 1]
    return f"{t.tm_mday:02}/{month}/{t.tm_year}:{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"


@dataclass(frozen=True, slots=True)
class SocketOrigin:
    """What every event of one connection repeats; `connected_at` in ms since the epoch."""

    connection_id: str
    connected_at: int
    domain_name: str
    source_ip: str
    user_agent: str | None

    @property
    def identity(self) -> dict[str, str]:
        agent = {"userAgent": self.user_agent} if self.user_agent else {}
        return {**agent, "sourceIp": self.source_ip}


class SocketEvents:
    """Makes the events of one API and stage."""

    def __init__(self, api_id: str, stage: str) -> None:
        self._api_id = api_id
        self._stage = stage

    def connect(self, origin: SocketOrigin, request: Request, port: int) -> Event:
        headers = [(name, value) for name, value in request.headers if name.lower() not in _HOP_BY_HOP]
        headers += [
            ("X-Amzn-Trace-Id", ids.trace_id()),
            ("X-Forwarded-For", origin.source_ip),
            ("X-Forwarded-Port", str(port)),
            ("X-Forwarded-Proto", "http"),
        ]
        event = _with_pairs({}, "headers", "multiValueHeaders", headers)
        query = parse_qsl(request.query, keep_blank_values=True)
        if query:
            event = _with_pairs(event, "queryStringParameters", "multiValueQueryStringParameters", query)
        return {
            **event,
            "requestContext": self._context(origin, "$connect", "CONNECT"),
            "isBase64Encoded": False,
        }

    def message(self, origin: SocketOrigin, route_key: str, text: str) -> Event:
        extra = {"messageId": ids.message_id(origin.connection_id)}
        context = self._context(origin, route_key, "MESSAGE", extra)
        return {"requestContext": context, "body": text, "isBase64Encoded": False}

    def disconnect(self, origin: SocketOrigin, code: int, reason: str) -> Event:
        headers = [
            ("Host", origin.domain_name),
            ("x-api-key", ""),
            ("X-Forwarded-For", ""),
            ("x-restapi", ""),
        ]
        extra = {"disconnectStatusCode": code, "disconnectReason": reason}
        context = self._context(origin, "$disconnect", "DISCONNECT", extra)
        event = _with_pairs({}, "headers", "multiValueHeaders", headers)
        return {**event, "requestContext": context, "isBase64Encoded": False}

    def _context(
        self, origin: SocketOrigin, route_key: str, event_type: str, extra: Mapping[str, object] | None = None
    ) -> Event:
        now_ms = time.time_ns() // 1_000_000
        request_id = ids.request_id()
        return {
            "routeKey": route_key,
            **(extra or {}),
            "eventType": event_type,
            "extendedRequestId": request_id,
            "requestTime": request_time(now_ms),
            "messageDirection": "IN",
            "stage": self._stage,
            "connectedAt": origin.connected_at,
            "requestTimeEpoch": now_ms,
            "identity": origin.identity,
            "requestId": request_id,
            "domainName": origin.domain_name,
            "connectionId": origin.connection_id,
            "apiId": self._api_id,
        }


def _with_pairs(event: Event, single: str, multiple: str, pairs: list[tuple[str, str]]) -> Event:
    """Adds both spellings of a list of pairs; the single one keeps the last value of a name."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {**event, single: {name: many[-1] for name, many in values.items()}, multiple: values}
