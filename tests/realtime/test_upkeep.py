"""What sweep does: ghosts go, idle sockets stay, lanes go on, unproven sockets are closed."""

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count

import pytest
import redis

from shared.auth.due import SHARDS, SOCKET, Due, DueIndex, _shard
from shared.realtime import upkeep
from shared.realtime.delivery import user_key
from shared.realtime.sender import Outcome, Post, Report
from shared.tenant.scope import SCOPE_SEAL, TenantScope
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
    assert list(world.realtime.channels.connections_of(world.scope, "ghost")) == []


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


def entries(world: World, kind: str) -> list[Due]:
    return [entry for entry in world.realtime.due.due() if (entry.kind, entry.name) == (kind, world.scope.label)]


def test_a_noted_deadline_is_found_when_it_has_passed(world: World, redis_direct: "redis.Redis") -> None:
    due, now_ms = world.realtime.due, int(time.time() * 1000)
    world.realtime.redis.pipeline(due.note(world.scope, "things", now_ms + 60_000))
    assert entries(world, "things") == []
    assert due.note(world.scope, "things", now_ms + 70_000) == []
    world.realtime.redis.pipeline(due.note(world.scope, "things", now_ms - 2_000))
    (entry,) = entries(world, "things")
    assert entry.scope == world.scope


def test_a_note_that_was_lost_is_made_up_for_within_a_minute(world: World) -> None:
    clock = [time.time()]
    due = DueIndex(world.realtime.redis, lambda: clock[0])
    in_nine_minutes = int((clock[0] + 540) * 1000)
    assert due.note(world.scope, "leases", in_nine_minutes) != []
    assert due.note(world.scope, "leases", in_nine_minutes + 1000) == []
    clock[0] += 61
    assert due.note(world.scope, "leases", in_nine_minutes + 61_000) != []


def test_an_entry_found_empty_twice_goes(world: World, redis_direct: "redis.Redis") -> None:
    due = world.realtime.due
    world.realtime.redis.pipeline(due.note(world.scope, "things", 2_000))
    (entry,) = entries(world, "things")
    due.settle(entry, due.visit(entry), None)
    shard = next(key for key in redis_direct.scan_iter(match="{sys}:due:*") if redis_direct.zscore(key, entry.member))
    score = redis_direct.zscore(shard, entry.member)
    assert score is not None
    # Environments trust their notes for a minute, so what they left out meanwhile is found.
    assert 60_000 < score - time.time() * 1000 <= 121_000
    again = Due(entry.kind, entry.name, int(score))
    assert again.found_empty_before
    due.settle(again, due.visit(again), None)
    assert redis_direct.zscore(shard, entry.member) is None


def test_a_deadline_noted_during_a_visit_is_not_lost(world: World) -> None:
    due = world.realtime.due
    world.realtime.redis.pipeline(due.note(world.scope, "things", 2_000))
    (entry,) = entries(world, "things")
    mark = due.visit(entry)
    world.realtime.redis.pipeline(due.note(world.scope, "things", 1_000))
    due.settle(entry, mark, None)
    assert [found.deadline_ms for found in entries(world, "things")] == [1_000]


def tenant_of_shard(shard: int) -> TenantScope:
    labels = (f"t{secrets.token_hex(6)}" for _ in count())
    return next(TenantScope(label, SCOPE_SEAL) for label in labels if _shard(label) == shard)


def test_a_tenant_whose_work_never_ends_waits_until_others_had_their_turn(world: World) -> None:
    busy, waiting = tenant_of_shard(0), tenant_of_shard(SHARDS - 1)
    now = int(time.time())
    due = DueIndex(world.realtime.redis, lambda: now)
    world.realtime.redis.pipeline([*due.note(busy, "things", 2_000), *due.note(waiting, "things", (now - 60) * 1000)])

    def in_turn(later_s: int) -> list[Due]:
        found = DueIndex(world.realtime.redis, lambda: now + later_s).due()
        return [entry for entry in found if entry.name in (busy.label, waiting.label)]

    first, _ = in_turn(0)
    assert first.scope == busy
    due.settle(first, due.visit(first), 2_000)
    assert [entry.scope for entry in in_turn(60)] == [waiting, busy]


def test_pending_sockets_are_due_by_their_connection(world: World) -> None:
    world.realtime.due.note_socket(f"pending-{world.scope.label}", 2_000)
    assert f"pending-{world.scope.label}" in {entry.name for entry in world.realtime.due.due() if entry.kind == SOCKET}


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
    assert list(world.realtime.channels.connections_of(world.scope, "old")) == []


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
