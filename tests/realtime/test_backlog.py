"""What is on its way to a lane is kept for it, however little of it history shows."""

import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from shared.auth.sockets import Socket
from shared.realtime import namespaces
from shared.realtime.delivery import channel_keys, lane_key, lane_of
from tests.realtime.conftest import World

CHANNEL = "short:room"
AGES = 1 << 45


@pytest.fixture(params=[(0, 0), (1, 1), (5, 300)], ids=lambda options: f"history of {options[0]}")
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many publications history shows."""
    size, ttl = request.param
    monkeypatch.setitem(
        namespaces.NAMESPACES, "short", replace(namespaces._DEFAULT, history_size=size, history_ttl=ttl)
    )
    return int(size)


def hold_lane(world: World, direct: "redis.Redis", until_ms: int, lane: int = 1) -> None:
    direct.hset(str(lane_key(world.scope, CHANNEL, lane)), mapping={"o": "busy", "d": until_ms})


def log_of(world: World, direct: Any) -> list[str]:
    return [entry for entry, _ in direct.xrange(str(channel_keys(world.scope, CHANNEL)["log"]))]


def publish(world: World, many: int) -> None:
    for value in range(many):
        world.realtime.channels.publish(world.scope, CHANNEL, b"%d" % value)


def member(world: World, user: str, **options: Any) -> Socket:
    client = world.client(user)
    world.subscribe(client, CHANNEL, **options)
    return client


def test_a_stalled_lane_gets_all_that_was_published_meanwhile(
    world: World, redis_direct: "redis.Redis", shown: int
) -> None:
    client = member(world, "ann")
    publish(world, 1)
    hold_lane(world, redis_direct, AGES)
    publish(world, 250)
    hold_lane(world, redis_direct, 1)
    publish(world, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == list(range(1, 253))
    assert world.sent.pushes(client.connection, "unsubscribe") == []


def test_so_does_a_stalled_lane_among_several(world: World, redis_direct: "redis.Redis", shown: int) -> None:
    object.__setattr__(world.realtime.settings, "lane_size", 1)
    first, second = member(world, "ann"), member(world, "bob")
    hold_lane(world, redis_direct, AGES, lane=2)
    publish(world, 150)
    hold_lane(world, redis_direct, 1, lane=2)
    _, lane = lane_of(world.queued[-1])
    assert world.realtime.delivery.settle(world.scope, lane, time.monotonic() + 20)
    for client in (first, second):
        assert world.sent.offsets(client.connection, CHANNEL) == list(range(1, 151))


def test_history_shows_what_its_size_says(world: World, redis_direct: "redis.Redis", shown: int) -> None:
    if shown:
        member(world, "ann")
        hold_lane(world, redis_direct, AGES)
        publish(world, 20)
        for reverse in (False, True):
            found = world.realtime.channels.history(world.scope, CHANNEL, limit=-1, reverse=reverse).publications
            assert sorted(offset for offset, _ in found) == list(range(21 - shown, 21))


def test_what_everybody_has_goes_down_to_what_history_shows(
    world: World, redis_direct: "redis.Redis", shown: int
) -> None:
    member(world, "ann")
    publish(world, 20)
    assert log_of(world, redis_direct) == [f"{offset}-0" for offset in range(21 - max(1, shown), 21)]


def test_where_nobody_is_nothing_more_is_kept(world: World, redis_direct: "redis.Redis", shown: int) -> None:
    publish(world, 20)
    assert log_of(world, redis_direct) == [f"{offset}-0" for offset in range(21 - max(1, shown), 21)]


def test_a_join_that_the_lanes_holder_has_not_sent_yet_is_told(
    world: World, redis_direct: "redis.Redis", shown: int
) -> None:
    listener = member(world, "listener", join_leave=True)
    publish(world, 1)
    hold_lane(world, redis_direct, AGES)
    member(world, "guest")
    publish(world, 10)
    hold_lane(world, redis_direct, 1)
    publish(world, 1)
    assert [push["info"]["user"] for push in world.sent.pushes(listener.connection, "join")] == ["guest"]
    assert world.sent.offsets(listener.connection, CHANNEL) == list(range(1, 13))


def test_the_log_lives_as_long_as_a_lane_may_take(world: World, redis_direct: "redis.Redis", shown: int) -> None:
    publish(world, 1)
    assert redis_direct.pttl(str(channel_keys(world.scope, CHANNEL)["log"])) > 60_000


def fill(world: World, direct: "redis.Redis", many: int) -> None:
    """As that many publications would."""
    keys = channel_keys(world.scope, CHANNEL)
    filling = direct.pipeline()
    for offset in range(1, many + 1):
        filling.xadd(str(keys["log"]), {"pub": '"data":1'}, id=f"{offset}-0")
    filling.hset(str(keys["channel"]), mapping={"s": many, "n": 0})
    filling.execute()


def test_a_lane_that_is_too_far_behind_keeps_no_more_than_a_limit(
    world: World, redis_direct: "redis.Redis", shown: int
) -> None:
    member(world, "ann")
    hold_lane(world, redis_direct, AGES)
    fill(world, redis_direct, 3_000)
    publish(world, 1)
    assert len(log_of(world, redis_direct)) == 2_000


def test_a_long_history_is_kept_whole(
    world: World, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(namespaces.NAMESPACES, "short", replace(namespaces._DEFAULT, history_size=2_500))
    world.realtime.channels.history(world.scope, CHANNEL, limit=0)
    fill(world, redis_direct, 3_000)
    publish(world, 1)
    assert len(log_of(world, redis_direct)) == 2_500
