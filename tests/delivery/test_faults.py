"""What goes wrong between a function and a socket costs the one connection that it happens to, and no message."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, permutations
from random import Random

import pytest

from tests.delivery.faulty import FaultyStack
from tests.delivery.listener import Listener, arrived, listening
from tests.delivery.sdks import an_sdk
from tests.sdk.running import RUN, skip_unless_installed
from tests.sdk.scenarios import LISTEN_TO_THE_END, SCENARIOS
from tests.sdk.world import Worlds
from tests.support.stack import AMIR

pytestmark = pytest.mark.anyio


@pytest.fixture
def channel() -> str:
    return f"chat:{secrets.token_hex(6)}"


@pytest.fixture(autouse=True)
def clear(faulty: FaultyStack) -> Iterator[None]:
    yield
    faulty.faults.clear()


def listeners(faulty: FaultyStack, channel: str, count: int = 4) -> list[Listener]:
    token = faulty.stack.token(AMIR)
    return [Listener(faulty.stack.websocket, token, channel) for _ in range(count)]


async def saw_exactly(everybody: list[Listener], top: int, within_s: float = 20) -> None:
    await arrived(everybody, top, within_s)
    assert [one.offsets for one in everybody] == [list(range(1, top + 1))] * len(everybody)
    assert [one.lost for one in everybody] == [0] * len(everybody)


async def test_a_connection_that_is_gone_is_forgotten_and_the_others_hear_all(
    faulty: FaultyStack, channel: str
) -> None:
    everybody = listeners(faulty, channel)
    async with listening(everybody):
        gone, *others = everybody
        faulty.fail(gone.client, status=410)
        published = await faulty.publish(channel, 1)
        assert published["delivery"] == {"delivered": 3, "gone": 1, "throttled": 0, "deferred": 0}
        await saw_exactly(others, 1)
        assert gone.client not in (await faulty.api("presence", channel=channel))["presence"]
        assert (await faulty.publish(channel, 2))["delivery"]["gone"] == 0


async def test_a_throttled_connection_gets_everything_once_and_in_order(faulty: FaultyStack, channel: str) -> None:
    everybody = listeners(faulty, channel)
    async with listening(everybody):
        faulty.fail(everybody[0].client, status=429, times=4)
        published = await faulty.publish(channel, 1)
        assert published["delivery"] == {"delivered": 4, "gone": 0, "throttled": 4, "deferred": 0}
        await faulty.publish(channel, 2)
        await saw_exactly(everybody, 2)
        assert [one.sockets for one in everybody] == [1, 1, 1, 1]


async def test_a_throttled_account_slows_everybody_and_loses_nobody(faulty: FaultyStack, channel: str) -> None:
    everybody = listeners(faulty, channel, 10)
    async with listening(everybody):
        faulty.fail(status=429, share=0.5)
        for value in range(4):
            await faulty.publish(channel, value)
        await saw_exactly(everybody, 4)
        assert {one.sockets for one in everybody} == {1}


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "arrived"])
@pytest.mark.parametrize("status", [500, 504])
async def test_after_a_server_error_the_connection_comes_back_recovering(
    faulty: FaultyStack, channel: str, status: int, arrives: bool
) -> None:
    """Nobody knows whether it arrived: it is neither sent again nor left out."""
    everybody = listeners(faulty, channel)
    async with listening(everybody):
        doubtful = everybody[0]
        faulty.fail(doubtful.client, status=status, times=1, effect=arrives)
        published = await faulty.publish(channel, 1)
        assert published["delivery"]["delivered"] == 3
        await faulty.publish(channel, 2)
        await saw_exactly(everybody, 2)
        assert doubtful.ends == [3008]
        assert [one.sockets for one in everybody] == [2, 1, 1, 1]


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "arrived"])
async def test_a_hanging_call_delays_nobody_else(faulty: FaultyStack, channel: str, arrives: bool) -> None:
    everybody = listeners(faulty, channel, 8)
    async with listening(everybody):
        hanging, *others = everybody
        faulty.fail(hanging.client, hang=True, times=1, effect=arrives)
        publishing = asyncio.create_task(faulty.publish(channel, 1))
        await arrived(others, 1, 20)
        assert not publishing.done()
        assert (await publishing)["delivery"]["delivered"] == 7
        await faulty.publish(channel, 2)
        await saw_exactly(everybody, 2)
        assert hanging.ends == [3008]


async def test_an_answer_later_than_the_timeout_counts_as_none(faulty: FaultyStack, channel: str) -> None:
    everybody = listeners(faulty, channel)
    async with listening(everybody):
        faulty.fail(everybody[0].client, delay=3.0, times=1)
        await faulty.publish(channel, 1)
        await faulty.publish(channel, 2)
        await saw_exactly(everybody, 2)
        assert everybody[0].sockets == 2


async def test_a_connection_that_could_not_be_told_nor_closed_at_once_is_closed_all_the_same(
    faulty: FaultyStack, channel: str
) -> None:
    """Else its client would sit there, believing itself subscribed."""
    everybody = listeners(faulty, channel)
    async with listening(everybody):
        bad = everybody[0].client
        faulty.fail(bad, status=500, times=2)
        faulty.fail(bad, status=500, times=2, methods=frozenset({"DELETE"}))
        await faulty.publish(channel, 1)
        await faulty.publish(channel, 2)
        await saw_exactly(everybody, 2)


async def test_a_gateway_that_hangs_for_everybody_loses_nothing(faulty: FaultyStack, channel: str) -> None:
    everybody = listeners(faulty, channel, 6)
    async with listening(everybody):
        faulty.fail(hang=True, times=6)
        assert (await faulty.publish(channel, 1))["offset"] == 1
        await faulty.publish(channel, 2)
        await saw_exactly(everybody, 2)


async def test_all_faults_at_once_break_no_promise(faulty: FaultyStack, channel: str) -> None:
    """Fewer publications than the history holds, so that everything can be recovered."""
    everybody = listeners(faulty, channel, 30)
    async with listening(everybody):
        everything_at_once(faulty)
        for value in range(0, 45, 3):
            await asyncio.gather(*(faulty.publish(channel, value + i) for i in range(3)))
        faulty.faults.clear()
        top = (await faulty.publish(channel, "end"))["offset"]
        assert top == 46
        await saw_exactly(everybody, top, within_s=40)


class InOrders(Random):
    """Delays of messages that have them arrive in orders of one's choice: each order is of places, 0 comes first."""

    def __init__(self, orders: Iterable[Sequence[int]]) -> None:
        super().__init__()
        self._places = chain.from_iterable(orders)

    def uniform(self, a: float, b: float) -> float:
        return b * next(self._places, 0)


