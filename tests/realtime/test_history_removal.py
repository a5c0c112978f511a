"""Removed history is out of sight at once; what is still on its way to somebody arrives, and goes with later ones."""

import time
from typing import Any

import pytest
import redis

from shared.auth.sockets import Socket
from shared.realtime.delivery import channel_keys, lane_of
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
LANE_SIZE = 2


@pytest.fixture
def crowd(world: World) -> list[Socket]:
    """Five subscribers in lanes of two."""
    object.__setattr__(world.realtime.settings, "lane_size", LANE_SIZE)
    clients = [world.client(f"u{i}") for i in range(5)]
    for client in clients:
        world.subscribe(client, CHANNEL)
    world.queued.clear()
    return clients


def deliver(world: World) -> None:
    messages, world.queued[:] = list(world.queued), []
    for message in messages:
        _, lane = lane_of(message)
        world.realtime.delivery.wake(world.scope, lane.channel, time.monotonic() + 5, lane.number)


def key_of(world: World) -> str:
    return str(channel_keys(world.scope, CHANNEL)["channel"])


def log_of(world: World, direct: Any) -> list[str]:
    return [str(entry) for entry, _ in direct.xrange(str(channel_keys(world.scope, CHANNEL)["log"]))]


def hold_lane(world: World, direct: "redis.Redis", until_ms: int) -> None:
    direct.hset(key_of(world), mapping={"o": "dead", "d": until_ms})


def remove(world: World) -> None:
    world.realtime.channels.remove_history(world.scope, CHANNEL)


def shown(world: World, *, reverse: bool = False) -> list[int]:
    found = world.realtime.channels.history(world.scope, CHANNEL, limit=-1, reverse=reverse)
    return [offset for offset, _ in found.publications]


def minutes_pass(world: World, direct: "redis.Redis") -> None:
    direct.hset(key_of(world), "ht", 1)


def test_what_is_on_its_way_in_any_lane_arrives(world: World, crowd: list[Socket]) -> None:
    world.publish(CHANNEL, 1, 2)
    remove(world)
    assert shown(world) == shown(world, reverse=True) == []
    deliver(world)
    world.publish(CHANNEL, 3)
    deliver(world)
    for client in crowd:
        assert world.sent.offsets(client.connection, CHANNEL) == [1, 2, 3]
        assert world.sent.pushes(client.connection, "unsubscribe") == []
    assert shown(world) == shown(world, reverse=True) == [3]


def test_what_a_dead_holder_left_is_out_of_sight_and_arrives(world: World, redis_direct: "redis.Redis") -> None:
    client, back = world.client("ann"), world.client("bob")
    world.subscribe(client, CHANNEL)
    hold_lane(world, redis_direct, 1 << 45)
    world.publish(CHANNEL, 1, 2)
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    remove(world)
    assert shown(world) == shown(world, reverse=True) == []
    hold_lane(world, redis_direct, 1)
    world.subscribe(back, CHANNEL, recover=True, epoch=epoch, offset=1)
    assert world.sent.offsets(client.connection, CHANNEL) == [1, 2]
    (reply,) = [frame["subscribe"] for frame in world.sent.frames(back.connection) if "subscribe" in frame]
    assert (reply.get("recovered", False), reply["offset"]) == (False, 2)
    assert world.sent.offsets(back.connection, CHANNEL) == []


@pytest.mark.parametrize(("offset", "recovered"), [(1, False), (2, True)])
def test_only_who_has_all_that_was_removed_recovers_in_a_further_lane(
    world: World, crowd: list[Socket], offset: int, recovered: bool
) -> None:
    world.publish(CHANNEL, 1, 2)
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    remove(world)
    world.publish(CHANNEL, 3)
    back = world.client("back")
    world.subscribe(back, CHANNEL, recover=True, epoch=epoch, offset=offset)
    deliver(world)
    (reply,) = [frame["subscribe"] for frame in world.sent.frames(back.connection) if "subscribe" in frame]
    assert reply.get("recovered", False) is recovered
    assert world.sent.offsets(back.connection, CHANNEL) == ([3] if recovered else [])


def test_where_everybody_has_it_it_goes_at_once(world: World, redis_direct: "redis.Redis") -> None:
    world.subscribe(world.client(), CHANNEL)
    world.publish(CHANNEL, 1, 2)
    remove(world)
    assert log_of(world, redis_direct) == []


def test_what_was_on_its_way_goes_with_what_is_published_a_minute_later(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    world.publish(CHANNEL, 1, 2)
    remove(world)
    world.publish(CHANNEL, 3)
    assert log_of(world, redis_direct) == ["1-0", "2-0", "3-0"]
    deliver(world)
    minutes_pass(world, redis_direct)
    world.publish(CHANNEL, 4)
    assert log_of(world, redis_direct) == ["3-0", "4-0"]


def test_a_join_after_all_was_removed_is_told(world: World, redis_direct: "redis.Redis") -> None:
    listener = world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    hold_lane(world, redis_direct, 1 << 45)
    world.publish(CHANNEL, 1)
    remove(world)
    minutes_pass(world, redis_direct)
    hold_lane(world, redis_direct, 1)
    world.subscribe(world.client("guest"), CHANNEL)
    assert world.sent.offsets(listener.connection, CHANNEL) == [1]
    assert [push["info"]["user"] for push in world.sent.pushes(listener.connection, "join")] == ["guest"]
