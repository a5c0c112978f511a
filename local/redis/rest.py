"""The Upstash Redis REST API in front of a Valkey: what `upstash-redis` clients talk to on one machine."""

import asyncio
import hmac
import secrets
from http import HTTPStatus

from aiohttp import web

from local.redis.engine import Discarded, Engine
from local.redis.json_wire import (
    BadRequest,
    command_from_json,
    command_from_path,
    commands_from_json,
    dump,
    parse_body,
    result,
)
from local.redis.link import LinkLost, LinkPool
from local.redis.refusals import MAX_REQUEST_BYTES
from local.redis.resp import Failure, Reply, encode_reply

UNAUTHORIZED = "WRONGPASS invalid or missing auth token"
_METHODS = frozenset({"HEAD", "GET", "POST", "PUT"})


class UpstashGateway:
    """Serves one Valkey at `address` (see `LinkPool`) over REST; `token` is the only credential.

    `round_trips` counts the HTTP requests that were answered or failed on purpose.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.round_trips = 0
        self.host, self.port = "127.0.0.1", 0
        self._pool = LinkPool(address, f"upstash-gateway-{secrets.token_hex(3)}")
        self._engine = Engine(self._pool)
        self._sync_token = 0
        self._server: asyncio.Server | None = None
        self._web = web.Server(self._serve, access_log=None)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one; `url` tells which."""
        self._server = await asyncio.get_running_loop().create_server(self._web, host, port, backlog=512)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._web.shutdown(timeout=0.5)
        self._pool.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.round_trips += 1
        if request.method not in _METHODS:
            return self._error(HTTPStatus.METHOD_NOT_ALLOWED, f"ERR method {request.method} is not allowed")
        if not self._authorized(request):
            return self._error(HTTPStatus.UNAUTHORIZED, UNAUTHORIZED)
        try:
            return await self._answer(request)
        except (BadRequest, Discarded) as error:
            return self._error(HTTPStatus.BAD_REQUEST, str(error))
        except (LinkLost, OSError) as error:
            return self._error(
                HTTPStatus.SERVICE_UNAVAILABLE, f"ERR the local Valkey is unreachable: {error}"
            )

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = await _read(request)
        path = "/" + request.raw_path.partition("?")[0].strip("/")
        as_resp2 = _wants_resp2(request)
        base64_encoded = request.headers.get("Upstash-Encoding", "").lower() == "base64"
        if path == "/multi-exec":
            return self._items(
                await self._engine.transact(commands_from_json(parse_body(body))), base64_encoded
            )
        if path == "/pipeline":
            replies = await self._engine.run(commands_from_json(parse_body(body)))
            if as_resp2:
                return self._respond(b"".join(map(encode_reply, replies)), "application/octet-stream")
            return self._items(replies, base64_encoded)
        if path == "/":
            command = command_from_json(parse_body(body))
        else:
            command = list(command_from_path(path, request.raw_path.partition("?")[2], body))
        reply = (await self._engine.run([command]))[0]
        if as_resp2:
            return self._respond(encode_reply(reply), "application/octet-stream")
        status = HTTPStatus.BAD_REQUEST if isinstance(reply, Failure) else HTTPStatus.OK
        return self._respond(dump(result(reply, base64_encoded)), status=status)

    def _items(self, replies: list[Reply], base64_encoded: bool) -> web.Response:
        return self._respond(dump([result(reply, base64_encoded) for reply in replies]))

    def _error(self, status: HTTPStatus, text: str) -> web.Response:
        return self._respond(dump({"error": text}), status=status)

    def _respond(
        self, body: bytes, content_type: str = "application/json", status: HTTPStatus = HTTPStatus.OK
    ) -> web.Response:
        self._sync_token += 1
        headers = {"Content-Type": content_type, "Upstash-Sync-Token": f"local={self._sync_token}"}
        return web.Response(body=body, status=status, headers=headers)

    def _authorized(self, request: web.BaseRequest) -> bool:
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            credential = request.query.get("_token", "")
        return hmac.compare_digest(credential.strip().encode(), self.token.encode())


def _wants_resp2(request: web.BaseRequest) -> bool:
    wanted = request.headers.get("Upstash-Response-Format", "")
    if wanted in ("", "json"):
        return False
    if wanted != "resp2" or "Upstash-Encoding" in request.headers or request.path.strip("/") == "multi-exec":
        raise BadRequest("ERR invalid response format")
    return True


async def _read(request: web.BaseRequest) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_REQUEST_BYTES:
            raise BadRequest("ERR max request size exceeded")
        chunks.append(chunk)
    return b"".join(chunks)
