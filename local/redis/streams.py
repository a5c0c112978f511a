"""Subscriptions and MONITOR over server-sent events, each on a Valkey connection of its own."""

import asyncio

from aiohttp import web

from local.redis.link import Link, LinkPool
from local.redis.resp import Failure, Reply, Status
from local.redis.scripts import Command

STREAMING = frozenset({b"SUBSCRIBE", b"PSUBSCRIBE", b"MONITOR"})
_DISCONNECT_CHECK_S = 0.5


async def stream(request: web.BaseRequest, pool: LinkPool, command: Command) -> web.StreamResponse:
    """Answers until the client or Valkey goes away."""
    async with pool.link() as link:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        await _forward(request, response, link, command)
        return response


async def _forward(request: web.BaseRequest, response: web.StreamResponse, link: Link, command: Command) -> None:
    arrived: asyncio.Queue[Reply] = asyncio.Queue()
    link.on_push = arrived.put_nowait
    link.on_lost = lambda: arrived.put_nowait(None)
    link.send([command])
    while request.transport is not None:
        try:
            reply = await asyncio.wait_for(arrived.get(), _DISCONNECT_CHECK_S)
        except TimeoutError:
            continue
        if reply is None:
            return
        if text := _event(reply):
            await response.write(b"data: " + text.replace(b"\n", b"\ndata: ") + b"\n\n")


def _event(reply: Reply) -> bytes:
    if isinstance(reply, list):
        return b",".join(item if isinstance(item, bytes) else str(item).encode() for item in reply)
    if isinstance(reply, Status):
        return b'"OK"' if reply == b"OK" else _without_our_own(reply)
    return bytes(reply) if isinstance(reply, Failure) else b""


def _without_our_own(line: bytes) -> bytes:
    """MONITOR also reports how the gateway narrows permissions, which Upstash has no counterpart of."""
    return b"" if b'] "ACL" ' in line else bytes(line)
