"""Many environments at once on one channel: each client's story stays whole and in order."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.redis import ThreadedUpstash
from shared.auth.sockets import Socket
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections

CHANNEL = "chat:lobby"


def story(world: World, client: Socket) -> list[tuple[str, int]]:
    """What the client makes of its frames: where it starts, and what follows."""
    told: list[tuple[str, int]] = []
    for frame in world.sent.frames(client.connection):
        if "subscribe" in frame:
            reply = frame["subscribe"]
            told.append(("starts", reply["offset"]))
        push = frame.get("push", {})
        if push.get("channel") == CHANNEL and "pub" in push:
            told.append(("pub", push["pub"]["offset"]))
    return told


@pytest.mark.parametrize("seed", range(3))
def test_publishers_and_joiners_in_four_environments_break_no_order(
    upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    first = another_environment(upstash, sent, monkeypatch)
    worlds = [first, *(another_environment(upstash, sent, monkeypatch, first.scope) for _ in range(3))]
    steady = [worlds[i % 4].client(f"steady{i}") for i in range(3)]
    for i, client in enumerate(steady):
        worlds[i].subscribe(client, CHANNEL, join_leave=True)
    late: list[Socket] = []
    started = threading.Barrier(4)

    def work(index: int) -> None:
        world, dice = worlds[index], random.Random(seed * 10 + index)
        started.wait()
        for step in range(12):
            if dice.random() < 0.6:
                world.publish(CHANNEL, step)
            else:
                client = world.client(f"late{index}-{step}")
                late.append(client)
                world.subscribe(client, CHANNEL)
                if dice.random() < 0.5:
                    world.realtime.connections.unsubscribe(client, CHANNEL, 3)
                    world.subscribe(client, CHANNEL, cmd=4)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    first.publish(CHANNEL, -1)
    top = first.realtime.channels.history(first.scope, CHANNEL, limit=0).offset
    for client in (*steady, *late):
        position = None
        for kind, offset in story(first, client):
            assert kind == "starts" or (position is not None and offset == position + 1), story(first, client)
            position = offset
        assert position == top
    joined = [push["info"]["client"] for push in sent.pushes(steady[0].connection, "join")]
    present = set(first.realtime.channels.presence(first.scope, CHANNEL))
    left = [push["info"]["client"] for push in sent.pushes(steady[0].connection, "leave")]
    assert present == {client.connection for client in (*steady, *late)}
    assert {client.connection for client in late} <= set(joined)
    assert all(joined.count(one) - left.count(one) == 1 for one in set(joined))
