"""The WebSocket API: admits sockets through `$connect`, sends each message to its route, reports the end."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import cast
from urllib.parse import unquote

from local.gateway import ids
from local.gateway.faults import Faults
from local.gateway.http_messages import Request, Response, json_message, reason_phrase
from local.gateway.invoking import (
    Integration,
    IntegrationTimeout,
    InvokeError,
    InvokeThrottled,
    InvokeTimeout,
)
from local.gateway.route_selection import RouteSelection
from local.gateway.settings import GatewaySettings, SocketRoute
from local.gateway.socket_events import SocketEvents, SocketOrigin
from local.gateway.socket_protocol import SocketProtocol, handshake_response
from local.gateway.throttle import RouteThrottles, TokenBucket

_log = logging.getLogger(__name__)
_GOING_AWAY = 1001


class Socket:
    """Admitted; `opened` and `active` are by the settings' clock, `last_active_at` is in epoch seconds."""

    def __init__(self, origin: SocketOrigin, protocol: SocketProtocol, api: "WebSocketApi", opened: float) -> None:
        self.origin = origin
        self.protocol = protocol
        self._api = api
        self.opened = opened
        self.active = opened
        self.last_active_at = time.time()

    def touch(self, now: float) -> None:
        self.active = now
        self.last_active_at = time.time()

    def message_received(self, text: str) -> None:
        self._api.message_received(self, text)

    def socket_ended(self, code: int, reason: str) -> None:
        self._api.socket_ended(self, code, reason)


