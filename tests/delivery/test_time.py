"""What time does: idle clients live on unnoticed, ghosts go, and two hours are crossed."""

import asyncio
import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.delivery.faulty import FaultyStack
from tests.delivery.listener import Listener, arrived, listening
from tests.delivery.sdks import an_sdk
from tests.sdk.running import RUN
from tests.sdk.scenarios import IDLE, PLANNED_RECONNECT
from tests.support.stack import ALICE, AMIR

pytestmark = pytest.mark.anyio
MINUTE_S = 60
NEARLY_TWO_HOURS_S = 2 * 3600 - 3 * MINUTE_S
# Nine minutes of lease, and a sweep each minute.
LEASE_AND_SWEEP_MIN = 10


@pytest.fixture
def channel() -> str:
    return f"chat:{secrets.token_hex(6)}"


@pytest.fixture(autouse=True)
def clear(faulty: FaultyStack) -> Iterator[None]:
    yield
    faulty.faults.clear()


@pytest.mark.parametrize("sdk", list(RUN))
async def test_an_idle_sdk_notices_nothing_of_an_hour(faulty: FaultyStack, sdk: str) -> None:
    """API Gateway closes after ten idle minutes; the keep-alive is nothing that an SDK would show."""
    async with an_sdk(faulty, sdk, IDLE) as (world, _):
        for _ in range(60):
            await faulty.let_pass(MINUTE_S)
        await faulty.publish(world.channel, "over")


@pytest.mark.parametrize("sdk", list(RUN))
async def test_an_sdk_crosses_its_two_hours_without_losing_or_repeating_anything(faulty: FaultyStack, sdk: str) -> None:
    """And without anybody seeing it leave and join, until it really leaves."""
    async with an_sdk(faulty, sdk, PLANNED_RECONNECT) as (world, client):
        witness = Listener(faulty.stack.websocket, faulty.stack.token(ALICE), world.channel, join_leave=True)
        async with listening([witness]):
            await faulty.publish(world.channel, 1)
            await faulty.grow_old(NEARLY_TWO_HOURS_S, client)
            await faulty.publish(world.channel, 2)
            await settled_back(faulty, world.channel, client)
            await faulty.give_up_waiting()
            await faulty.publish(world.channel, 3)
            await settled(lambda: witness.left)
            assert len(witness.left) == 1
            assert client not in witness.left
            assert witness.joined == []


async def test_a_client_that_does_not_come_back_leaves_within_the_next_minute(
    faulty: FaultyStack, channel: str
) -> None:
    witness = Listener(faulty.stack.websocket, faulty.stack.token(AMIR), channel, join_leave=True)
    tired = Listener(faulty.stack.websocket, faulty.stack.token(AMIR), channel, comes_back=False)
    async with listening([witness]), listening([tired]):
        await faulty.grow_old(NEARLY_TWO_HOURS_S, tired.client)
        await settled(lambda: tired.ends)
        assert (await faulty.api("presence_stats", channel=channel))["num_clients"] == 2
        await faulty.publish(channel, 1)
        assert witness.left == []
        await faulty.give_up_waiting()
        await faulty.let_pass(MINUTE_S)
        await settled(lambda: witness.left)
        assert witness.left == [tired.client]
        assert (await faulty.api("presence_stats", channel=channel))["num_clients"] == 1


async def test_a_storm_of_planned_reconnects_is_seen_by_nobody(faulty: FaultyStack, channel: str) -> None:
    """Of two users with many connections each, all at once and in the middle of traffic."""
    url, tokens = faulty.stack.websocket, [faulty.stack.token(email) for email in (ALICE, AMIR)]
    witness = Listener(url, tokens[0], channel, join_leave=True)
    crowd = [Listener(url, tokens[i % 2], channel) for i in range(30)]
    async with listening([witness]), listening(crowd):
        await settled(lambda: len(witness.joined) == len(crowd))
        publishing = asyncio.create_task(publish_many(faulty, channel, 20))
        await faulty.grow_old(NEARLY_TWO_HOURS_S, *(one.client for one in crowd))
        await publishing
        await settled(lambda: all(one.sockets == 2 and one.subscribed.is_set() for one in crowd))
        await faulty.give_up_waiting()
        await faulty.let_pass(MINUTE_S)
        top = (await faulty.publish(channel, "end"))["offset"]
        await arrived([witness, *crowd], top, 20)
        assert [one.offsets for one in (witness, *crowd)] == [list(range(1, top + 1))] * (len(crowd) + 1)
        assert witness.left == []
        assert len(witness.joined) == len(crowd)
        stats = await faulty.api("presence_stats", channel=channel)
        assert stats == {"num_clients": len(crowd) + 1, "num_users": 2}


async def publish_many(faulty: FaultyStack, channel: str, count: int) -> None:
    for value in range(count):
        await faulty.publish(channel, value)


async def test_ghosts_go_without_any_disconnect_event(faulty: FaultyStack, channel: str) -> None:
    """Within lease + 60 s, each with exactly one leave, until all counts are true again."""
    faulty.faults.disconnect_loss = 1.0
    user = f"{secrets.token_hex(4)}@acme.test"
    token = await asyncio.to_thread(faulty.stack.add_user, user, {"tenant_id": "acme", "permissions": ["read"]})
    ghosts = [Listener(faulty.stack.websocket, token, channel) for _ in range(5)]
    witness = Listener(faulty.stack.websocket, token, channel, join_leave=True)
    async with listening([witness]):
        async with listening(ghosts) as running:
            lost = [ghost.client for ghost in ghosts]
            for task, ghost in zip(running, ghosts, strict=True):
                task.cancel()
                ghost.break_off()
        assert await counted(faulty, channel) == {"members": 6, "connections": 6}
        for _ in range(LEASE_AND_SWEEP_MIN):
            await faulty.let_pass(MINUTE_S)
        await settled(lambda: len(witness.left) >= 5)
        assert sorted(witness.left) == sorted(lost)
        assert await counted(faulty, channel) == {"members": 1, "connections": 1}
        assert witness.sockets == 1


async def test_a_ghost_is_found_by_the_next_publication(faulty: FaultyStack, channel: str) -> None:
    faulty.faults.disconnect_loss = 1.0
    token = faulty.stack.token(AMIR)
    ghost = Listener(faulty.stack.websocket, token, channel)
    witness = Listener(faulty.stack.websocket, token, channel, join_leave=True)
    async with listening([witness]):
        async with listening([ghost]) as running:
            running[0].cancel()
            ghost.break_off()
        delivery = (await faulty.publish(channel, 1))["delivery"]
        assert delivery == {"delivered": 1, "gone": 1, "throttled": 0, "deferred": 0}
        await settled(lambda: witness.left)
        assert witness.left == [ghost.client]
        assert (await counted(faulty, channel))["members"] == 1


async def counted(faulty: FaultyStack, channel: str) -> dict[str, int]:
    """How many are in the channel, and how many connections the users there have."""
    presence = await faulty.api("presence", channel=channel)
    users = {member["user"] for member in presence["presence"].values()}
    found = [await faulty.api("connections", user=user) for user in users]
    return {"members": len(presence["presence"]), "connections": sum(len(one["connections"]) for one in found)}


async def settled_back(faulty: FaultyStack, channel: str, gone: str) -> None:
    """The one who was asked to come again has."""
    async with asyncio.timeout(20):
        while gone in (await faulty.api("presence", channel=channel))["presence"]:
            await asyncio.sleep(0.05)


async def settled(true: Callable[[], object]) -> None:
    """The others hear of it through `deliver`."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.05)
