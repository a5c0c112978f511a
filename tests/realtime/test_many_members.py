"""Channels with more members than Lua passes arguments at once, and members that nobody took out."""

import time

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.errors import LimitReached
from shared.realtime.delivery import _ADVANCE, _WAKE, channel_keys
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
MANY = 9_000
LIVE = 'l\n2\n0\n{epoch}\n0-0\n{{"user":"u","client":"c"}}'
JOINING = 'j\n2\n0\n\n\n{{"user":"u","client":"c"}}\ns\n0\n\n\n0\n'


def crowd(world: World, direct: "redis.Redis", member: str, lease_end: float | None, many: int = MANY) -> None:
    """`many` members made by hand, with leases that end then, or none."""
    world.realtime.channels.history(world.scope, CHANNEL, limit=0)
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    text = member.format(epoch=direct.hget(key, "e"))
    names = [f"crowd{i}" for i in range(many)]
    direct.hset(key, mapping={f"m:{name}": text for name in names})
    if lease_end is not None:
        direct.zadd(str(world.scope.key("leases")), dict.fromkeys(names, lease_end))


def later() -> float:
    return time.time() * 1000 + 500_000


@pytest.mark.parametrize("member", [LIVE, JOINING], ids=["live", "joining"])
@pytest.mark.parametrize("lease_end", [1, None], ids=["lease ended", "no lease"])
def test_thousands_of_dead_members_do_not_stop_a_publication(
    world: World, redis_direct: "redis.Redis", member: str, lease_end: int | None
) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    crowd(world, redis_direct, member, lease_end)
    world.publish(CHANNEL, 1, 2)
    assert world.sent.offsets(client.connection, CHANNEL) == [1, 2]


def test_members_without_a_lease_are_taken_out_with_one_leave_each(world: World, redis_direct: "redis.Redis") -> None:
    """Nothing else would: their socket's record is gone, so sweep cannot know whose they were."""
    listener = world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    crowd(world, redis_direct, LIVE, None, many=3)
    world.publish(CHANNEL, 1, 2)
    assert len(world.sent.pushes(listener.connection, "leave")) == 3
    held = redis_direct.hgetall(str(channel_keys(world.scope, CHANNEL)["channel"]))
    assert [name for name in map(str, held) if name.startswith("m:")] == [f"m:{listener.connection}"]


def test_presence_of_thousands_is_refused_and_counted(world: World, redis_direct: "redis.Redis") -> None:
    crowd(world, redis_direct, LIVE, later())
    with pytest.raises(LimitReached):
        world.realtime.channels.presence(world.scope, CHANNEL)
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL) == {"num_clients": MANY, "num_users": 1}


@pytest.mark.parametrize("answer", [200, 410])
def test_thousands_joining_at_once_are_all_answered(world: World, redis_direct: "redis.Redis", answer: int) -> None:
    """What follows a lane's stall. A claim serves a part of them, so that no answer takes too long."""
    crowd(world, redis_direct, JOINING, later())
    event = world.realtime.delivery.event(world.scope, CHANNEL)
    claim = world.realtime.redis.run(_WAKE, event.lane_keys, event.lane_args)
    served: set[str] = set()
    change = "live" if answer == 200 else "drop"
    while isinstance(claim, list):
        epoch, hi, _, targets = claim
        served.update(target[0] for target in targets)
        changes = [part for target in targets for part in (target[0], target[1], change)]
        args = {**event.lane_args, "epoch": epoch, "hi": hi, "all": 1, "more": 1}
        claim = world.realtime.redis.run(_ADVANCE, event.lane_keys, args, more_args=changes)
    assert (claim, len(served)) == ("done", MANY)
    held = redis_direct.hgetall(str(channel_keys(world.scope, CHANNEL)["channel"]))
    members = {str(text)[0] for name, text in held.items() if str(name).startswith("m:")}
    assert members == ({"l"} if answer == 200 else set())
    assert held["j"] == "0"


def test_above_500_members_nobody_is_told_of_joins_and_leaves(world: World, redis_direct: "redis.Redis") -> None:
    listener = world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    crowd(world, redis_direct, LIVE, 1, many=501)
    world.publish(CHANNEL, 1)
    guest = world.client("guest")
    world.subscribe(guest, CHANNEL)
    world.realtime.connections.unsubscribe(guest, CHANNEL, 3)
    assert world.sent.pushes(listener.connection, "join") == []
    assert world.sent.pushes(listener.connection, "leave") == []


def test_nobodys_publish_waits_until_a_crowd_of_ghosts_is_reaped(
    world: World, upstash: ThreadedUpstash, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, ghosts = world.client("listener"), [world.client(f"u{i}") for i in range(60)]
    for client in (listener, *ghosts):
        world.subscribe(client, CHANNEL)
    for ghost in ghosts:
        world.sent.answers[ghost.connection] = 410
    monkeypatch.setattr(world.realtime.delivery, "_inline_s", 0.0)
    with upstash.counting() as counted:
        report = world.realtime.channels.publish(world.scope, CHANNEL, b"1").delivery
    assert (report.delivered, report.gone) == (1, 60)
    assert counted.round_trips <= 30
    assert set(world.realtime.channels.presence(world.scope, CHANNEL)) == {listener.connection}
