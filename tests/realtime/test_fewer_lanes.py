"""A channel that outgrew one lane and then lost its crowd goes back to as few lanes as it needs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.sockets import Socket
from shared.realtime.delivery import channel_keys, lane_key, lane_of
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections

CHANNEL = "chat:stadium"
SIZE = 3
QUARTER_HOUR_MS = 900_000
Leaving = Callable[..., None]


@pytest.fixture
def crowd(world: World) -> list[Socket]:
    """Ten subscribers in lanes of three."""
    small_lanes(world)
    return join(world, 10)


def small_lanes(world: World) -> None:
    object.__setattr__(world.realtime.settings, "lane_size", SIZE)


def join(world: World, many: int, **options: Any) -> list[Socket]:
    clients = [world.client(f"u{i}") for i in range(many)]
    for client in clients:
        world.subscribe(client, CHANNEL, **options)
    world.queued.clear()
    return clients


def leave(world: World, *clients: Socket) -> None:
    for client in clients:
        world.realtime.connections.unsubscribe(client, CHANNEL, 9)


def deliver(world: World) -> None:
    while world.queued:
        messages, world.queued[:] = list(world.queued), []
        for message in messages:
            _, lane = lane_of(message)
            world.realtime.delivery.wake(world.scope, lane.channel, time.monotonic() + 5, lane.number)


def sweep(world: World) -> None:
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 10)


def lanes(world: World, direct: Any) -> list[set[str]]:
    """Who is in each."""
    many = int(direct.hget(str(channel_keys(world.scope, CHANNEL)["channel"]), "l") or 1)
    return [
        {field[2:] for field in direct.hkeys(str(lane_key(world.scope, CHANNEL, number))) if field.startswith("m:")}
        for number in range(1, many + 1)
    ]


def counts(world: World, direct: Any) -> list[int]:
    """How many are in each lane after the first, as the channel's hash says."""
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    return [int(direct.hget(key, f"t{number}") or 0) for number in range(2, len(lanes(world, direct)) + 1)]


def names(clients: list[Socket]) -> set[str]:
    return {client.connection for client in clients}


def disconnect(world: World, *clients: Socket) -> None:
    for client in clients:
        world.realtime.connections.disconnect(client)


def are_found_gone(world: World, *clients: Socket) -> None:
    world.sent.answers.update({client.connection: 410 for client in clients})
    world.publish(CHANNEL, 0)
    deliver(world)


LEAVING = pytest.mark.parametrize("leaving", [leave, disconnect, are_found_gone])


@LEAVING
def test_lanes_are_counted_however_somebody_leaves(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis", leaving: Leaving
) -> None:
    assert counts(world, redis_direct) == [3, 3, 1]
    leaving(world, crowd[4], crowd[7], crowd[8])
    assert counts(world, redis_direct) == [2, 1, 1]


@LEAVING
def test_a_lost_crowd_takes_its_lanes_along(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis", leaving: Leaving
) -> None:
    leaving(world, *crowd[3:])
    sweep(world)
    assert lanes(world, redis_direct) == [names(crowd[:3])]
    world.queued.clear()
    world.publish(CHANNEL, 1)
    assert world.queued == []
    assert list(redis_direct.scan_iter(match=f"{{t:{world.scope.label}}}:lane:*")) == []


