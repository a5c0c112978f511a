"""A channel outgrows one lane by itself; its members stay where they are, and every lane keeps every promise."""

import time

import pytest
import redis

from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.auth.sockets import Socket
from shared.realtime import channels
from shared.realtime.delivery import Lane, lane_key, lane_of
from shared.realtime.realtime import Realtime
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections

CHANNEL = "chat:stadium"
SIZE = 3


@pytest.fixture
def crowd(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Socket]:
    """Ten subscribers in lanes of three."""
    small_lanes(world.realtime, monkeypatch)
    clients = [world.client(f"u{i}") for i in range(10)]
    for client in clients:
        world.subscribe(client, CHANNEL)
    world.queued.clear()
    return clients


def small_lanes(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    object.__setattr__(realtime.settings, "lane_size", SIZE)


def deliver(world: World) -> None:
    """What the deliver function does with the messages, as long as there are some."""
    while world.queued:
        messages, world.queued[:] = list(world.queued), []
        for message in messages:
            _, lane = lane_of(message)
            world.realtime.delivery.wake(world.scope, lane.channel, time.monotonic() + 5, lane.number)


def members(direct: "redis.Redis", world: World, lane: int) -> set[str]:
    fields = direct.hkeys(str(lane_key(world.scope, CHANNEL, lane)))
    return {str(field)[2:] for field in fields if str(field).startswith("m:")}


def test_lanes_fill_up_one_after_the_other(world: World, crowd: list[Socket], redis_direct: "redis.Redis") -> None:
    sizes = [len(members(redis_direct, world, lane)) for lane in (1, 2, 3, 4, 5)]
    assert sizes == [3, 3, 3, 1, 0]


def test_a_publication_names_each_further_lane_once(world: World, crowd: list[Socket]) -> None:
    world.publish(CHANNEL, 1)
    assert [lane_of(message)[1] for message in world.queued] == [Lane(CHANNEL, number) for number in (2, 3, 4)]


def test_every_member_of_every_lane_gets_everything_in_order(world: World, crowd: list[Socket]) -> None:
    for value in range(5):
        world.publish(CHANNEL, value)
    deliver(world)
    world.publish(CHANNEL, 5)
    deliver(world)
    for client in crowd:
        assert world.sent.offsets(client.connection, CHANNEL) == [1, 2, 3, 4, 5, 6]


def test_a_message_that_comes_twice_or_late_does_no_harm(world: World, crowd: list[Socket]) -> None:
    world.publish(CHANNEL, 1)
    world.queued *= 2
    deliver(world)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5, 4)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5, 99)
    for client in crowd:
        assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_a_new_lane_begins_at_the_top(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small_lanes(world.realtime, monkeypatch)
    world.publish(CHANNEL, *range(7))
    clients = [world.client(f"u{i}") for i in range(4)]
    for client in clients:
        world.subscribe(client, CHANNEL)
    assert world.sent.offsets(clients[3].connection, CHANNEL) == []
    world.publish(CHANNEL, 7)
    deliver(world)
    assert [world.sent.offsets(client.connection, CHANNEL) for client in clients] == [[8]] * 4


def test_recovery_works_in_every_lane(world: World, crowd: list[Socket]) -> None:
    world.publish(CHANNEL, *range(6))
    deliver(world)
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    latecomer = world.client("late")
    world.subscribe(latecomer, CHANNEL, recover=True, epoch=epoch, offset=4)
    assert world.sent.offsets(latecomer.connection, CHANNEL) == [5, 6]


def test_a_member_stays_in_its_lane(world: World, crowd: list[Socket], redis_direct: "redis.Redis") -> None:
    first = crowd[0]
    world.subscribe(first, CHANNEL, cmd=3)
    assert first.connection in members(redis_direct, world, 1)
    assert sum(len(members(redis_direct, world, lane)) for lane in range(1, 6)) == 10
    world.realtime.connections.unsubscribe(first, CHANNEL, 2)
    assert first.connection in members(redis_direct, world, 1)


def test_leaving_finds_the_lane(world: World, crowd: list[Socket], redis_direct: "redis.Redis") -> None:
    world.realtime.connections.unsubscribe(crowd[4], CHANNEL, 5)
    world.realtime.connections.disconnect(crowd[7])
    assert crowd[4].connection not in members(redis_direct, world, 2)
    assert crowd[7].connection not in members(redis_direct, world, 3)
    world.publish(CHANNEL, 1)
    deliver(world)
    assert world.sent.offsets(crowd[4].connection, CHANNEL) == []
    assert world.sent.offsets(crowd[5].connection, CHANNEL) == [1]


def test_presence_counts_all_lanes(world: World, crowd: list[Socket]) -> None:
    channels = world.realtime.channels
    assert channels.presence_stats(world.scope, CHANNEL) == {"num_clients": 10, "num_users": 10}
    assert set(channels.presence(world.scope, CHANNEL, on_behalf=crowd[9])) == {one.connection for one in crowd}


def test_the_list_of_connections_shows_the_channel_whatever_its_lane(world: World, crowd: list[Socket]) -> None:
    page = world.realtime.roster.page(world.scope, "", 100)
    assert all(CHANNEL in item.channels for item in page.items)
    assert len(page.items) == 10


def test_an_environment_that_knows_an_older_lane_is_corrected(
    world: World,
    crowd: list[Socket],
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    redis_direct: "redis.Redis",
) -> None:
    other = another_environment(upstash, sent, monkeypatch, world.scope)
    small_lanes(other.realtime, monkeypatch)
    newcomer = other.client("new")
    other.subscribe(newcomer, CHANNEL)
    assert newcomer.connection in members(redis_direct, world, 4)


def test_a_further_lane_left_behind_is_resumed_by_sweep(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    key = str(lane_key(world.scope, CHANNEL, 2))
    redis_direct.hset(key, mapping={"o": "dead", "d": "1", "w": "1"})
    redis_direct.zadd(str(world.scope.key("lanes")), {f"2 {CHANNEL}": 1})
    world.publish(CHANNEL, 1)
    world.queued.clear()
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert [world.sent.offsets(client.connection, CHANNEL) for client in crowd[3:6]] == [[1]] * 3


def test_a_connection_gone_in_a_further_lane_is_forgotten(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    world.sent.answers[crowd[8].connection] = 410
    world.publish(CHANNEL, 1)
    deliver(world)
    assert crowd[8].connection not in members(redis_direct, world, 3)
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL)["num_clients"] == 9


def test_lanes_have_no_immortal_key(world: World, crowd: list[Socket], redis_direct: "redis.Redis") -> None:
    world.publish(CHANNEL, 1)
    deliver(world)
    for lane in (1, 2, 3, 4):
        assert redis_direct.pttl(str(lane_key(world.scope, CHANNEL, lane))) > 7_800_000


def test_a_member_comes_back_into_its_lane(world: World, crowd: list[Socket], redis_direct: "redis.Redis") -> None:
    """The lane's holder may be about to send to it, and nobody else may."""
    first = crowd[0]
    world.realtime.connections.unsubscribe(first, CHANNEL, 3)
    world.subscribe(first, CHANNEL, cmd=4)
    assert first.connection in members(redis_direct, world, 1)
    assert first.connection not in members(redis_direct, world, 4)


def test_sweep_resumes_further_lanes_whose_messages_were_lost(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    world.publish(CHANNEL, 1)
    world.queued.clear()
    lanes = str(world.scope.key("lanes"))
    redis_direct.zadd(lanes, {str(name): 1 for name in redis_direct.zrange(lanes, 0, -1)})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 10)
    for client in crowd:
        assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_a_repeated_publish_wakes_further_lanes(world: World, crowd: list[Socket], upstash: ThreadedUpstash) -> None:
    digest = channels._PUBLISH.sha1.encode()
    upstash.faults.inject(Fault.DROP_AFTER, 1, when=lambda sent: any(digest in command for command in sent))
    world.realtime.channels.publish(world.scope, CHANNEL, b"1", idempotency_key="once")
    deliver(world)
    for client in crowd:
        assert world.sent.offsets(client.connection, CHANNEL) == [1]
