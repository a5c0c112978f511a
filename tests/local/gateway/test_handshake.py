"""The WebSocket handshake is `$connect`'s answer, and nothing else."""

import asyncio
from typing import Any

import httpx
import pytest

from local.gateway import InvokeThrottled, InvokeTimeout, Throttle
from tests.local.gateway.harness import StartGateway, accept, echo, fail, ignore

pytestmark = pytest.mark.anyio


async def test_the_handshake_is_held_until_connect_has_returned(start: StartGateway) -> None:
    decide = asyncio.Event()

    async def connect(event: Any) -> object:
        await decide.wait()
        return {"statusCode": 200}

    running = await start(connect=connect)
    dialling = asyncio.ensure_future(running.dial())
    await running.functions.wait_for("connect")
    assert not dialling.done()
    assert running.gateway.connection_ids == []
    decide.set()
    async with await dialling:
        assert len(running.gateway.connection_ids) == 1


@pytest.mark.parametrize("status", [201, 204, 299])
async def test_any_success_of_connect_accepts(start: StartGateway, status: int) -> None:
    running = await start(connect=lambda event: {"statusCode": status})
    assert await running.handshake_status() == 101


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 418, 429, 500, 503])
async def test_any_other_status_of_connect_is_the_status_of_the_upgrade(start: StartGateway, status: int) -> None:
    running = await start(connect=lambda event: {"statusCode": status})
    assert await running.handshake_status() == status
    assert running.gateway.connection_ids == []


async def test_a_status_may_be_a_numeric_text(start: StartGateway) -> None:
    running = await start(connect=lambda event: {"statusCode": "401"})
    assert await running.handshake_status() == 401


@pytest.mark.parametrize("result", [None, "ok", {}, {"statusCode": "x"}, {"statusCode": 99}, [200]])
async def test_a_malformed_answer_of_connect_is_502(start: StartGateway, result: object) -> None:
    running = await start(connect=lambda event: result)
    assert await running.handshake_status() == 502


async def test_a_raising_connect_is_502(start: StartGateway) -> None:
    running = await start(connect=fail)
    assert await running.handshake_status() == 502


@pytest.mark.parametrize(
    ("error", "status"), [(InvokeTimeout(), 502), (InvokeThrottled(), 429), (LookupError("no function"), 500)]
)
async def test_a_connect_that_cannot_run_says_why(start: StartGateway, error: Exception, status: int) -> None:
    def connect(event: Any) -> object:
        raise error

    running = await start(connect=connect)
    assert await running.handshake_status() == status


async def test_a_connect_that_never_returns_is_504(start: StartGateway) -> None:
    running = await start(connect=lambda event: asyncio.Event().wait(), socket_timeout=0.05)
    assert await running.handshake_status() == 504


async def test_without_a_connect_route_everybody_is_let_in(start: StartGateway) -> None:
    running = await start(default=echo)
    async with running.dial() as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"


async def test_an_offered_subprotocol_is_not_echoed_by_itself(start: StartGateway) -> None:
    running = await start(connect=accept)
    async with running.dial(subprotocols=["a", "b"]) as socket:
        assert socket.subprotocol is None
        assert "Sec-WebSocket-Protocol" not in socket.response.headers


@pytest.mark.parametrize("field", ["headers", "multiValueHeaders"])
async def test_the_subprotocol_is_the_one_that_connect_names(start: StartGateway, field: str) -> None:
    value = "b" if field == "headers" else ["b"]
    running = await start(connect=lambda event: {"statusCode": 200, field: {"sec-websocket-PROTOCOL": value}})
    async with running.dial(subprotocols=["a", "b"]) as socket:
        assert socket.subprotocol == "b"


async def test_a_subprotocol_with_a_line_break_is_502(start: StartGateway) -> None:
    headers = {"Sec-WebSocket-Protocol": "a\r\nSet-Cookie: x=y"}
    running = await start(connect=lambda event: {"statusCode": 200, "headers": headers})
    assert await running.handshake_status(subprotocols=["a"]) == 502


