"""The gateway's life around a server that is not its own: passwords, restarts, nothing left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from local.redis import UpstashGateway, ValkeyServer
from local.redis.link import LinkLost


def with_gateway(address: str, use: Callable[["Calls"], Awaitable[None]]) -> None:
    async def run() -> None:
        gateway = UpstashGateway(address)
        await gateway.start()
        try:
            async with aiohttp.ClientSession() as session:
                await use(Calls(gateway, session))
        finally:
            await gateway.stop()

    asyncio.run(run())


class Calls:
    def __init__(self, gateway: UpstashGateway, session: aiohttp.ClientSession) -> None:
        self._gateway = gateway
        self._session = session

    async def __call__(self, *command: str) -> Any:
        headers = {"Authorization": f"Bearer {self._gateway.token}"}
        async with self._session.post(self._gateway.url, json=command, headers=headers) as response:
            return await response.json()


def test_a_server_with_a_password_is_served_and_keeps_no_user_of_ours() -> None:
    async def use(call: Calls) -> None:
        assert await call("SET", "k", "v") == {"result": "OK"}

    with ValkeyServer() as server:
        server.command("ACL", "SETUSER", "me", "on", ">s3cr:t", "+@all", "allkeys", "allchannels")
        with_gateway(f"redis://me:s3cr%3At@127.0.0.1:{server.port}", use)
        assert server.command("ACL", "USERS") == [b"default", b"me"]
        with pytest.raises(LinkLost, match="WRONGPASS"):
            with_gateway(f"redis://me:wrong@127.0.0.1:{server.port}", use)


def test_each_request_has_a_connection_of_its_own_and_gives_it_back() -> None:
    async def use(call: Calls) -> None:
        answers = await asyncio.gather(*(call("INCR", "n") for _ in range(300)))
        assert sorted(answer["result"] for answer in answers) == list(range(1, 301))

    with ValkeyServer() as server:
        with_gateway(server.url, use)


def test_a_valkey_that_went_away_is_a_503_and_one_that_came_back_is_used_again() -> None:
    with ValkeyServer() as server:
        port = server.port

        async def use(call: Calls) -> None:
            await asyncio.gather(*(call("PING") for _ in range(5)))
            server.stop()
            gone = await call("PING")
            assert gone["error"].startswith("ERR the local Valkey is unreachable")
            server.start(port)
            assert await call("PING") == {"result": "PONG"}

        with_gateway(server.url, use)