async def test_strict_mode_ends_subscribed_in_every_order_of_arrival(faulty: FaultyStack, channel: str) -> None:
    """React's StrictMode: subscribe, unsubscribe, subscribe in one tick, however they overtake each other."""
    orders = list(permutations(range(3)))
    everybody = listeners(faulty, channel, 1)
    async with listening(everybody):
        (one,) = everybody
        faulty.faults.random, faulty.faults.message_jitter = InOrders(orders), 0.25
        for i in range(len(orders)):
            for step, method in enumerate(("subscribe", "unsubscribe", "subscribe")):
                await one.send({"id": 100 + 10 * i + step, method: {"channel": f"{channel}-{i}"}})
        await one.answered(100 + 10 * i + step for i in range(len(orders)) for step in range(3))
        for i in range(len(orders)):
            assert one.client in (await faulty.api("presence", channel=f"{channel}-{i}"))["presence"]


async def test_frames_that_overtake_each_other_end_as_the_last_one_says(faulty: FaultyStack, channel: str) -> None:
    faulty.faults.message_jitter = 0.3
    names = [f"{channel}-{i}" for i in range(12)]
    everybody = listeners(faulty, channel, 1)
    async with listening(everybody) as running:
        (one,) = everybody
        for i, name in enumerate(names):
            for step, method in enumerate(("subscribe", "unsubscribe", "subscribe", "unsubscribe")[: 3 + i % 2]):
                await one.send({"id": 100 + 10 * i + step, method: {"channel": name}})
        await one.answered(100 + 10 * i + step for i in range(12) for step in range(3 + i % 2))
        present = [one.client in (await faulty.api("presence", channel=name))["presence"] for name in names]
        assert present == [i % 2 == 0 for i in range(12)]
        assert not running[0].done()


def everything_at_once(faulty: FaultyStack) -> None:
    faulty.fail(share=0.05, status=500)
    faulty.fail(share=0.05, status=502, effect=True)
    faulty.fail(share=0.10, status=429)
    faulty.fail(share=0.05, delay=0.2)
    faulty.fail(share=0.02, hang=True)
    faulty.fail(share=0.02, hang=True, effect=True)
    faulty.fail(share=0.30, status=500, methods=frozenset({"DELETE"}))
    faulty.faults.message_jitter = 0.05


@pytest.mark.parametrize("sdk", list(RUN))
async def test_an_sdk_hears_all_once_through_all_faults(faulty: FaultyStack, sdk: str) -> None:
    async with an_sdk(faulty, sdk, LISTEN_TO_THE_END) as (world, _):
        everything_at_once(faulty)
        for value in range(25):
            await faulty.publish(world.channel, value)
        faulty.faults.clear()
        await faulty.publish(world.channel, "end")


@pytest.mark.parametrize("scenario", ["strict_mode", "flapping", "many_channels"])
@pytest.mark.parametrize("sdk", list(RUN))
async def test_an_sdk_does_not_mind_that_its_frames_race(faulty: FaultyStack, sdk: str, scenario: str) -> None:
    skip_unless_installed(sdk)
    faulty.faults.message_jitter = 0.15
    (expected,) = (one.expected for one in SCENARIOS if one.name == scenario)
    assert await asyncio.to_thread(RUN[sdk], scenario, Worlds(faulty.stack).make()) == expected
