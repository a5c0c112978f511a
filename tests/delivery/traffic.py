"""Many who publish to one channel and many who hear it, and what must be true of that in the end."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.delivery.listener import Listener, listening
from tests.support.stack import ALICE, AMIR, Stack

PUBLISHERS, SUBSCRIBERS = 20, 50
# One user has at most 50 connections.
PER_USER = 25


@dataclass
class Traffic:
    """One channel, its members (`publishers` are some of them), and what was acknowledged."""

    api: httpx.AsyncClient
    channel: str
    members: list[Listener]
    publishers: list[Listener]
    acknowledged: list[list[int]] = field(default_factory=list)
    notice: Callable[[str], None] = lambda function: None
    """Told which function is about to be called."""
    over: bool = False
    """Nobody publishes anything more."""
    patience_s: float = 4.0
    """How long a publisher on a socket waits for its answer; one that a killed worker owed never comes."""

    async def publish_by_socket(self, who: int, values: int, pause_s: float) -> None:
        """In order, each after the answer to the one before; what is not acknowledged is not tried again."""
        for value in self._until_over(values):
            self.notice("message")
            if await self.publishers[who].publish([who, value], within_s=self.patience_s):
                self.acknowledged.append([who, value])
            await asyncio.sleep(pause_s)

    async def publish_by_backend(self, who: int, values: int, pause_s: float) -> None:
        """The same, but tried again under its idempotency key until it is acknowledged."""
        for value in self._until_over(values):
            await self.publish([who, value])
            await asyncio.sleep(pause_s)

    async def publish(self, value: list[int]) -> int:
        """Its offset."""
        request = {"channel": self.channel, "data": value, "idempotency_key": f"{self.channel}-{value}"}
        while True:
            self.notice("channel")
            answered = await self.api.post("/api/publish", json=request)
            if answered.status_code == 200 and "result" in answered.json():
                self.acknowledged.append(value)
                return int(answered.json()["result"]["offset"])
            await asyncio.sleep(0.2)

    def _until_over(self, values: int) -> Iterator[int]:
        return itertools.takewhile(lambda _: not self.over, range(values))

    async def from_all(self, values: int, pause_s: float = 0.0) -> None:
        ways = itertools.cycle((self.publish_by_socket, self.publish_by_backend))
        await asyncio.gather(*(way(who, values, pause_s) for who, way in zip(range(PUBLISHERS), ways, strict=False)))


@asynccontextmanager
async def traffic(stack: Stack, tokens: Sequence[str]) -> AsyncIterator[Traffic]:
    channel = f"chat:{secrets.token_hex(5)}"
    count = PUBLISHERS // 2 + SUBSCRIBERS
    members = [Listener(stack.websocket, tokens[i // PER_USER], channel) for i in range(count)]
    headers = {"authorization": f"Bearer {tokens[0]}"}
    async with (
        httpx.AsyncClient(base_url=stack.http, headers=headers, timeout=30) as api,
        listening(members),
    ):
        yield Traffic(api, channel, members, [members[i // 2] for i in range(PUBLISHERS)])


def tokens_of(stack: Stack) -> list[str]:
    """Of three users; alice's first: she is admin."""
    rights = {"tenant_id": "acme", "permissions": ["read", "write"]}
    return [stack.token(ALICE), stack.token(AMIR), stack.add_user(f"{secrets.token_hex(4)}@acme.test", rights)]


def by_offset(one: Listener) -> dict[int, Any]:
    """Data by offset in the order of first arrival: what README's line leaves of it."""
    first: dict[int, Any] = {}
    for offset, data in zip(one.offsets, one.data, strict=True):
        first.setdefault(offset, data)
    return first


def values_of(data: Sequence[Any], who: int) -> list[int]:
    return [value for publisher, value in data if publisher == who]


def check(load: Traffic, top: int) -> None:
    """No gap, no inversion, nothing acknowledged missing, nothing twice in the log, one order for all."""
    log = by_offset(load.members[0])
    assert list(log) == list(range(1, top + 1))
    for one in load.members:
        assert one.lost == 0
        assert all(after <= before + 1 for before, after in itertools.pairwise(one.offsets))
        assert by_offset(one) == log
        assert list(by_offset(one)) == list(log)
    published = list(log.values())
    assert len({tuple(value) for value in published}) == len(published)
    assert all(value in published for value in load.acknowledged)
    for who in range(PUBLISHERS):
        assert values_of(published, who) == sorted(values_of(published, who))
