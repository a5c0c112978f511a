"""The stack with everything that can go wrong within reach: the gateway's faults, stored times, schedules on demand."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis

from local.gateway import Clock, ConnectionFault
from local.gateway.faults import Faults
from local.stack import StackOptions
from local.threaded import ThreadedStack
from shared.auth.due import SHARDS
from tests.support.stack import ALICE, Stack

SEND_TIMEOUT_MS = 1_500
# Where a connection's record has times (shared/auth/lua/connection.lua).
_CONNECTED_AT, _LEASE_END = 5, 6
_ABOUT_TO_END_MS = 60_000


@dataclass
class FaultyStack:
    """`stack` is what other tests see of a stack; `api` speaks for alice."""

    stack: Stack
    threaded: ThreadedStack
    clock: Clock
    redis: Any
    token: str

    @property
    def faults(self) -> Faults:
        return self.threaded.stack.gateway.faults

    def fail(self, connection: str | None = None, **how: Any) -> None:
        """As ConnectionFault says; without a connection it may hit all."""
        self.faults.connections.append(ConnectionFault(connection_id=connection, **how))

    async def api(self, method: str, **body: Any) -> dict[str, Any]:
        """The result of a method of the server API."""
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=self.stack.http, headers=headers, timeout=30) as http:
            answered = (await http.post(f"/api/{method}", json=body)).json()
        return dict(answered["result"])

    async def publish(self, channel: str, data: object) -> dict[str, Any]:
        """Its offset, epoch and delivery counts."""
        return await self.api("publish", channel=channel, data=data)

    async def let_pass(self, seconds: int) -> None:
        """What is stored gets older and the gateway's clock is stepped; then sweep comes around."""
        await asyncio.to_thread(self._age, seconds * 1000)
        self.clock.step(seconds)
        await asyncio.to_thread(self.threaded.tick)

    async def grow_old(self, seconds: int, *clients: str) -> None:
        """As if they had been connected for so long, and their leases had followed; then sweep comes around."""
        for client in clients:
            await asyncio.to_thread(self._grow_old, client, seconds * 1000)
        await asyncio.to_thread(self.threaded.tick)

    async def give_up_waiting(self) -> None:
        """Whoever was asked to come again has had his time."""
        await asyncio.to_thread(self._give_up_waiting)

    def _give_up_waiting(self) -> None:
        for channel in self.redis.scan_iter("{t:*}:ch:*"):
            for field, text in self.redis.hgetall(channel).items():
                if field.startswith("h:"):
                    self.redis.hset(channel, field, "1\n" + text.partition("\n")[2])

    def _grow_old(self, client: str, age_ms: int) -> None:
        now_ms = int(time.time() * 1000)
        for leases in self.redis.scan_iter("{t:*}:leases"):
            self.redis.zadd(leases, {client: now_ms + _ABOUT_TO_END_MS}, xx=True)
        for shard in range(SHARDS):
            for member in self.redis.zrange(f"{{sys}}:due:{shard}", 0, -1):
                self.redis.zadd(f"{{sys}}:due:{shard}", {member: 2}, xx=True)
        for user in self.redis.scan_iter("{t:*}:user:*"):
            if record := self.redis.hget(user, f"c:{client}"):
                parts = record.split("\n")
                parts[_CONNECTED_AT] = str(now_ms - age_ms)
                parts[_LEASE_END] = str(now_ms + _ABOUT_TO_END_MS)
                self.redis.hset(user, f"c:{client}", "\n".join(parts))

    def _age(self, by_ms: int) -> None:
        zsets = [f"{{sys}}:due:{shard}" for shard in range(SHARDS)]
        for kind in ("leases", "lanes"):
            zsets += self.redis.scan_iter(f"{{t:*}}:{kind}")
        for zset in zsets:
            for member, score in self.redis.zrange(zset, 0, -1, withscores=True):
                self.redis.zadd(zset, {member: score - by_ms})
        for user in self.redis.scan_iter("{t:*}:user:*"):
            self._age_user(user, by_ms)

    def _age_user(self, user: str, by_ms: int) -> None:
        for field, record in self.redis.hgetall(user).items():
            if field.startswith("c:"):
                parts = record.split("\n")
                for i in (_CONNECTED_AT, _LEASE_END):
                    parts[i] = str(int(parts[i]) - by_ms)
                self.redis.hset(user, field, "\n".join(parts))


@contextmanager
def faulty_stack(data: Path) -> Iterator[FaultyStack]:
    clock = Clock(rate=0)
    options = StackOptions(
        data_dir=data,
        schedule=False,
        environment={"SEND_TIMEOUT_MS": str(SEND_TIMEOUT_MS)},
        gateway={"now": clock},
    )
    with ThreadedStack(options) as threaded:
        stack = Stack(**threaded.addresses, data=data)
        with redis.Redis.from_url(threaded.stack.valkey.url, decode_responses=True) as direct:
            yield FaultyStack(stack, threaded, clock, direct, stack.token(ALICE))
