"""A channel of many lanes on the running stack: the queue, `deliver` and every lane together keep the order.

TRAFFIC_COP_STADIUM sets how many sockets there are (90); TRAFFIC_COP_LANE how many a lane holds (20).
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from local.gateway import Throttle
from local.stack import StackOptions
from local.threaded import ThreadedStack
from tests.delivery.listener import Listener, arrived, listening
from tests.support.stack import ALICE, Stack

pytestmark = pytest.mark.anyio
SOCKETS = int(os.environ.get("TRAFFIC_COP_STADIUM", "90"))
LANE_SIZE = int(os.environ.get("TRAFFIC_COP_LANE", "20"))
PUBLICATIONS = 10
PER_USER = 40


@dataclass(frozen=True)
class Stadium:
    """A stack whose lanes are small, an admin's token, and those of the crowd."""

    stack: Stack
    token: str
    tokens: list[str]


@pytest.fixture(scope="module")
def stadium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stadium]:
    data = tmp_path_factory.mktemp("stadium")
    open_doors = Throttle(rate=100_000, burst=100_000)
    options = StackOptions(
        data_dir=data,
        workers=4,
        environment={
            "LANE_SIZE": str(LANE_SIZE),
            "MAX_CONNECTIONS_PER_ADDRESS": str(SOCKETS * 2),
        },
        gateway={"new_connections": open_doors, "account_throttle": open_doors, "socket_throttles": {}},
    )
    with ThreadedStack(options) as threaded:
        stack = Stack(**threaded.addresses, data=data)
        rights = {"tenant_id": "acme", "permissions": ["read", "write"]}
        crowd = [stack.add_user(f"fan{i}@acme.test", rights) for i in range(-(-SOCKETS // PER_USER))]
        yield Stadium(stack, stack.token(ALICE), crowd)


async def publish(api: httpx.AsyncClient, channel: str, value: int) -> int:
    answered = await api.post("/api/publish", json={"channel": channel, "data": value})
    return int(answered.json()["result"]["offset"])


async def test_every_socket_of_every_lane_gets_everything_in_order(
    stadium: Stadium, measured: Callable[[str], None]
) -> None:
    channel = f"chat:{secrets.token_hex(4)}"
    tokens = (stadium.tokens[i // PER_USER] for i in range(SOCKETS))
    crowd = [Listener(stadium.stack.websocket, token, channel) for token in tokens]
    headers = {"authorization": f"Bearer {stadium.token}"}
    async with httpx.AsyncClient(base_url=stadium.stack.http, headers=headers, timeout=60) as api, listening(crowd):
        began = time.monotonic()
        offsets = [await publish(api, channel, value) for value in range(PUBLICATIONS)]
        await arrived(crowd, offsets[-1], within_s=60)
        took = time.monotonic() - began
        stats = (await api.post("/api/presence_stats", json={"channel": channel})).json()["result"]
    assert stats["num_clients"] == SOCKETS
    assert offsets == list(range(1, PUBLICATIONS + 1))
    for listener in crowd:
        assert listener.offsets == offsets
    lanes = -(-SOCKETS // LANE_SIZE)
    rate = SOCKETS * PUBLICATIONS / took
    measured(
        f"{SOCKETS} sockets in {lanes} lanes: {PUBLICATIONS} publications in {took:.1f} s, {rate:,.0f} deliveries/s"
    )