class WebSocketApi:
    """Knows the open sockets by connection id; `port` is where it is served (for the forwarded headers)."""

    port = 0

    def __init__(
        self, settings: GatewaySettings, integration: Integration, faults: Faults, account: TokenBucket
    ) -> None:
        self.settings = settings
        self.sockets: dict[str, Socket] = {}
        self._integration = integration
        self._faults = faults
        self._account = account
        self._routes: Mapping[str, SocketRoute] = {route.key: route for route in settings.socket_routes}
        self._selection = RouteSelection(settings.route_selection_expression, self._routes)
        self._events = SocketEvents(settings.api_id, settings.stage)
        self._new_connections = TokenBucket(settings.new_connections)
        self._throttles = RouteThrottles(settings.socket_throttles)
        self._handshakes: set[SocketProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # connecting

    def upgrade(self, request: Request) -> SocketProtocol:
        """Takes a handshake over; it is held until `$connect` has answered."""
        protocol = SocketProtocol(
            max_frame=self.settings.max_frame,
            max_message=self.settings.max_message,
            close_timeout=self.settings.close_timeout,
        )
        self._spawn(self._open(request, protocol))
        return protocol

    async def _open(self, request: Request, protocol: SocketProtocol) -> None:
        self._handshakes.add(protocol)
        try:
            handshake = self._refusal(request) or handshake_response(request)
            if handshake.status != 101:
                protocol.reject(handshake)
            else:
                await self._admit(request, protocol, handshake)
        finally:
            self._handshakes.discard(protocol)

    def _refusal(self, request: Request) -> Response | None:
        if len(request.target) > self.settings.max_socket_url:
            return json_message(414, "Request-URI Too Long")
        if unquote(request.path).rstrip("/") != f"/{self.settings.stage}":
            return json_message(403, "Forbidden")
        if not (self._account.take() and self._new_connections.take() and self._throttles.take("$connect")):
            return json_message(429, "Too Many Requests")
        return None

    async def _admit(self, request: Request, protocol: SocketProtocol, handshake: Response) -> None:
        origin = SocketOrigin(
            connection_id=ids.connection_id(),
            connected_at=time.time_ns() // 1_000_000,
            domain_name=request.header("host") or "localhost",
            source_ip=request.source_ip,
            user_agent=request.header("user-agent"),
        )
        status, subprotocol = await self._run_connect(origin, request)
        if not 200 <= status < 300:
            protocol.reject(_handshake_failure(status, origin))
            return
        if subprotocol is not None:
            handshake.headers = [*handshake.headers, ("Sec-WebSocket-Protocol", subprotocol)]
        socket = Socket(origin, protocol, self, self.settings.now())
        if protocol.lost.is_set():
            self.socket_ended(socket, 1006, "")
            return
        self.sockets[origin.connection_id] = socket
        protocol.listener = socket
        protocol.accept(handshake)

    async def _run_connect(self, origin: SocketOrigin, request: Request) -> tuple[int, str | None]:
        """The handshake's status and subprotocol."""
        route = self._routes.get("$connect")
        if route is None:
            return 200, None
        event = self._events.connect(origin, request, self.port)
        try:
            result = await self._integration.call(route.function, event, self.settings.socket_timeout)
        except IntegrationTimeout:
            return 504, None
        except InvokeThrottled:
            return 429, None
        except (InvokeError, InvokeTimeout):
            return 502, None
        except Exception:
            _log.exception("$connect could not be invoked")
            return 500, None
        return _connect_answer(result)

    # messages

    def message_received(self, socket: Socket, text: str) -> None:
        """Every message runs on its own: two of one connection may overtake each other, as on AWS."""
        socket.touch(self.settings.now())
        self._spawn(self._dispatch(socket, text))

    async def _dispatch(self, socket: Socket, text: str) -> None:
        if jitter := self._faults.jitter():
            await asyncio.sleep(jitter)
        route_key = self._selection.route_key(text)
        route = self._routes.get(route_key)
        event = self._events.message(socket.origin, route_key, text)
        request_id = _request_id(event)
        if route is None:
            self._send_error(socket, "Forbidden", request_id)
        elif not (self._account.take() and self._throttles.take(route_key)):
            self._send_error(socket, "Too Many Requests", request_id)
        else:
            await self._run_route(socket, route, event, request_id)

    async def _run_route(self, socket: Socket, route: SocketRoute, event: object, request_id: str) -> None:
        try:
            result = await self._integration.call(route.function, event, self.settings.socket_timeout)
            body = _route_response(result) if route.two_way else ""
            payload = body.encode()
        except Exception as error:
            _log.debug("route %s failed: %r", route.key, error)
            self._send_error(socket, "Internal server error", request_id)
            return
        if len(payload) > self.settings.max_message:
            self._send_error(socket, "Internal server error", request_id)
        elif payload:
            self.send(socket, payload)

    def _send_error(self, socket: Socket, message: str, request_id: str) -> None:
        connection = socket.origin.connection_id
        self.send(
            socket,
            f'{{"message": "{message}", "connectionId":"{connection}", "requestId":"{request_id}"}}'.encode(),
        )

    def send(self, socket: Socket, payload: bytes) -> bool:
        """One text frame; False if the socket is gone."""
        socket.touch(self.settings.now())
        return socket.protocol.send_text(payload)

    # ending

    def socket_ended(self, socket: Socket, code: int, reason: str) -> None:
        self.sockets.pop(socket.origin.connection_id, None)
        route = self._routes.get("$disconnect")
        if route is not None and not self._faults.loses_disconnect():
            self._spawn(self._report_end(route, self._events.disconnect(socket.origin, code, reason)))

    async def _report_end(self, route: SocketRoute, event: object) -> None:
        if self._faults.disconnect_delay:
            await asyncio.sleep(self._faults.disconnect_delay)
        try:
            await self._integration.call(route.function, event, self.settings.socket_timeout)
        except Exception as error:
            _log.debug("$disconnect failed: %r", error)

    def close_overdue(self) -> None:
        """Closes the sockets that were idle or open for too long."""
        now = self.settings.now()
        idle_since = now - self.settings.idle_seconds
        opened_before = now - self.settings.lifetime_seconds
        for socket in list(self.sockets.values()):
            if socket.active <= idle_since or socket.opened <= opened_before:
                socket.protocol.close(_GOING_AWAY, "Going away")

    async def stop(self) -> None:
        self._routes = {}
        for protocol in [*self._handshakes, *(socket.protocol for socket in self.sockets.values())]:
            protocol.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a socket's task failed", exc_info=error)


def _connect_answer(result: object) -> tuple[int, str | None]:
    """Status and subprotocol of a `$connect` result; what has no status is a bad gateway's 502."""
    if not isinstance(result, dict):
        return 502, None
    try:
        status = int(result["statusCode"])
    except (KeyError, TypeError, ValueError):
        return 502, None
    subprotocol = _subprotocol(result)
    if not 200 <= status <= 599 or not _is_header_value(subprotocol or ""):
        return 502, None
    return status, subprotocol


def _subprotocol(result: Mapping[str, object]) -> str | None:
    for field in ("headers", "multiValueHeaders"):
        headers = result.get(field)
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if name.lower() == "sec-websocket-protocol":
                return str(value[0] if isinstance(value, list) else value)
    return None


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _handshake_failure(status: int, origin: SocketOrigin) -> Response:
    message = "Internal server error" if status >= 500 else reason_phrase(status)
    body = f'{{"message":"{message}","connectionId":"{origin.connection_id}","requestId":"{ids.request_id()}"}}'
    return Response(status, [("content-type", "application/json")], body.encode())


def _route_response(result: object) -> str:
    """The text a two-way route answers; raises on what is no proxy response."""
    if result is None:
        return ""
    if not isinstance(result, dict) or not isinstance(result.get("body") or "", str):
        raise ValueError("malformed Lambda proxy response")
    return result.get("body") or ""


def _request_id(event: Mapping[str, object]) -> str:
    context = cast(Mapping[str, str], event["requestContext"])
    return context["requestId"]
