"""Recovery is honest: all that was missed, or nothing and the word that it is not recovered."""

import time
from dataclasses import replace

import pytest
import redis

from shared.auth.sockets import Socket
from shared.realtime import namespaces
from shared.realtime.delivery import channel_keys
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
KB = 1024


def epoch_of(world: World) -> str:
    return world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch


def reply_of(world: World, client: Socket) -> dict[str, object]:
    (found,) = [frame["subscribe"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    return dict(found)


def hold_lane(world: World, direct: "redis.Redis", until_ms: int) -> None:
    direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), mapping={"o": "dead", "d": until_ms})


def come_and_go(world: World, direct: "redis.Redis", times: int) -> None:
    """Joins and leaves in the log, as a busy channel with a listener has them; appended as log.lua appends them."""
    keys = channel_keys(world.scope, CHANNEL)
    held = direct.hgetall(str(keys["channel"]))
    offset, n = int(held["s"]), int(held["n"])
    pipeline = direct.pipeline()
    for i in range(n + 1, n + times + 1):
        pipeline.xadd(str(keys["log"]), {"join": "{}"}, id=f"{offset}-{i}")
    pipeline.hset(str(keys["channel"]), mapping={"n": n + times, "c": f"{offset}-{n + times}"})
    pipeline.execute()


@pytest.mark.parametrize(("each", "publications"), [(650, 2), (750, 3), (1000, 2), (400, 10)])
def test_joins_and_leaves_between_publications_do_not_hide_any(
    world: World, redis_direct: "redis.Redis", each: int, publications: int
) -> None:
    listener = world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.publish(CHANNEL, 1)
    for i in range(publications):
        come_and_go(world, redis_direct, each)
        world.publish(CHANNEL, i)
    come_and_go(world, redis_direct, each)
    client = world.client()
    world.subscribe(client, CHANNEL, recover=True, epoch=epoch_of(world), offset=1)
    reply = reply_of(world, client)
    assert reply["recovered"] is True
    assert world.sent.offsets(client.connection, CHANNEL) == list(range(2, publications + 2))
    world.publish(CHANNEL, 99)
    assert world.sent.offsets(client.connection, CHANNEL)[-1] == publications + 2


def test_a_flood_of_joins_that_cannot_be_read_through_is_not_called_recovered(
    world: World, redis_direct: "redis.Redis"
) -> None:
    world.publish(CHANNEL, 1)
    for i in range(9):
        come_and_go(world, redis_direct, 1000)
        redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), "c", "0-0")
        world.publish(CHANNEL, i)
    client = world.client()
    world.subscribe(client, CHANNEL, recover=True, epoch=epoch_of(world), offset=1)
    reply = reply_of(world, client)
    got = world.sent.offsets(client.connection, CHANNEL)
    assert got == (list(range(2, 11)) if "recovered" in reply else [])


def test_a_dead_member_that_wants_old_entries_does_not_hang_the_server(
    world: World, redis_direct: "redis.Redis"
) -> None:
    world.publish(CHANNEL, 1)
    epoch = epoch_of(world)
    come_and_go(world, redis_direct, 800)
    world.publish(CHANNEL, 2)
    come_and_go(world, redis_direct, 800)
    hold_lane(world, redis_direct, 1 << 45)
    dead = world.client("dead")
    world.subscribe(dead, CHANNEL, recover=True, epoch=epoch, offset=1)
    redis_direct.zadd(str(world.scope.key("leases")), {dead.connection: 1})
    hold_lane(world, redis_direct, 1)
    world.publish(CHANNEL, 3)
    assert redis_direct.ping()
    assert world.sent.offsets(dead.connection, CHANNEL) == []


def test_three_hundred_publications_are_recovered_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    roomy = replace(namespaces._DEFAULT, history_size=1000)
    monkeypatch.setitem(namespaces.NAMESPACES, "big", roomy)
    big = "big:room"
    for i in range(302):
        world.realtime.channels.publish(world.scope, big, b"%d" % i)
    epoch = world.realtime.channels.history(world.scope, big, limit=0).epoch
    near, far = world.client("near"), world.client("far")
    world.subscribe(near, big, recover=True, epoch=epoch, offset=2)
    world.subscribe(far, big, recover=True, epoch=epoch, offset=1)
    assert reply_of(world, near)["recovered"] is True
    assert world.sent.offsets(near.connection, big) == list(range(3, 303))
    assert "recovered" not in reply_of(world, far)
    assert world.sent.offsets(far.connection, big) == []


@pytest.mark.parametrize("letter", ["x", "é", "漢", "😀"])
def test_large_publications_are_recovered_in_frames_that_the_gateway_takes(world: World, letter: str) -> None:
    data = f'"{letter * (60_000 // len(letter.encode()))}"'.encode()
    world.publish(CHANNEL, 1)
    for _ in range(12):
        world.realtime.channels.publish(world.scope, CHANNEL, data)
    client = world.client()
    world.subscribe(client, CHANNEL, recover=True, epoch=epoch_of(world), offset=1)
    assert world.sent.offsets(client.connection, CHANNEL) == list(range(2, 14))
    assert max(len(body.encode()) for body in world.sent._bodies[client.connection]) < 128 * KB


def test_a_backlog_of_large_publications_is_read_once(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    data = f'"{"x" * 60_000}"'.encode()
    hold_lane(world, redis_direct, 1 << 45)
    for _ in range(40):
        world.realtime.channels.publish(world.scope, CHANNEL, data)
    hold_lane(world, redis_direct, 1)
    claims: list[int] = []
    run = world.realtime.redis.run

    def measured(*args: object, **kwargs: object) -> object:
        answer = run(*args, **kwargs)  # type: ignore[arg-type]
        if isinstance(answer, list):
            claims.append(len(str(answer)))
        return answer

    world.realtime.redis.run = measured  # type: ignore[method-assign]
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 20)
    assert world.sent.offsets(client.connection, CHANNEL) == list(range(1, 41))
    assert max(claims) < 200 * KB


def test_a_personal_channel_that_lost_its_entries_ends_the_connection(
    world: World, redis_direct: "redis.Redis"
) -> None:
    """A client cannot subscribe to it again, so the 2500 push of other channels would silence it for good."""
    client = world.client("ann")
    keys = channel_keys(world.scope, "user:ann")
    redis_direct.hset(str(keys["channel"]), mapping={"o": "dead", "d": 1 << 45})
    world.realtime.channels.publish(world.scope, "user:ann", b"1")
    redis_direct.delete(str(keys["log"]))
    redis_direct.hset(str(keys["channel"]), "d", 1)
    world.realtime.channels.publish(world.scope, "user:ann", b"1")
    codes = [push["code"] for push in world.sent.pushes(client.connection, "disconnect")]
    assert len(codes) == 1
    assert 3000 <= codes[0] < 3500
    assert world.sent.pushes(client.connection, "unsubscribe") == []
    assert world.sent.closed == [client.connection]


def test_a_channel_without_history_recovers_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(namespaces.NAMESPACES, "live", replace(namespaces._DEFAULT, history_size=0))
    world.publish("live:a", 1, 2, 3)
    epoch = str(world.realtime.redis.call("HGET", channel_keys(world.scope, "live:a")["channel"], "e"))
    client = world.client()
    world.subscribe(client, "live:a", recover=True, epoch=epoch, offset=1)
    assert not {"recovered", "recoverable", "epoch", "publications"} & reply_of(world, client).keys()
    assert world.sent.offsets(client.connection, "live:a") == []
    world.publish("live:a", 4)
    assert [push["data"] for push in world.sent.pushes(client.connection, "pub")] == [4]
