"""Redis executed, and nobody heard of it; or the queue is down: what was done is acknowledged, and lanes go on."""

import time
from collections.abc import Iterator

import pytest
import redis

from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.errors import Unavailable
from shared.realtime import channels, connections, delivery, departures
from shared.realtime.delivery import channel_keys
from shared.realtime.protocol import publication_body
from shared.state.errors import OutcomeUnknown
from shared.state.scripts import Script
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
BODY = publication_body(b"1")


@pytest.fixture
def faulty(upstash: ThreadedUpstash) -> Iterator[ThreadedUpstash]:
    yield upstash
    upstash.faults.clear()


def lose(upstash: ThreadedUpstash, script: Script, *, executed: bool, times: int = 1) -> None:
    digest = script.sha1.encode()
    fault = Fault.DROP_AFTER if executed else Fault.DROP
    upstash.faults.inject(fault, times, when=lambda sent: any(digest in command for command in sent))


def expire_lane(world: World, direct: "redis.Redis", channel: str = CHANNEL) -> None:
    key = str(channel_keys(world.scope, channel)["channel"])
    if direct.hget(key, "o"):
        direct.hset(key, "d", 1)


def sweep(world: World, direct: "redis.Redis") -> None:
    """As a minute later."""
    lanes = str(world.scope.key("lanes"))
    direct.zadd(lanes, {str(name): 1 for name in direct.zrange(lanes, 0, -1)})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 10)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("executed", [True, False])
def test_a_lost_advance_fails_no_publish_and_stalls_no_lane(
    world: World, faulty: ThreadedUpstash, redis_direct: "redis.Redis", executed: bool, times: int
) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    lose(faulty, delivery._ADVANCE, executed=executed, times=times)
    done = world.realtime.connections.publish(client, CHANNEL, BODY)
    assert done.delivered == 1
    if times == 2:
        expire_lane(world, redis_direct)
    world.publish(CHANNEL, 2)
    offsets = world.sent.offsets(client.connection, CHANNEL)
    assert offsets == [1, 2] or (times == 2 and offsets == [1, 1, 2])


@pytest.mark.parametrize("executed", [True, False])
def test_after_a_lost_advance_sweep_goes_on(
    world: World, faulty: ThreadedUpstash, redis_direct: "redis.Redis", executed: bool
) -> None:
    client, late = world.client("ann"), world.client("late")
    world.subscribe(client, CHANNEL)
    key = str(channel_keys(world.scope, CHANNEL)["channel"])

    def join_meanwhile(body: str) -> int:
        world.sent.answers.pop(client.connection)
        world.subscribe(late, CHANNEL)
        return 200

    world.sent.answers[client.connection] = join_meanwhile
    lose(faulty, delivery._ADVANCE, executed=executed, times=2)
    world.publish(CHANNEL, 1)
    expire_lane(world, redis_direct)
    sweep(world, redis_direct)
    assert [frame["id"] for frame in world.sent.frames(late.connection) if "subscribe" in frame] == [2]
    assert redis_direct.hget(key, "o") == ""


