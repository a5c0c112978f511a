"""Injected faults: what the caller sees, and what happened to the client all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from local.gateway import ConnectionFault
from tests.local.gateway.harness import RunningGateway, StartGateway

pytestmark = pytest.mark.anyio


class Caller:
    """Posts to one socket over plain HTTP."""

    def __init__(self, running: RunningGateway, http: httpx.AsyncClient, connection_id: str) -> None:
        self._url = f"{running.gateway.connections_url}/@connections/{quote(connection_id)}"
        self._http = http
        self.connection_id = connection_id

    async def post(self, text: str) -> int:
        return (await self._http.post(self._url, content=text)).status_code

    async def delete(self) -> int:
        return (await self._http.delete(self._url)).status_code


@asynccontextmanager
async def a_socket(running: RunningGateway) -> AsyncIterator[tuple[ClientConnection, Caller]]:
    socket, connection_id = await running.open_socket()
    async with httpx.AsyncClient(timeout=5) as http:
        yield socket, Caller(running, http, connection_id)


@pytest.mark.parametrize("status", [403, 410, 413, 429, 500, 502, 503])
async def test_a_status_is_answered_and_nothing_is_sent(start: StartGateway, status: int) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (socket, caller):
        running.gateway.faults.connections.append(ConnectionFault(status=status, times=1))
        assert await caller.post("lost") == status
        assert await caller.post("next") == 200
        assert await socket.recv() == "next"


async def test_a_status_may_hide_that_the_message_arrived(start: StartGateway) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (socket, caller):
        running.gateway.faults.connections.append(ConnectionFault(status=500, effect=True))
        assert await caller.post("arrives") == 500
        assert await socket.recv() == "arrives"


@pytest.mark.parametrize("effect", [True, False])
async def test_a_hanging_request_is_never_answered(start: StartGateway, effect: bool) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (socket, caller):
        running.gateway.faults.connections.append(ConnectionFault(hang=True, effect=effect, times=1))
        hanging = asyncio.ensure_future(caller.post("hangs"))
        if effect:
            assert await socket.recv() == "hangs"
        else:
            await asyncio.wait({hanging}, timeout=0.05)
        assert await caller.post("next") == 200
        assert await socket.recv() == "next"
        assert not hanging.done()
        hanging.cancel()


async def test_a_delay_comes_before_the_effect(start: StartGateway) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (socket, caller):
        running.gateway.faults.connections.append(ConnectionFault(delay=0.1, times=1))
        late = asyncio.ensure_future(caller.post("late"))
        while running.gateway.faults.connections[0].times:
            await asyncio.sleep(0)
        assert await caller.post("early") == 200
        assert [await socket.recv(), await socket.recv()] == ["early", "late"]
        assert await late == 200


async def test_the_effect_outlives_a_caller_that_gave_up(start: StartGateway) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (socket, caller):
        running.gateway.faults.connections.append(ConnectionFault(delay=0.1, times=1))
        late = asyncio.ensure_future(caller.post("late"))
        while running.gateway.faults.connections[0].times:
            await asyncio.sleep(0)
        late.cancel()
        assert await socket.recv() == "late"


async def test_a_fault_can_be_for_one_connection(start: StartGateway) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (_, one), a_socket(running) as (_, other):
        fault = ConnectionFault(connection_id=one.connection_id, status=410)
        running.gateway.faults.connections.append(fault)
        assert (await one.post("x"), await other.post("x")) == (410, 200)


async def test_a_fault_can_hit_a_share_of_the_requests(start: StartGateway) -> None:
    running = await start(require_signature=False)
    running.gateway.faults.random.seed(7)
    async with a_socket(running) as (_, caller):
        running.gateway.faults.connections.append(ConnectionFault(share=0.5, status=429))
        statuses = [await caller.post("x") for _ in range(40)]
    assert set(statuses) == {200, 429}
    assert 8 < statuses.count(429) < 32


async def test_a_fault_can_hit_deletes_and_close_all_the_same(start: StartGateway) -> None:
    running = await start(require_signature=False)
    async with a_socket(running) as (socket, caller):
        fault = ConnectionFault(methods=frozenset({"DELETE"}), status=500, effect=True)
        running.gateway.faults.connections.append(fault)
        assert await caller.post("x") == 200
        assert await caller.delete() == 500
        assert await socket.recv() == "x"
        with pytest.raises(websockets.ConnectionClosedOK):
            await socket.recv()


async def test_cleared_faults_are_gone(start: StartGateway) -> None:
    running = await start(require_signature=False)
    running.gateway.faults.connections.append(ConnectionFault(status=500))
    running.gateway.faults.clear()
    async with a_socket(running) as (_, caller):
        assert await caller.post("x") == 200
