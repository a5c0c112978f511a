"""The Upstash Redis REST API in front of a Valkey: what `upstash-redis` clients talk to on one machine."""

import asyncio
import hmac
import secrets
from http import HTTPStatus

from aiohttp import web

from local.redis.engine import Discarded, Engine
from local.redis.faults import BAD_GATEWAY_PAGE, QUOTA_ERROR, Fault, Faults
from local.redis.json_wire import BadRequest, dump, result
from local.redis.link import LinkLost, LinkPool
from local.redis.replica import Freshness, FrozenReplica
from local.redis.requests import Call, Route, read_call
from local.redis.resp import Failure, Reply, encode_reply
from local.redis.streams import stream

UNAUTHORIZED = "WRONGPASS invalid or missing auth token"
_METHODS = frozenset({"HEAD", "GET", "POST", "PUT"})
_HANG_CHECK_S = 0.02
_MAX_LINE_BYTES = 64 * 1024


class UpstashGateway:
    """Serves one Valkey at `address` (see `LinkPool`) over REST; `token` is the only credential.

    `round_trips` counts the HTTP requests received; `faults` makes them fail.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.faults = Faults()
        self.round_trips = 0
        self.host, self.port = "127.0.0.1", 0
        self._address = address
        self._engine = Engine(LinkPool(address, f"upstash-gateway-{secrets.token_hex(3)}"))
        self._freshness = Freshness()
        self._replica: FrozenReplica | None = None
        self._frozen_at = 0
        self._server: asyncio.Server | None = None
        self._web = web.Server(self._serve, access_log=None, max_line_size=_MAX_LINE_BYTES)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one; `url` tells which. `LinkLost` or `OSError` if Valkey is not there."""
        await self._freshness.learn(self._engine)
        self._server = await asyncio.get_running_loop().create_server(self._web, host, port, backlog=512)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._web.shutdown(timeout=0.2)
        await self.thaw()
        await self._engine.pool.close()

    async def freeze(self) -> None:
        """From now on, reads whose sync token names no later write are answered as of now.

        This is what an Upstash replica may do to a caller that forgets its token; scripts (but EVAL_RO)
        and writes go to the primary, as there.
        """
        await self.thaw()
        self._frozen_at = self._freshness.writes
        self._replica = await FrozenReplica.of(self._address, self._engine)

    async def thaw(self) -> None:
        """The replica has caught up."""
        replica, self._replica = self._replica, None
        if replica is not None:
            await replica.stop()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.round_trips += 1
        if request.method not in _METHODS:
            return self._error(HTTPStatus.METHOD_NOT_ALLOWED, f"ERR method {request.method} is not allowed")
        if not self._authorized(request):
            return self._error(HTTPStatus.UNAUTHORIZED, UNAUTHORIZED)
        try:
            return await self._answer(request, await read_call(request))
        except (BadRequest, Discarded) as error:
            return self._error(HTTPStatus.BAD_REQUEST, str(error))
        except (LinkLost, OSError) as error:
            return self._error(HTTPStatus.SERVICE_UNAVAILABLE, f"ERR the local Valkey is unreachable: {error}")

    async def _answer(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        if call.route is Route.STREAM:
            return await stream(request, self._engine.pool, call.commands[0])
        if self.faults.delay_s:
            await asyncio.sleep(self.faults.delay_s)
        fault = self.faults.next_for(call.commands, request.headers.get("x-local-fault", ""))
        if fault is not None and not fault.executes:
            return await self._fail(request, fault)
        response = await self._execute(call, request.headers.get("Upstash-Sync-Token", ""))
        return response if fault is None else await self._fail(request, fault)

    async def _execute(self, call: Call, token: str) -> web.Response:
        if self.faults.scripts_are_lost(call.commands):
            await self._engine.run([[b"SCRIPT", b"FLUSH", b"SYNC"]])
        engine, seen = self._reader(call, self._freshness.seen(token))
        if call.route is Route.TRANSACTION:
            replies = await engine.transact(call.commands)
        else:
            replies = await engine.run(call.commands)
        return self._respond_with(call, replies, seen)

    def _reader(self, call: Call, seen: int) -> tuple[Engine, int]:
        """The server this call goes to, and how many writes it has taken by then."""
        stale = self._replica is not None and seen <= self._frozen_at
        if stale and self._replica is not None and self._freshness.only_reads(call.commands):
            return self._replica.engine, self._frozen_at
        self._freshness.note(call.commands)
        return self._engine, self._freshness.writes

    def _respond_with(self, call: Call, replies: list[Reply], seen: int) -> web.Response:
        if call.as_resp2:
            return self._respond(b"".join(map(encode_reply, replies)), "application/octet-stream", seen=seen)
        answers = [result(reply, call.base64_encoded) for reply in replies]
        if call.route is not Route.SINGLE:
            return self._respond(dump(answers), seen=seen)
        status = HTTPStatus.BAD_REQUEST if isinstance(replies[0], Failure) else HTTPStatus.OK
        return self._respond(dump(answers[0]), status=status, seen=seen)

    def _error(self, status: HTTPStatus, text: str) -> web.Response:
        return self._respond(dump({"error": text}), status=status)

    def _respond(
        self,
        body: bytes,
        content_type: str = "application/json",
        status: HTTPStatus = HTTPStatus.OK,
        seen: int | None = None,
    ) -> web.Response:
        headers = {"Content-Type": content_type}
        if seen is not None:
            headers["Upstash-Sync-Token"] = self._freshness.token(seen)
        return web.Response(body=body, status=status, headers=headers)

    async def _fail(self, request: web.BaseRequest, fault: Fault) -> web.Response:
        if fault is Fault.QUOTA:
            return self._error(HTTPStatus.BAD_REQUEST, QUOTA_ERROR)
        if fault.kind == "bad-gateway":
            return self._respond(BAD_GATEWAY_PAGE, "text/html", HTTPStatus.BAD_GATEWAY)
        if fault.kind == "hang":
            while request.transport is not None:
                await asyncio.sleep(_HANG_CHECK_S)
        elif fault.kind == "drop" and request.transport is not None:
            request.transport.abort()
        return self._respond(b"")

    def _authorized(self, request: web.BaseRequest) -> bool:
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            credential = request.query.get("_token", "")
        return hmac.compare_digest(credential.strip().encode("utf-8", "replace"), self.token.encode())
