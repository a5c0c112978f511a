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

from tests.delivery.listener import Listener, arrived, listening
from tests.support.stack import ALICE, Stack, running_stack

pytestmark = pytest.mark.anyio
SOCKETS = int(os.environ.get("TRAFFIC_COP_STADIUM", "90"))
LANE_SIZE = int(os.environ.get("TRAFFIC_COP_LANE", "20"))
PUBLICATIONS = 10
PER_USER = 40
AT_ONCE = 32


@dataclass(frozen=True)
class Stadium:
    """A stack whose lanes are small, an admin's token, and those of the crowd."""

    stack: Stack
    token: str
    tokens: list[str]


@pytest.fixture(scope="module")
def stadium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stadium]:
    """In a process of its own, with API Gateway's own limits; all sockets have one source address."""
    data = tmp_path_factory.mktemp("stadium")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LANE_SIZE", str(LANE_SIZE))
        environment.setenv("MAX_CONNECTIONS_PER_ADDRESS", str(SOCKETS * 2))
        with running_stack(data, "--workers", "4") as stack:
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
    opening = time.monotonic()
    async with (
        httpx.AsyncClient(base_url=stadium.stack.http, headers=headers, timeout=60) as api,
        listening(crowd, AT_ONCE),
    ):
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
        f"{SOCKETS} sockets in {lanes} lanes, all in after {began - opening:.1f} s: "
        f"{PUBLICATIONS} publications in {took:.1f} s, {rate:,.0f} deliveries/s"
    )