def test_the_last_message_of_a_lane_takes_it_along_where_sweep_has_not_been(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    leave(world, *crowd[9:])
    world.publish(CHANNEL, 1)
    deliver(world)
    assert lanes(world, redis_direct) == [names(crowd[:3]), names(crowd[3:6]), names(crowd[6:9])]


def test_comings_and_goings_are_told_again(world: World, redis_direct: "redis.Redis") -> None:
    small_lanes(world)
    crowd = join(world, 5, join_leave=True)
    leave(world, *crowd[3:])
    sweep(world)
    world.sent.forget()
    guest = world.client("guest")
    leave(world, crowd[2])
    world.subscribe(guest, CHANNEL)
    told = world.sent.pushes(crowd[0].connection, "leave") + world.sent.pushes(crowd[0].connection, "join")
    assert [push["info"]["user"] for push in told] == ["u2", "guest"]


def test_a_lane_in_the_middle_waits_for_those_after_it(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    leave(world, *crowd[3:9])
    sweep(world)
    world.publish(CHANNEL, 1)
    deliver(world)
    assert lanes(world, redis_direct) == [names(crowd[:3]), set(), set(), names(crowd[9:])]
    assert world.sent.offsets(crowd[9].connection, CHANNEL) == [1]
    leave(world, crowd[9])
    sweep(world)
    assert lanes(world, redis_direct) == [names(crowd[:3])]


def test_newcomers_take_the_places_of_those_who_left(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    """So that the newest lanes empty, and no more are opened than there are members for."""
    leave(world, crowd[7], crowd[1], crowd[4], crowd[5])
    newcomers = join(world, 6)
    held = lanes(world, redis_direct)
    assert [len(lane & names(newcomers)) for lane in held] == [1, 2, 1, 2]
    assert [len(lane) for lane in held] == [3, 3, 3, 3]


def test_a_crowd_that_comes_and_goes_needs_no_more_lanes(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    present = list(crowd)
    for _ in range(12):
        leave(world, *present[:2])
        present = [*present[2:], *join(world, 2)]
    assert [len(lane) for lane in lanes(world, redis_direct)] == [3, 3, 3, 1]


@pytest.mark.parametrize("known", ["2", "9", ""])
def test_a_count_that_is_wrong_is_put_right(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis", known: str
) -> None:
    """As after the version before has served the channel, which knows of no counts."""
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    redis_direct.hdel(key, "r")
    for lane in (2, 3, 4):
        redis_direct.hset(key, f"t{lane}", known) if known else redis_direct.hdel(key, f"t{lane}")
    world.publish(CHANNEL, 1)
    deliver(world)
    leave(world, crowd[0], crowd[4])
    newcomers = join(world, 4)
    assert [len(lane & names(newcomers)) for lane in lanes(world, redis_direct)] == [1, 1, 0, 2]


def test_a_full_lane_whose_count_is_too_low_sends_newcomers_on(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    redis_direct.hset(key, mapping={"t2": 0, "t3": 1, "r": 1})
    newcomers = join(world, 3)
    assert [len(lane & names(newcomers)) for lane in lanes(world, redis_direct)] == [0, 0, 0, 2, 1]


def test_a_lane_that_somebody_holds_stays(world: World, crowd: list[Socket], redis_direct: "redis.Redis") -> None:
    """He may be about to send to somebody who has left it, and may come back at once."""
    key = str(lane_key(world.scope, CHANNEL, 4))
    redis_direct.hset(key, mapping={"o": "busy", "d": 1 << 45})
    leave(world, *crowd[9:])
    sweep(world)
    assert len(lanes(world, redis_direct)) == 4
    redis_direct.hset(key, "o", "")
    sweep(world)
    assert len(lanes(world, redis_direct)) == 3


def test_a_lane_whose_holder_vanished_stays_until_he_cannot_come_back(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    key, index = str(lane_key(world.scope, CHANNEL, 4)), str(world.scope.key("lanes"))
    redis_direct.hset(key, mapping={"o": "asleep", "d": 1})
    leave(world, *crowd[9:])
    sweep(world)
    assert len(lanes(world, redis_direct)) == 4
    again_ms = redis_direct.zscore(index, f"4 {CHANNEL}")
    assert again_ms is not None
    assert 0 < float(again_ms) - time.time() * 1000 <= QUARTER_HOUR_MS
    world.subscribe(crowd[9], CHANNEL, cmd=10)
    assert world.sent.closed == [crowd[9].connection]
    redis_direct.hset(key, "u", int(time.time() * 1000) - QUARTER_HOUR_MS)
    redis_direct.zadd(index, {f"4 {CHANNEL}": 1})
    sweep(world)
    assert len(lanes(world, redis_direct)) == 3


def test_who_was_in_a_lane_that_went_comes_back_into_another(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    last = crowd[9]
    world.publish(CHANNEL, 1)
    deliver(world)
    leave(world, last, crowd[2])
    sweep(world)
    world.publish(CHANNEL, 2)
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    world.subscribe(last, CHANNEL, cmd=10, recover=True, epoch=epoch, offset=1)
    world.publish(CHANNEL, 3)
    assert world.sent.offsets(last.connection, CHANNEL) == [1, 2, 3]
    assert last.connection in lanes(world, redis_direct)[0]
    world.realtime.connections.unsubscribe(last, CHANNEL, 11)
    assert last.connection not in lanes(world, redis_direct)[0]


def test_leaving_again_a_lane_that_went_is_no_error(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    leave(world, crowd[9])
    sweep(world)
    world.realtime.connections.unsubscribe(crowd[9], CHANNEL, 11)
    assert world.realtime.connections.disconnect(crowd[9])
    assert len(lanes(world, redis_direct)) == 3


def test_a_message_that_comes_after_its_lane_went_does_no_harm(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    leave(world, *crowd[9:])
    world.publish(CHANNEL, 1)
    late = list(world.queued)
    sweep(world)
    world.queued[:] = late
    deliver(world)
    assert not redis_direct.exists(str(lane_key(world.scope, CHANNEL, 4)))
    for client in crowd[:9]:
        assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_a_lane_that_is_opened_again_begins_at_the_top(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    world.publish(CHANNEL, 1)
    deliver(world)
    leave(world, *crowd[9:])
    sweep(world)
    world.publish(CHANNEL, 2)
    deliver(world)
    (newcomer,) = join(world, 1)
    assert newcomer.connection in lanes(world, redis_direct)[3]
    world.publish(CHANNEL, 3)
    deliver(world)
    assert world.sent.offsets(newcomer.connection, CHANNEL) == [3]
    for client in crowd[:9]:
        assert world.sent.offsets(client.connection, CHANNEL) == [1, 2, 3]


def test_a_lane_that_was_opened_for_somebody_who_never_came_goes(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), mapping={"l": 5, "r": 5})
    world.publish(CHANNEL, 1)
    deliver(world)
    assert len(lanes(world, redis_direct)) == 4
    (newcomer,) = join(world, 1)
    assert newcomer.connection in lanes(world, redis_direct)[3]


def test_an_environment_that_knows_of_a_lane_that_went_is_corrected(
    world: World,
    crowd: list[Socket],
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    redis_direct: "redis.Redis",
) -> None:
    other = another_environment(upstash, sent, monkeypatch, world.scope)
    small_lanes(other)
    leave(world, *crowd[3:], crowd[1])
    sweep(other)
    (newcomer,) = join(world, 1)
    assert lanes(world, redis_direct) == [names([crowd[0], crowd[2], newcomer])]


def test_who_comes_back_into_an_old_lane_sends_no_newcomer_there(
    world: World, crowd: list[Socket], upstash: ThreadedUpstash
) -> None:
    world.subscribe(crowd[0], CHANNEL, cmd=3)
    newcomer = world.client("new")
    with upstash.counting() as counted:
        world.subscribe(newcomer, CHANNEL)
    assert counted.round_trips == 2
