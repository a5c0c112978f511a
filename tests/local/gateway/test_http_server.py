"""The HTTP/1.1 server by its bytes: what clients of all kinds rely on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from local.gateway.http_messages import Request, Response
from local.gateway.http_server import HttpServer

pytestmark = pytest.mark.anyio
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(handler: Callable[[Request], Response | Awaitable[Response]]) -> AsyncIterator[Stream]:
    server = HttpServer(handler, max_head=1000, max_body=100)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.stop()


def tell(request: Request) -> Response:
    return Response(200, [], f"{request.method} {request.target} {request.body.decode()}".encode())


async def tell_later(request: Request) -> Response:
    await asyncio.sleep(0)
    return tell(request)


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    return int(head.split(" ")[1]), await reader.readexactly(length)


@pytest.mark.parametrize("handler", [tell, tell_later])
async def test_pipelined_requests_are_answered_in_order(
    handler: Callable[[Request], Response | Awaitable[Response]],
) -> None:
    async with served(handler) as (reader, writer):
        post = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d"
        writer.write(b"".join(post % (n, n) for n in range(5)))
        answers = [await read_response(reader) for _ in range(5)]
    assert answers == [(200, b"POST /%d %d" % (n, n)) for n in range(5)]


async def test_a_request_may_come_byte_by_byte() -> None:
    async with served(tell) as (reader, writer):
        for byte in b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi":
            writer.write(bytes([byte]))
            await writer.drain()
        assert await read_response(reader) == (200, b"POST /a hi")


async def test_connection_close_is_honoured() -> None:
    async with served(tell) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"connection: close" in await reader.read()


async def test_expected_bodies_are_invited() -> None:
    async with served(tell) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert await read_response(reader) == (200, b"POST / hi")


async def test_expected_bodies_that_are_too_large_are_not() -> None:
    async with served(tell) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n")
        assert (await read_response(reader))[0] == 413


async def test_a_body_that_is_too_large_is_read_but_not_kept() -> None:
    def handler(request: Request) -> Response:
        return Response(413 if request.body_too_large else 200, [], request.body)

    async with served(handler) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n" + b"x" * 101)
        assert await read_response(reader) == (413, b"")
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await read_response(reader) == (200, b"")


@pytest.mark.parametrize("junk", [b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
async def test_junk_is_a_bad_request(junk: bytes) -> None:
    async with served(tell) as (reader, writer):
        writer.write(junk)
        assert (await read_response(reader))[0] == 400


async def test_an_endless_header_is_refused() -> None:
    async with served(tell) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 600_000)
        assert (await read_response(reader))[0] == 431


async def test_an_upgrade_that_is_not_offered_is_an_ordinary_request() -> None:
    async with served(tell) as (reader, writer):
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n")
        assert await read_response(reader) == (200, b"GET /a ")
        writer.write(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await read_response(reader) == (200, b"GET /b ")


async def test_a_failing_handler_is_an_internal_server_error() -> None:
    def handler(request: Request) -> Response:
        raise LookupError

    async with served(handler) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await read_response(reader))[0] == 500


async def test_small_answers_are_not_held_back() -> None:
    """Nagle's algorithm would wait for the client's delayed acknowledgement."""
    server = HttpServer(tell, max_head=1000, max_body=100)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await read_response(reader)
    (connection,) = server.connections
    accepted = connection.transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    writer.close()
    await server.stop()
