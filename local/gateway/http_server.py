"""A lean HTTP/1.1 server on httptools (llhttp), because a fan-out is thousands of small requests a second.

A handler may answer at once, without a task of its own, or with an awaitable. An upgrade to WebSocket hands
the connection over to another asyncio protocol.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from local.gateway.http_messages import Request, Response, json_message

Handler = Callable[[Request], Response | Awaitable[Response]]
Upgrade = Callable[[Request], asyncio.Protocol]

_log = logging.getLogger(__name__)
_HEAD_CEILING = 64 * 1024
_BODY_CEILING = 64 * 1024 * 1024


class HttpServer:
    """Serves one port. `max_head` and `max_body` are in bytes; `upgrade` takes over WebSocket handshakes."""

    def __init__(self, handler: Handler, *, max_head: int, max_body: int, upgrade: Upgrade | None = None) -> None:
        self.handler = handler
        self.upgrade = upgrade
        self.max_head = max_head
        self.max_body = max_body
        self.connections: set[HttpConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens and returns the port; 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpConnection(self), host, port, backlog=4096)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.abort()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class HttpConnection(asyncio.Protocol):
    """One client connection with keep-alive; pipelined requests are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._closed: asyncio.Future[None] | None = None
        self._lost = False
        self._discarding = False
        self._upgrade_wanted = False
        self._new_parser()

    def _new_parser(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = True
        self._head_bytes = 0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._source_ip = str(transport.get_extra_info("peername")[0])
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._server.connections.discard(self)
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade_offer(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(json_message(400, "Bad Request"))
        else:
            if self._in_head and self._head_bytes > _HEAD_CEILING:
                self._refuse(json_message(431, "Request Header Fields Too Large"))

    def _after_upgrade_offer(self, rest: bytes) -> None:
        if self._upgrade_wanted and self._server.upgrade is not None:
            self._hand_over(self._server.upgrade(self._request), rest)
            return
        self._new_parser()
        if rest:
            self.data_received(rest)

    def _hand_over(self, protocol: asyncio.Protocol, rest: bytes) -> None:
        self._server.connections.discard(self)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if rest:
            protocol.data_received(rest)

    # httptools' side

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._counted = 0
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._counted += len(name) + len(value) + 4
        self._headers.append((name.decode("latin-1"), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._request = Request(
            method=self._parser.get_method().decode(),
            target=self._url.decode("latin-1"),
            headers=self._headers,
            source_ip=self._source_ip,
            version=f"HTTP/{self._parser.get_http_version()}",
            wait_closed=self._wait_closed,
        )
        if self._counted + len(self._url) > self._server.max_head:
            self._refuse(json_message(431, "Request Header Fields Too Large"))
            return
        self._upgrade_wanted = self._is_websocket_handshake()
        self._answer_expectation()

    def _is_websocket_handshake(self) -> bool:
        return bool(
            self._parser.should_upgrade()
            and self._request.method == "GET"
            and (self._request.header("upgrade") or "").lower() == "websocket"
        )

    def _answer_expectation(self) -> None:
        if (self._request.header("expect") or "").lower() != "100-continue":
            return
        if int(self._request.header("content-length") or 0) > self._server.max_body:
            self._refuse(json_message(413, "Request Entity Too Large"))
        else:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._discarding:
            return
        self._body_bytes += len(body)
        if self._body_bytes <= self._server.max_body:
            self._body.append(body)
        elif self._body_bytes > _BODY_CEILING:
            self._refuse(json_message(413, "Request Entity Too Large"))

    def on_message_complete(self) -> None:
        if self._discarding or (self._upgrade_wanted and self._server.upgrade is not None):
            return
        request = self._request
        request.body_too_large = self._body_bytes > self._server.max_body
        request.body = b"" if request.body_too_large else b"".join(self._body)
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._busy:
            self.transport.pause_reading()
        else:
            self._answer_next()

    # answering

    def _answer_next(self) -> None:
        while self._waiting and not self._busy:
            request, keep_alive = self._waiting.popleft()
            answer = self._call(request)
            if isinstance(answer, Response):
                self._send(request, answer, keep_alive)
            else:
                self._busy = True
                task = asyncio.ensure_future(self._answer_later(request, answer, keep_alive))
                self._server.tasks.add(task)
                task.add_done_callback(self._server.tasks.discard)

    def _call(self, request: Request) -> Response | Awaitable[Response]:
        try:
            return self._server.handler(request)
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return json_message(500, "Internal Server Error")

    async def _answer_later(self, request: Request, answer: Awaitable[Response], keep_alive: bool) -> None:
        try:
            response = await answer
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            response = json_message(500, "Internal Server Error")
        self._busy = False
        self._send(request, response, keep_alive)
        if not self._lost:
            self.transport.resume_reading()
            self._answer_next()

    def _send(self, request: Request, response: Response, keep_alive: bool) -> None:
        if self._lost or self._discarding:
            return
        self.transport.write(response.serialize(keep_alive, with_body=request.method != "HEAD"))
        if not keep_alive:
            self._waiting.clear()
            self.transport.close()

    def _refuse(self, response: Response) -> None:
        """Answers before the request is read whole, then drops what still comes in."""
        self._discarding = True
        self.transport.write(response.serialize(keep_alive=False))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(5, self.transport.close)

    async def _wait_closed(self) -> None:
        if self._lost:
            return
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._closed)

    def abort(self) -> None:
        self.transport.abort()
