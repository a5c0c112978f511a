"""A deployment in the middle of traffic, and back: sockets stay, nothing is lost, the order is kept."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from local.stack import PROJECT
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.delivery.faulty import FaultyStack
from tests.delivery.listener import Listener, arrived, listening
from tests.delivery.next_version import write_next_version
from tests.delivery.traffic import Traffic, check, tokens_of, traffic
from tests.support.stack import AMIR

pytestmark = pytest.mark.anyio
MINUTE_S = 60


async def deploy(faulty: FaultyStack, root: Path, share: float) -> None:
    async def replace() -> None:
        faulty.threaded.stack.runtime.replace(root, share)

    await asyncio.to_thread(faulty.threaded.run, replace())


async def acknowledged(load: Traffic, more: int) -> None:
    """Returns when so many more publications are."""
    wanted = len(load.acknowledged) + more
    while len(load.acknowledged) < wanted:
        await asyncio.sleep(0.02)


async def cut_off_and_back(one: Listener) -> None:
    """Whichever version answers, it must be able to."""
    before = one.sockets
    one.break_off()
    async with asyncio.timeout(20):
        while one.sockets == before or not one.subscribed.is_set():
            await asyncio.sleep(0.02)
    assert one.sockets == before + 1


def versions_in(faulty: FaultyStack) -> set[Path]:
    roots = faulty.threaded.stack.runtime.code_roots()
    return set().union(*roots.values())


def schema_of(faulty: FaultyStack, channel: str) -> tuple[str | None, bool]:
    """Which version wrote the channel last, and whether the next one ever did."""
    key = str(TenantScope("acme", SCOPE_SEAL).key("ch", channel))
    return faulty.redis.hget(key, "v"), bool(faulty.redis.hexists(key, "next"))


async def test_a_deployment_and_its_rollback_drop_no_socket_and_lose_nothing(
    faulty: FaultyStack, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """Both versions serve the same channel side by side on the way there and on the way back; meanwhile clients come
    and go, recover, and are kept alive."""
    following = write_next_version(tmp_path)
    tokens = await asyncio.to_thread(tokens_of, faulty.stack)
    steps = itertools.product([following, PROJECT], [0.5, 1.0])
    async with traffic(faulty.stack, tokens) as load:
        wanderers = [Listener(faulty.stack.websocket, faulty.stack.token(AMIR), load.channel) for _ in range(2)]
        async with listening(wanderers):
            load.patience_s = 30.0
            # Slowly enough that whoever is cut off on a busy machine finds all that he missed in the history.
            publishing = asyncio.create_task(load.from_all(values=1_000, pause_s=4.0))
            seen = []
            for root, share in steps:
                await deploy(faulty, root, share)
                await acknowledged(load, 10)
                await cut_off_and_back(wanderers[0])
                await faulty.let_pass(MINUTE_S)
                await acknowledged(load, 5)
                seen.append((versions_in(faulty), schema_of(faulty, load.channel)))
            load.over = True
            await publishing
            top = await load.publish([-1, 0])
            everybody = [*load.members, *wanderers]
            await arrived(everybody, top, 30)
            load.members.extend(wanderers)
            check(load, top)
    assert [refusal for one in everybody for refusal in one.refusals] == []
    assert len(load.acknowledged) == top
    assert [one.sockets for one in everybody[:-2]] == [1] * (len(everybody) - 2)
    assert sum(one.duplicates for one in everybody) == 0
    assert [versions for versions, _ in seen] == [{PROJECT, following}, {following}, {PROJECT, following}, {PROJECT}]
    assert seen[1][1] == ("2", True)
    assert seen[3][1] == ("1", True)
    measured(f"{len(everybody)} sockets through a deployment and its rollback: {top} publications, none lost or twice")
