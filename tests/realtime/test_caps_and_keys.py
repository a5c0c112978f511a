"""Caps under a race, and no key that lives for ever."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.revocations import Revocations
from shared.errors import LimitReached
from shared.realtime.connections import Connections
from shared.realtime.protocol import SubscribeOptions, publication_body
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections

# Emptied by the connections' and lanes' own ends, and by sweep where those never come.
REAPED = ("leases", "addresses", "lanes")


def limited(world: World, **limits: int) -> Connections:
    realtime = world.realtime
    settings = replace(realtime.settings, **limits)  # type: ignore[arg-type]
    return Connections(realtime.redis, realtime.sockets, realtime.delivery, settings)


@pytest.mark.parametrize(
    "cap", ["max_connections_per_tenant", "max_connections_per_user", "max_connections_per_address"]
)
def test_racing_connects_never_overshoot_a_cap(
    upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch, cap: str
) -> None:
    first = another_environment(upstash, sent, monkeypatch)
    environments = [first, *(another_environment(upstash, sent, monkeypatch, first.scope) for _ in range(3))]

    def connect(world: World) -> int:
        admitted = 0
        for _ in range(5):
            try:
                limited(world, **{cap: 7}).admit(secrets.token_hex(6), world.identity("ann"), "1.2.3.4")
                admitted += 1
            except LimitReached:
                pass
        return admitted

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(connect, environments)) == 7


def test_a_ghost_frees_its_place_when_its_lease_ends(world: World, redis_direct: "redis.Redis") -> None:
    connections = limited(world, max_connections_per_user=1)
    connections.admit("ghost", world.identity("ann"), "1.2.3.4")
    with pytest.raises(LimitReached):
        connections.admit("next", world.identity("ann"), "1.2.3.4")
    redis_direct.zadd(str(world.scope.key("leases")), {"ghost": 1})
    connections.admit("next", world.identity("ann"), "1.2.3.4")


def test_a_lease_never_outlives_the_token_and_its_grace(world: World, redis_direct: "redis.Redis") -> None:
    identity = world.identity("ann", ttl_s=60)
    world.realtime.connections.admit("short", identity, "1.2.3.4")
    lease = redis_direct.zscore(str(world.scope.key("leases")), "short")
    assert lease == (identity.expires_at + 25) * 1000
    world.realtime.connections.admit("long", world.identity("ann"), "1.2.3.4")
    lease = redis_direct.zscore(str(world.scope.key("leases")), "long")
    assert lease == pytest.approx(time.time() * 1000 + 540_000, abs=5_000)


def test_no_key_lives_for_ever(world: World, redis_direct: "redis.Redis") -> None:
    clients = [world.client(f"u{i}") for i in range(3)]
    for client in clients:
        world.subscribe(client, "chat:lobby", join_leave=True)
        world.realtime.connections.publish(client, "chat:lobby", publication_body(b"1"))
    world.realtime.channels.publish(world.scope, "chat:lobby", b"1", idempotency_key="once")
    world.realtime.channels.history(world.scope, "chat:other", limit=-1)
    world.realtime.connections.disconnect(clients[0])
    prefix = f"{{t:{world.scope.label}}}:"
    keys = [key for key in redis_direct.scan_iter(match="*") if key.startswith(prefix)]
    immortal = {key.removeprefix(prefix) for key in keys if redis_direct.pttl(key) == -1}
    assert len(keys) > 6
    assert immortal <= set(REAPED)


def test_reaped_keys_vanish_with_the_last_connection(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, "chat:lobby")
    world.realtime.connections.disconnect(client)
    redis_direct.zadd(str(world.scope.key("lanes")), {"chat:lobby": 1, f"user:{client.user}": 1})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    world.realtime.upkeep.leases(world.scope, time.monotonic() + 5)
    for name in REAPED:
        assert not redis_direct.exists(str(world.scope.key(name))), name


def test_a_channels_hash_outlives_its_members(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, "chat:quiet")
    two_hours_ten = 7_800_000
    assert redis_direct.pttl(str(world.scope.key("ch", "chat:quiet"))) > two_hours_ten
    assert redis_direct.pttl(str(world.scope.key("user", client.user))) > two_hours_ten


def test_what_was_published_is_remembered_for_thirty_days(world: World, redis_direct: "redis.Redis") -> None:
    world.publish("chat:lobby", 1)
    days = redis_direct.pttl(str(world.scope.key("ch", "chat:lobby"))) / 86_400_000
    assert 29.9 < days <= 30
    history_ttl = redis_direct.pttl(str(world.scope.key("log", "chat:lobby")))
    assert 300_000 <= history_ttl <= 450_000


def test_a_look_at_a_blocked_users_channel_does_not_shorten_the_block(
    world: World, redis_direct: "redis.Redis"
) -> None:
    Revocations(world.realtime.redis, world.scope).block("bob")
    key = str(world.scope.key("user", "bob"))
    until = redis_direct.pexpiretime(key)
    world.realtime.channels.history(world.scope, "user:bob", limit=0)
    assert redis_direct.pexpiretime(key) == until == int(redis_direct.hget(key, "x") or 0)


def test_leaving_channels_that_one_is_not_in_makes_none(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client("ann")
    world.realtime.connections.unsubscribe(client, "chat:never", 5)
    assert not redis_direct.exists(str(world.scope.key("ch", "chat:never")))
    assert not world.realtime.connections.subscribe(client, "chat:never", 4, SubscribeOptions())
