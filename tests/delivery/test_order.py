"""Everybody sees every acknowledged publication in offset order, whoever publishes and whoever dies meanwhile."""

import asyncio
import json
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.delivery.listener import arrived
from tests.delivery.traffic import PUBLISHERS, check, tokens_of, traffic
from tests.support.stack import Stack

pytestmark = pytest.mark.anyio
Measured = Callable[[str], None]


@pytest.fixture(scope="module")
def tokens(stack: Stack) -> list[str]:
    return tokens_of(stack)


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
