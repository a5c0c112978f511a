"""Everybody sees every acknowledged publication in offset order, whoever publishes and whoever dies meanwhile."""

import asyncio
import itertools
import json
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.delivery.listener import Listener, arrived, listening
from tests.support.stack import ALICE, AMIR, Stack

pytestmark = pytest.mark.anyio
PUBLISHERS, SUBSCRIBERS = 20, 50
# One user has at most 50 connections.
PER_USER = 25
Measured = Callable[[str], None]


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

    async def publish_by_socket(self, who: int, values: int, pause_s: float) -> None:
        """In order, each after the answer to the one before; what is not acknowledged is not tried again."""
        for value in range(values):
            self.notice("message")
            if await self.publishers[who].publish([who, value], within_s=4.0):
                self.acknowledged.append([who, value])
            await asyncio.sleep(pause_s)

    async def publish_by_backend(self, who: int, values: int, pause_s: float) -> None:
        """The same, but tried again under its idempotency key until it is acknowledged."""
        for value in range(values):
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


@pytest.fixture(scope="module")
def tokens(stack: Stack) -> list[str]:
    """alice's first: she is admin."""
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


async def test_all_see_all_in_offset_order(stack: Stack, tokens: list[str], measured: Measured) -> None:
    async with traffic(stack, tokens) as load:
        began = time.monotonic()
        await load.from_all(values=10)
        top = await load.publish([-1, 0])
        await arrived(load.members, top, 30)
        took = time.monotonic() - began
        check(load, top)
        assert top == len(load.acknowledged) == PUBLISHERS * 10 + 1
        assert sum(one.duplicates for one in load.members) == 0
        assert {one.sockets for one in load.members} == {1}
    measured(
        f"{PUBLISHERS} publishers, {len(load.members)} members: {top} publications, all in order, none twice, "
        f"{top * len(load.members) / took:,.0f} deliveries/s, {took:.1f} s"
    )


async def test_a_storm_of_reconnects_loses_nothing(stack: Stack, tokens: list[str], measured: Measured) -> None:
    """Every client is cut off at the same moment, in the middle of traffic, and comes back at once."""
    async with traffic(stack, tokens) as load:
        publishing = asyncio.create_task(load.publish_by_backend(0, values=60, pause_s=0.05))
        await asyncio.sleep(0.5)
        for one in load.members:
            one.break_off()
        began = time.monotonic()
        await publishing
        top = await load.publish([-1, 0])
        await arrived(load.members, top, 30)
        check(load, top)
        assert min(one.sockets for one in load.members) >= 2
        assert sum(one.duplicates for one in load.members) == 0
    measured(f"{len(load.members)} clients cut off at once: all back without a loss, {time.monotonic() - began:.1f} s")


class Killer:
    """`kill -9` to all workers of a function, a random moment after some of the publications were sent to it."""

    def __init__(self, stack: Stack, seed: int, share: float) -> None:
        self._pids = stack.data / "pids.json"
        self._random = random.Random(seed)
        self._share = share
        self.strikes: Counter[str] = Counter()
        self.killed = 0

    def notice(self, function: str) -> None:
        if self._random.random() < self._share:
            asyncio.get_running_loop().call_later(self._random.uniform(0.005, 0.05), self._kill, function)

    def stop(self) -> None:
        self._share = 0.0

    def _kill(self, function: str) -> None:
        running: dict[str, list[int]] = json.loads(self._pids.read_text())
        (pids,) = (pids for name, pids in running.items() if name.rsplit("-", 1)[-1] == function)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed += 1
        self.strikes[function] += 1


async def test_workers_killed_in_traffic_cost_no_message_and_no_order(
    stack: Stack, tokens: list[str], measured: Measured
) -> None:
    """Fewer publications than the history holds, so that nothing can be trimmed while a lane waits for its lease."""
    killer = Killer(stack, secrets.randbits(32), share=0.15)
    async with traffic(stack, tokens) as load:
        load.notice = killer.notice
        await load.from_all(values=4, pause_s=3.0)
        killer.stop()
        top = await load.publish([-1, 0])
        began = time.monotonic()
        await arrived(load.members, top, 40)
        settled = time.monotonic() - began
        check(load, top)
        again = sum(one.batches_sent_again for one in load.members)
        twice = sum(one.duplicates for one in load.members)
        # At worst each death leaves one batch that comes again.
        assert max(one.batches_sent_again for one in load.members) <= killer.killed
    measured(
        f"{killer.killed} workers killed in {killer.strikes.total()} strikes ({dict(killer.strikes)}): "
        f"{top} publications, {len(load.acknowledged)} acknowledged, no gap, no inversion; {twice} duplicates in "
        f"{again} batches sent again to {len(load.members)} members; settled {settled:.1f} s after the last strike"
    )
