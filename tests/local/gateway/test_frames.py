"""Sizes and kinds of frames: what passes, and with which code the rest closes the socket."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.local.gateway.harness import RunningGateway, StartGateway, echo, ignore

pytestmark = pytest.mark.anyio
KIB = 1024


async def close_code(socket: ClientConnection) -> int:
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def reported_code(running: RunningGateway) -> int:
    (event,) = await running.functions.wait_for("disconnect")
    code: int = event["requestContext"]["disconnectStatusCode"]
    return code


async def test_a_frame_of_32_kib_passes(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        await socket.send("x" * 32 * KIB)
        assert await socket.recv() == "x" * 32 * KIB


@pytest.mark.parametrize("size", [32 * KIB + 1, 128 * KIB, 128 * KIB + 1, 1024 * KIB])
async def test_a_larger_frame_closes_with_1009(start: StartGateway, size: int) -> None:
    running = await start(default=echo, disconnect=ignore)
    async with running.dial() as socket:
        await socket.send("x" * size)
        assert await close_code(socket) == 1009
    assert await reported_code(running) == 1009
    assert running.functions.events("default") == []


async def test_a_message_of_128_kib_in_frames_of_32_passes(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        await socket.send("x" * 32 * KIB for _ in range(4))
        assert await socket.recv() == "x" * 128 * KIB


async def test_a_longer_message_in_small_frames_closes_with_1009(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        with suppress(websockets.ConnectionClosed):
            await socket.send("x" * 16 * KIB for _ in range(9))
        assert await close_code(socket) == 1009


async def test_one_large_frame_in_a_fragmented_message_closes_with_1009(start: StartGateway) -> None:
    def fragments() -> Iterator[str]:
        yield "small"
        yield "x" * (32 * KIB + 1)
        yield "small"

    running = await start(default=echo)
    async with running.dial() as socket:
        with suppress(websockets.ConnectionClosed):
            await socket.send(fragments())
        assert await close_code(socket) == 1009


async def test_characters_may_be_cut_by_fragments(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        start_of_u, end_of_u = b"\x01\x81\x00\x00\x00\x00\xc3", b"\x80\x81\x00\x00\x00\x00\xbc"
        socket.transport.write(start_of_u + end_of_u)
        assert await socket.recv() == "ü"


async def test_a_binary_frame_closes_with_1003(start: StartGateway) -> None:
    running = await start(default=echo, disconnect=ignore)
    async with running.dial() as socket:
        await socket.send(b"bytes")
        assert await close_code(socket) == 1003
    assert await reported_code(running) == 1003
    assert running.functions.events("default") == []


async def test_text_that_is_not_utf8_closes_with_1007(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        socket.transport.write(b"\x81\x81\x00\x00\x00\x00\xff")
        assert await close_code(socket) == 1007


async def test_an_unmasked_frame_closes_with_1002(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        socket.transport.write(b"\x81\x01x")
        assert await close_code(socket) == 1002


async def test_a_message_before_a_bad_frame_is_still_delivered(start: StartGateway) -> None:
    running = await start(default=ignore)
    async with running.dial() as socket:
        socket.transport.write(b"\x81\x82\x00\x00\x00\x00ok" + b"\x82\x81\x00\x00\x00\x00b")
        assert await close_code(socket) == 1003
    (event,) = running.functions.events("default")
    assert event["body"] == "ok"


async def test_a_ping_is_answered_and_no_function_hears_of_it(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        await asyncio.wait_for(await socket.ping(), 5)
    assert running.functions.events("default") == []
