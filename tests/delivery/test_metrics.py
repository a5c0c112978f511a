"""What publishers are told, what the functions measure and what the gateway did add up, whatever goes wrong."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.delivery.faulty import FaultyStack
from tests.delivery.listener import Listener, arrived, listening
from tests.support.stack import AMIR

pytestmark = pytest.mark.anyio
KINDS = ("Delivered", "Gone", "Throttled", "Deferred", "Posts")


@pytest.fixture(autouse=True)
def clear(faulty: FaultyStack) -> Iterator[None]:
    yield
    faulty.faults.clear()


def measured(faulty: FaultyStack) -> dict[str, Counter[str]]:
    """Sums of all metrics so far, by function."""
    sums: dict[str, Counter[str]] = {}
    for line in faulty.threaded.stack.data.log.read_text().splitlines():
        _, function, _, text = line.split(" ", 3)
        if text.startswith('{"_aws"'):
            counted = {name: amount for name, amount in json.loads(text).items() if name in KINDS}
            sums.setdefault(function.rsplit("-", 1)[-1], Counter()).update(counted)
    return sums


def posts(sums: dict[str, Counter[str]]) -> int:
    return sum(counted["Posts"] for counted in sums.values())


async def test_answers_metrics_and_the_gateway_agree(faulty: FaultyStack) -> None:
    channel, token = f"chat:{secrets.token_hex(6)}", faulty.stack.token(AMIR)
    everybody = [Listener(faulty.stack.websocket, token, channel) for _ in range(12)]
    before, accepted_before = measured(faulty), faulty.threaded.stack.gateway.connections.accepted
    async with listening(everybody):
        ours = before.get("channel", Counter())
        faulty.fail(everybody[0].client, status=410)
        faulty.fail(everybody[1].client, status=500, times=1)
        faulty.fail(share=0.3, status=429, times=30)
        answers: Counter[str] = Counter()
        for value in range(6):
            answers.update((await faulty.publish(channel, value))["delivery"])
        await arrived(everybody[2:], 6, 20)

    def accepted() -> int:
        return faulty.threaded.stack.gateway.connections.accepted - accepted_before

    async with asyncio.timeout(20):
        while posts(measured(faulty)) - posts(before) != accepted():
            await asyncio.sleep(0.1)
    channel_metrics = measured(faulty)["channel"]
    assert answers["gone"] >= 2
    assert {kind: answers[kind.lower()] for kind in KINDS[:4]} == {
        kind: channel_metrics[kind] - ours[kind] for kind in KINDS[:4]
    }
    assert accepted() >= answers["delivered"] >= 6 * 10
