"""The `@connections` API: the answers its callers must tell apart, and the faults they must survive."""

import asyncio
import json
from collections.abc import Awaitable
from datetime import UTC, datetime
from urllib.parse import unquote

from local.gateway import ids, signatures
from local.gateway.faults import ConnectionFault, Faults
from local.gateway.http_messages import Request, Response, json_message
from local.gateway.settings import GatewaySettings
from local.gateway.throttle import TokenBucket
from local.gateway.websocket_api import Socket, WebSocketApi

_CLOSED_NORMALLY = 1000
_FAULT_TYPES = {
    400: "BadRequestException",
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
    500: "InternalServerErrorException",
    503: "ServiceUnavailableException",
}


class ConnectionsApi:
    """Everything on the WebSocket port that is no handshake; `accepted` counts the messages that went to a socket."""

    def __init__(self, settings: GatewaySettings, sockets: WebSocketApi, faults: Faults, account: TokenBucket) -> None:
        self._settings = settings
        self._sockets = sockets
        self._faults = faults
        self._account = account
        self.accepted = 0

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answers at once unless a fault makes it wait."""
        connection_id, refusal = self._locate(request)
        if refusal is not None:
            return refusal
        refusal = self._refusal(request, connection_id)
        if refusal is not None:
            return refusal
        fault = self._faults.strike(request.method, connection_id)
        if fault is not None:
            return self._fail(request, connection_id, fault)
        return self._answer(request, connection_id)

    def _locate(self, request: Request) -> tuple[str, Response | None]:
        segments = [unquote(segment) for segment in request.path.split("/")[1:]]
        stage = self._settings.stage
        if request.method == "GET" and segments in ([stage], [stage, ""]):
            return "", json_message(426, "Upgrade Required", [("upgrade", "websocket")])
        if len(segments) != 3 or segments[1] != "@connections":
            return "", _error(403, "Forbidden")
        if segments[0] != stage or request.method not in ("POST", "GET", "DELETE"):
            route = "/".join(segments)
            method = request.method
            return "", _error(403, f"No method found matching route {route} for http method {method}.")
        return segments[2], None

    def _refusal(self, request: Request, connection_id: str) -> Response | None:
        if request.body_too_large:
            return _error(413, "Request Too Long")
        if self._settings.require_signature:
            try:
                signatures.check(request, self._settings.credentials)
            except signatures.BadSignature as bad:
                return _error(403, str(bad), bad.code)
        if not self._account.take():
            return _error(429, "Too Many Requests")
        if not ids.is_connection_id(connection_id):
            return _error(400, f"Invalid connectionId: {connection_id}")
        return None

    async def _fail(self, request: Request, connection_id: str, fault: ConnectionFault) -> Response:
        if fault.delay:
            await asyncio.sleep(fault.delay)
        truth = fault.status is None and not fault.hang
        answer = self._answer(request, connection_id) if truth or fault.effect else _error(500, "")
        if fault.hang:
            await request.wait_closed()
        if fault.status is not None:
            return _error(fault.status, "" if fault.status == 410 else "Injected fault")
        return answer

    def _answer(self, request: Request, connection_id: str) -> Response:
        socket = self._sockets.sockets.get(connection_id)
        if socket is None:
            return _error(410, "")
        if request.method == "POST":
            return self._post(request, socket)
        if request.method == "DELETE":
            socket.protocol.close(_CLOSED_NORMALLY, "Connection Closed Normally")
            return Response(204)
        return _describe(socket)

    def _post(self, request: Request, socket: Socket) -> Response:
        if not _is_text(request.body):
            return _error(400, "Data is not UTF-8 text")
        if socket.protocol.unsent > self._settings.client_buffer:
            return _error(429, "Client side buffer is full")
        if not self._sockets.send(socket, request.body):
            return _error(410, "")
        self.accepted += 1
        return Response(200)


def _error(status: int, message: str, error_type: str | None = None) -> Response:
    """An empty message makes an empty body, which is what a real 410 has."""
    header = ("x-amzn-ErrorType", error_type or _FAULT_TYPES.get(status, "InternalServerErrorException"))
    return json_message(status, message, [header]) if message else Response(status, [header])


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _describe(socket: Socket) -> Response:
    description = {
        "connectedAt": _iso(socket.origin.connected_at / 1000),
        "identity": socket.origin.identity,
        "lastActiveAt": _iso(socket.last_active_at),
    }
    return Response(200, [("content-type", "application/json")], json.dumps(description).encode())


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
