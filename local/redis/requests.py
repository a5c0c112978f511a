"""HTTP requests as calls: which commands they carry, on which route, and how the answer must look."""

from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from local.redis.json_wire import (
    BadRequest,
    command_from_json,
    command_from_path,
    commands_from_json,
    parse_body,
)
from local.redis.refusals import MAX_REQUEST_BYTES
from local.redis.scripts import Command
from local.redis.streams import STREAMING


class Route(Enum):
    SINGLE = "/"
    PIPELINE = "/pipeline"
    TRANSACTION = "/multi-exec"
    STREAM = "/subscribe"


@dataclass(frozen=True)
class Call:
    route: Route
    commands: list[Command]
    base64_encoded: bool
    as_resp2: bool


async def read_call(request: web.BaseRequest) -> Call:
    """`BadRequest` when it is no command, too large, or asks for a format that does not exist."""
    path, _, query = request.raw_path.partition("?")
    name = "/" + path.strip("/")
    body = await _read(request)
    route = Route(name) if name in ("/pipeline", "/multi-exec") else Route.SINGLE
    commands: list[Command]
    if route is not Route.SINGLE:
        commands = list(commands_from_json(parse_body(body)))
    elif name == "/":
        commands = [command_from_json(parse_body(body))]
    else:
        commands = [command_from_path(path, query, body)]
        if commands[0][0].upper() in STREAMING:
            route = Route.STREAM
    encoding = request.headers.get("Upstash-Encoding", "").lower()
    return Call(route, commands, encoding == "base64", _wants_resp2(request, route))


def _wants_resp2(request: web.BaseRequest, route: Route) -> bool:
    wanted = request.headers.get("Upstash-Response-Format", "json").lower()
    if wanted == "json":
        return False
    if wanted != "resp2":
        raise BadRequest(f"ERR unknown response format {wanted}")
    if route is Route.TRANSACTION or "Upstash-Encoding" in request.headers:
        raise BadRequest("ERR the resp2 response format does not go with this route or encoding")
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
