"""History: what was published, after or before a position; the work follows the answer, not the log."""

from typing import Any

import pytest
import redis

from shared.realtime.delivery import channel_keys
from shared.realtime.protocol import Position
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
PUBLISHED = 12


def come_and_go(world: World, direct: "redis.Redis", times: int) -> None:
    """Ephemeral entries after the top, as append.lua writes them; some lane still has to deliver them."""
    keys = channel_keys(world.scope, CHANNEL)
    held = direct.hgetall(str(keys["channel"]))
    offset, n = int(held["s"]), int(held["n"])
    for i in range(n + 1, n + times + 1):
        direct.xadd(str(keys["log"]), {"join": "{}"}, id=f"{offset}-{i}")
    direct.hset(str(keys["channel"]), mapping={"n": n + times, "c": "0-0"})


def publish_among_others(world: World, direct: "redis.Redis", each: int) -> str:
    """Returns the epoch."""
    for i in range(PUBLISHED):
        world.publish(CHANNEL, i)
        come_and_go(world, direct, each)
    return world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch


def entries_read(world: World, direct: Any, limit: int, *, reverse: bool, since: Position | None) -> list[int]:
    """How many entries each look at the log read."""
    log = str(channel_keys(world.scope, CHANNEL)["log"])
    with direct.monitor() as monitor:
        world.realtime.channels.history(world.scope, CHANNEL, limit=limit, reverse=reverse, since=since)
        direct.echo("over")
        seen: list[str] = []
        while "over" not in (command := str(monitor.next_command()["command"])):
            seen.append(command)
    looks = [command.split() for command in seen if log in command and "RANGE" in command.upper()]
    return [len(direct.execute_command(*look)) for look in looks]


@pytest.mark.parametrize("each", [0, 1, 3])
@pytest.mark.parametrize("kept", [PUBLISHED, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_history_is_what_was_published_on_that_side_of_the_position(
    world: World, redis_direct: "redis.Redis", each: int, kept: int, reverse: bool
) -> None:
    epoch = publish_among_others(world, redis_direct, each)
    first = PUBLISHED - kept + 1
    redis_direct.xtrim(str(channel_keys(world.scope, CHANNEL)["log"]), minid=f"{first}-0", approximate=False)
    offsets = list(range(first, PUBLISHED + 1))
    for since in [None, *range(PUBLISHED + 2), 10**18]:
        position = None if since is None else Position(epoch=epoch, offset=since)
        on_that_side = [o for o in offsets if since is None or (o < since if reverse else o > since)]
        for limit in (-1, 1, 2, 5, 100, 2**62):
            wanted = on_that_side[::-1] if reverse else on_that_side
            found = world.realtime.channels.history(
                world.scope, CHANNEL, limit=limit, since=position, reverse=reverse
            ).publications
            assert [offset for offset, _ in found] == wanted[: limit if limit >= 0 else None], (since, limit)
            assert [body for _, body in found] == [f'"data":{offset - 1}' for offset, _ in found]


@pytest.mark.parametrize("since", [None, 6])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_few_publications_are_read_without_the_rest_of_the_log(
    world: World, redis_direct: "redis.Redis", reverse: bool, since: int | None
) -> None:
    epoch = publish_among_others(world, redis_direct, 0)
    position = None if since is None else Position(epoch=epoch, offset=since)
    assert entries_read(world, redis_direct, 3, reverse=reverse, since=position) == [3]


@pytest.mark.parametrize("since", [None, 6])
@pytest.mark.parametrize("reverse", [False, True])
def test_what_stands_between_publications_is_not_read_through(
    world: World, redis_direct: "redis.Redis", reverse: bool, since: int | None
) -> None:
    epoch = publish_among_others(world, redis_direct, 40)
    position = None if since is None else Position(epoch=epoch, offset=since)
    assert entries_read(world, redis_direct, 3, reverse=reverse, since=position) == [3, 2, 1]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_log_of_nothing_but_joins_is_not_read_through(
    world: World, redis_direct: "redis.Redis", reverse: bool
) -> None:
    publish_among_others(world, redis_direct, 40)
    redis_direct.xtrim(str(channel_keys(world.scope, CHANNEL)["log"]), minid=f"{PUBLISHED}-1", approximate=False)
    assert sum(entries_read(world, redis_direct, 3, reverse=reverse, since=None)) <= 3