async def test_other_headers_of_connect_do_not_reach_the_client(start: StartGateway) -> None:
    running = await start(connect=lambda event: {"statusCode": 200, "headers": {"Set-Cookie": "a=b"}})
    async with running.dial() as socket:
        assert "Set-Cookie" not in socket.response.headers


async def test_compression_is_not_negotiated(start: StartGateway) -> None:
    running = await start(connect=accept)
    async with running.dial(compression="deflate") as socket:
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_a_url_may_have_4096_characters_and_no_more(start: StartGateway) -> None:
    running = await start(connect=accept)
    room = 4096 - len("/local?t=")
    assert await running.handshake_status(query="?t=" + "x" * room) == 101
    assert await running.handshake_status(query="?t=" + "x" * (room + 1)) == 414


async def test_a_subprotocol_of_nine_kilobytes_fits(start: StartGateway) -> None:
    running = await start(connect=accept)
    assert await running.handshake_status(subprotocols=["x" * 9000]) == 101


async def test_headers_above_ten_kilobytes_are_refused(start: StartGateway) -> None:
    running = await start(connect=accept)
    headers = {f"X-{n}": "x" * 4000 for n in range(3)}
    assert await running.handshake_status(additional_headers=headers) == 431


async def test_another_stage_is_forbidden(start: StartGateway) -> None:
    running = await start(connect=accept)
    running.gateway.websocket_url = running.gateway.websocket_url.replace("/local", "/prod")
    assert await running.handshake_status() == 403


async def test_a_plain_request_is_told_to_upgrade(start: StartGateway) -> None:
    running = await start(connect=accept)
    async with httpx.AsyncClient() as client:
        assert (await client.get(running.gateway.connections_url)).status_code == 426


async def test_a_handshake_without_a_key_is_a_bad_request(start: StartGateway) -> None:
    running = await start(connect=accept)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    async with httpx.AsyncClient() as client:
        response = await client.get(running.gateway.connections_url, headers=headers)
    assert response.status_code == 400
    assert running.functions.events("connect") == []


async def test_new_connections_are_throttled(start: StartGateway) -> None:
    running = await start(connect=accept, new_connections=Throttle(rate=0.001, burst=2))
    assert [await running.handshake_status() for _ in range(3)] == [101, 101, 429]
    assert len(running.functions.events("connect")) == 2


async def test_the_connect_route_can_have_a_throttle(start: StartGateway) -> None:
    running = await start(connect=accept, socket_throttles={"$connect": Throttle(rate=0.001, burst=1)})
    assert [await running.handshake_status() for _ in range(2)] == [101, 429]


async def test_a_client_that_left_during_connect_is_reported(start: StartGateway) -> None:
    decide = asyncio.Event()

    async def connect(event: Any) -> object:
        await decide.wait()
        return {"statusCode": 200}

    running = await start(connect=connect, disconnect=ignore)
    host, port = running.gateway.connections_url.removeprefix("http://").removesuffix("/local").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(_HANDSHAKE)
    (connected,) = await running.functions.wait_for("connect")
    writer.close()
    await writer.wait_closed()
    decide.set()
    (left,) = await running.functions.wait_for("disconnect")
    assert left["requestContext"]["connectionId"] == connected["requestContext"]["connectionId"]
    assert left["requestContext"]["disconnectStatusCode"] == 1006
    assert running.gateway.connection_ids == []


async def test_frames_sent_before_the_handshake_is_done_are_not_lost(start: StartGateway) -> None:
    running = await start(connect=accept, default=echo)
    host, port = running.gateway.connections_url.removeprefix("http://").removesuffix("/local").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    masked_hi = b"\x81\x82\x00\x00\x00\x00hi"
    writer.write(_HANDSHAKE + masked_hi)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert await reader.readexactly(4) == b"\x81\x02hi"
    writer.close()
    await writer.wait_closed()


_HANDSHAKE = (
    b"GET /local HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