def test_a_queue_that_is_down_fails_no_publish(
    world: World, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(messages: object, delay_s: int) -> None:
        raise Unavailable("no queue")

    monkeypatch.setattr(world.realtime.delivery, "_queue", down)
    monkeypatch.setattr(world.realtime.delivery, "_inline_s", 0.0)
    client = world.client()
    world.subscribe(client, CHANNEL)
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    redis_direct.hset(key, mapping={"o": "dead", "d": 1 << 45})
    for i in range(60):
        world.realtime.channels.publish(world.scope, CHANNEL, f'"{"x" * 5000}{i}"'.encode())
    redis_direct.hset(key, "d", 1)
    assert world.realtime.channels.publish(world.scope, CHANNEL, b"1").offset == 61
    sweep(world, redis_direct)
    assert world.sent.offsets(client.connection, CHANNEL) == list(range(1, 62))


@pytest.mark.parametrize("executed", [True, False])
def test_a_reap_that_fails_does_not_fail_the_publish_that_found_the_connection_gone(
    world: World, faulty: ThreadedUpstash, executed: bool
) -> None:
    gone, stays = world.client("gone"), world.client("stays")
    for client in (gone, stays):
        world.subscribe(client, CHANNEL)
    world.sent.answers[gone.connection] = 410
    digest = departures._DISCONNECT.sha1.encode()
    fault = Fault.DROP_AFTER if executed else Fault.DROP
    faulty.faults.inject(fault, times=2, when=lambda sent: any(digest in command for command in sent))
    report = world.realtime.channels.publish(world.scope, CHANNEL, b"1").delivery
    assert (report.delivered, report.gone) == (1, 1)
    assert world.sent.offsets(stays.connection, CHANNEL) == [1]


@pytest.mark.parametrize("executed", [True, False])
def test_a_subscribe_whose_answer_was_lost_can_be_repeated(
    world: World, faulty: ThreadedUpstash, redis_direct: "redis.Redis", executed: bool
) -> None:
    client = world.client()
    lose(faulty, connections._SUBSCRIBE, executed=executed)
    with pytest.raises(OutcomeUnknown):
        world.subscribe(client, CHANNEL, cmd=2)
    world.subscribe(client, CHANNEL, cmd=3)
    expire_lane(world, redis_direct)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    answered = [frame["id"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    closed = client.connection in world.sent.closed
    assert answered == [3] or (executed and closed)


@pytest.mark.parametrize("executed", [True, False])
def test_a_connect_whose_answer_was_lost_leaves_nothing_that_sweep_does_not_find(
    world: World, faulty: ThreadedUpstash, redis_direct: "redis.Redis", executed: bool
) -> None:
    world.client("ann")
    lose(faulty, connections._CONNECT, executed=executed)
    with pytest.raises(OutcomeUnknown):
        world.client("ann")
    expire_lane(world, redis_direct, "user:ann")
    assert world.realtime.roster.count(world.scope) == 1 + executed
    leases = str(world.scope.key("leases"))
    redis_direct.zadd(leases, {str(name): 1 for name in redis_direct.zrange(leases, 0, -1)})
    world.realtime.upkeep.leases(world.scope, time.monotonic() + 10)
    assert list(world.realtime.roster.of_user(world.scope, "ann")) == []
    assert not redis_direct.exists(str(world.scope.key("addresses")))


@pytest.mark.parametrize("executed", [True, False])
def test_an_unsubscribe_whose_answer_was_lost_can_be_repeated_and_leaves_once(
    world: World, faulty: ThreadedUpstash, redis_direct: "redis.Redis", executed: bool
) -> None:
    client, listener = world.client("guest"), world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(client, CHANNEL)
    lose(faulty, connections._UNSUBSCRIBE, executed=executed)
    with pytest.raises(OutcomeUnknown):
        world.realtime.connections.unsubscribe(client, CHANNEL, 3)
    world.realtime.connections.unsubscribe(client, CHANNEL, 4)
    expire_lane(world, redis_direct)
    sweep(world, redis_direct)
    assert len(world.sent.pushes(listener.connection, "leave")) == 1


def test_a_repeated_publish_goes_on_with_the_lane_it_took_the_first_time(world: World, faulty: ThreadedUpstash) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    lose(faulty, channels._PUBLISH, executed=True)
    done = world.realtime.channels.publish(world.scope, CHANNEL, b"1", idempotency_key="once")
    assert done.offset == 1
    assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_a_lane_that_cannot_be_resumed_does_not_keep_others_from_it(
    world: World, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    redis_direct.hset(key, mapping={"o": "dead", "d": 1 << 45})
    world.publish(CHANNEL, 1)
    redis_direct.hset(key, "d", 1)
    redis_direct.set(str(world.scope.key("ch", "broken")), "not a hash", ex=100)
    redis_direct.zadd(str(world.scope.key("lanes")), {"broken": 1, CHANNEL: 2})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 10)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]
