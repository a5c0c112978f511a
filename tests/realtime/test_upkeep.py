"""What sweep does: ghosts go, idle sockets stay, lanes go on, unproven sockets are closed."""

import time
from collections import Counter
from collections.abc import Sequence

import pytest
import redis

from shared.realtime import upkeep
from shared.realtime.delivery import user_key
from shared.realtime.sender import Outcome, Post, Report
from tests.realtime.conftest import World
from tests.support.simulation import Clock

CHANNEL = "chat:lobby"


def end_lease(world: World, direct: "redis.Redis", connection: str, in_ms: int = -1) -> None:
    direct.zadd(str(world.scope.key("leases")), {connection: int(time.time() * 1000) + in_ms})


def sweep_leases(world: World) -> int | None:
    return world.realtime.upkeep.leases(world.scope, time.monotonic() + 10)


def test_a_ghost_is_reaped_with_one_leave(world: World, redis_direct: "redis.Redis") -> None:
    ghost, listener = world.client("ghost"), world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(ghost, CHANNEL)
    end_lease(world, redis_direct, ghost.connection)
    sweep_leases(world)
    sweep_leases(world)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    assert [push["info"]["user"] for push in world.sent.pushes(listener.connection, "leave")] == ["ghost"]
    assert ghost.connection in world.sent.closed
    assert list(world.realtime.roster.of_user(world.scope, "ghost")) == []


def test_an_idle_socket_is_kept_alive(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    end_lease(world, redis_direct, client.connection, in_ms=60_000)
    world.sent.forget()
    sweep_leases(world)
    assert world.sent.frames(client.connection) == [{"push": {"channel": "$ka"}}]
    lease = redis_direct.zscore(str(world.scope.key("leases")), client.connection)
    assert lease is not None
    assert lease > time.time() * 1000 + 500_000


def test_a_keep_alive_that_finds_nobody_ends_the_connection(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    end_lease(world, redis_direct, client.connection, in_ms=60_000)
    world.sent.answers[client.connection] = 410
    sweep_leases(world)
    assert redis_direct.zscore(str(world.scope.key("leases")), client.connection) is None


def test_keep_alives_are_spread_over_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a thousand a second, however many leases are about to end at once, and however fast they are sent."""
    soon = int(time.time() * 1000) + 60_000
    crowd = [part for i in range(1_050) for part in (soon, f"idle-{i}")]
    world.realtime.redis.call("ZADD", world.scope.key("leases"), *crowd)
    second, sent_in = 0.0, Counter[int]()

    class Instant(Clock):
        def sleep(self, seconds: float) -> None:
            nonlocal second
            second += seconds

    def post(posts: Sequence[Post], deadline: float) -> Report:
        sent_in[int(second + 1e-6)] += len(posts)
        return Report({one.connection: Outcome.DELIVERED for one in posts}, 0)

    monkeypatch.setattr(upkeep, "time", Instant())
    monkeypatch.setattr(world.realtime.sender, "post", post)
    with monkeypatch.context() as counting:
        asked: list[object] = []
        counting.setattr(world.realtime.sockets, "find", asked.append)
        world.realtime.upkeep._keep_alive(world.scope, 1e9)
    assert sent_in == {0: 1_000, 1: 50}
    assert asked == []


def test_leases_far_from_their_end_are_left_alone(world: World) -> None:
    client = world.client()
    world.sent.forget()
    following = sweep_leases(world)
    assert world.sent.frames(client.connection) == []
    assert following is not None
    assert following < time.time() * 1000 + 540_000


def test_sweep_looks_at_a_lease_while_the_keep_alive_still_helps(world: World, redis_direct: "redis.Redis") -> None:
    """And again a sweep later, should the first one come late or be throttled."""
    client = world.client()
    lease = redis_direct.zscore(str(world.scope.key("leases")), client.connection)
    member = f"leases|{world.scope.label}"
    found = [redis_direct.zscore(key, member) for key in redis_direct.scan_iter(match="{sys}:due:*")]
    (looked_at,) = [score for score in found if score is not None]
    assert lease is not None
    assert looked_at < lease - 120_000
    following = sweep_leases(world)
    assert following is not None
    assert following < lease - 120_000


def test_a_stalled_lane_is_resumed(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    key = str(world.scope.key("ch", CHANNEL))
    redis_direct.hset(key, mapping={"o": "dead", "d": "9999999999999"})
    world.publish(CHANNEL, 1)
    redis_direct.hset(key, "d", "1")
    redis_direct.zadd(str(world.scope.key("lanes")), {CHANNEL: 1})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_a_socket_without_identity_is_closed_as_stale(world: World) -> None:
    client = world.client()
    world.realtime.upkeep.prove_or_close(["nobody", client.connection])
    assert [push["code"] for push in world.sent.pushes("nobody", "disconnect")] == [3502]
    assert world.sent.closed == ["nobody"]


def make_old(world: World, direct: "redis.Redis", connection: str, user: str, minutes: int) -> None:
    """As if it had been connected that long ago, and its lease had followed."""
    key, now_ms = str(user_key(world.scope, user)), int(time.time() * 1000)
    parts = str(direct.hget(key, f"c:{connection}")).split("\n")
    parts[5], parts[6] = str(now_ms - minutes * 60_000), str(now_ms + 60_000)
    direct.hset(key, f"c:{connection}", "\n".join(parts))
    end_lease(world, direct, connection, in_ms=60_000)


def test_before_two_hours_a_client_is_asked_to_reconnect(world: World, redis_direct: "redis.Redis") -> None:
    old, young = world.client("old"), world.client("young")
    world.subscribe(old, CHANNEL)
    make_old(world, redis_direct, old.connection, "old", 115)
    make_old(world, redis_direct, young.connection, "young", 90)
    sweep_leases(world)
    assert [push["code"] for push in world.sent.pushes(old.connection, "disconnect")] == [3011]
    assert world.sent.closed == [old.connection]
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}
    assert list(world.realtime.roster.of_user(world.scope, "old")) == []


def test_a_lease_never_reaches_the_two_hours_of_the_gateway(world: World, redis_direct: "redis.Redis") -> None:
    """So that sweep comes upon busy connections, too."""
    ends = set()
    for i in range(10):
        client = world.client(f"u{i}")
        make_old(world, redis_direct, client.connection, client.user, 104)
        world.subscribe(client, CHANNEL)
        lease = redis_direct.zscore(str(world.scope.key("leases")), client.connection)
        assert lease is not None
        age_minutes = 104 + (float(lease) - time.time() * 1000) / 60_000
        assert 104 < age_minutes <= 115
        ends.add(round(age_minutes, 2))
    assert len(ends) > 1


def test_idle_sockets_are_kept_alive_although_many_ghosts_wait(world: World, redis_direct: "redis.Redis") -> None:
    idle, ghost = world.client("idle"), world.client("ghost")
    end_lease(world, redis_direct, idle.connection, in_ms=60_000)
    end_lease(world, redis_direct, ghost.connection)
    order: list[str] = []
    world.sent.answers[idle.connection] = lambda body: order.append("kept") or 200  # type: ignore[func-returns-value]
    world.sent.answers[ghost.connection] = lambda body: order.append("reaped") or 200  # type: ignore[func-returns-value]
    sweep_leases(world)
    assert order == ["kept", "reaped"]
