"""Ends that nobody cooperates in: clients that do not close, a gateway that stops under load."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import websockets

from local.gateway import ConnectionFault
from tests.local.gateway.harness import StartGateway, ignore

pytestmark = pytest.mark.anyio


async def test_a_client_that_ignores_the_close_is_cut_off(start: StartGateway) -> None:
    running = await start(disconnect=ignore, require_signature=False, close_timeout=0.05)
    host, port = running.gateway.connections_url.removeprefix("http://").removesuffix("/local").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /local HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    (connection_id,) = running.gateway.connection_ids
    async with httpx.AsyncClient() as client:
        url = f"{running.gateway.connections_url}/@connections/{quote(connection_id)}"
        assert (await client.delete(url)).status_code == 204
    close_frame = await reader.read()
    assert close_frame[2:] == (1000).to_bytes(2, "big") + b"Connection Closed Normally"
    (event,) = running.functions.events("disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1000
    writer.close()


async def test_stopping_drops_everything_and_reports_nothing(start: StartGateway) -> None:
    async def connect(event: Any) -> object:
        if "queryStringParameters" in event:
            await asyncio.Event().wait()
        return {"statusCode": 200}

    running = await start(
        connect=connect, default=lambda event: asyncio.Event().wait(), disconnect=ignore, require_signature=False
    )
    running.gateway.faults.connections.append(ConnectionFault(hang=True, times=1))
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    await running.functions.wait_for("default")
    held = asyncio.ensure_future(running.handshake_status(query="?hold=1"))
    await running.functions.wait_for("connect", 2)
    async with httpx.AsyncClient() as client:
        url = f"{running.gateway.connections_url}/@connections/{quote(connection_id)}"
        hanging = asyncio.ensure_future(client.post(url, content=b"x"))
        while running.gateway.faults.connections[0].times:
            await asyncio.sleep(0)
        await running.gateway.stop()
        with pytest.raises(httpx.TransportError):
            await hanging
    with pytest.raises(websockets.ConnectionClosedError):
        await socket.recv()
    with pytest.raises((websockets.InvalidHandshake, ConnectionError, EOFError)):
        await held
    assert running.functions.events("disconnect") == []
