"""A lease's end is final, and whoever is kicked or half disconnected gets nothing more."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.auth.sockets import Socket
from shared.errors import InvalidToken, TrafficCopError, Unavailable
from shared.realtime.connections import ConnectRequest
from shared.realtime.delivery import channel_keys, user_key
from shared.realtime.departures import _DISCONNECT
from shared.realtime.protocol import FORCE_DISCONNECT, publication_body
from shared.realtime.refusals import ConnectionGone
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"


def record_of(world: World, direct: "redis.Redis", client: Socket) -> list[str]:
    return str(direct.hget(str(user_key(world.scope, client.user)), f"c:{client.connection}")).split("\n")


def write_record(world: World, direct: "redis.Redis", client: Socket, parts: list[str]) -> None:
    direct.hset(str(user_key(world.scope, client.user)), f"c:{client.connection}", "\n".join(parts))


def lease_of(world: World, direct: "redis.Redis", connection: str) -> float | None:
    found = direct.zscore(str(world.scope.key("leases")), connection)
    return None if found is None else float(found)


def end_lease(world: World, direct: "redis.Redis", client: Socket, in_ms: int) -> None:
    """As if the time had come: the record and the zset agree, since scripts write both."""
    at = int(time.time() * 1000) + in_ms
    parts = record_of(world, direct, client)
    write_record(world, direct, client, [*parts[:6], str(at), *parts[7:]])
    direct.zadd(str(world.scope.key("leases")), {client.connection: at})


def connect_again(world: World, client: Socket) -> None:
    world.realtime.connections.connect(client, ConnectRequest(9, '"client":"x"', None))


@pytest.mark.parametrize("frame", ["subscribe", "unsubscribe", "publish", "refresh", "presence", "history", "connect"])
def test_a_lease_that_ended_cannot_be_renewed(world: World, redis_direct: "redis.Redis", frame: str) -> None:
    """Else the connection would go on without the publications that it was not sent meanwhile."""
    client, other = world.client("ann"), world.client("bob")
    world.subscribe(client, CHANNEL)
    world.subscribe(other, CHANNEL)
    end_lease(world, redis_direct, client, -1)
    world.publish(CHANNEL, 1)
    connections, channels = world.realtime.connections, world.realtime.channels
    frames: dict[str, Callable[[], object]] = {
        "subscribe": lambda: world.subscribe(client, "chat:other", cmd=3),
        "unsubscribe": lambda: connections.unsubscribe(client, CHANNEL, 3),
        "publish": lambda: connections.publish(client, CHANNEL, publication_body(b"1")),
        "refresh": lambda: connections.refresh(client, world.identity("ann")),
        "presence": lambda: channels.presence(world.scope, CHANNEL, on_behalf=client),
        "history": lambda: channels.history(world.scope, CHANNEL, limit=-1, on_behalf=client),
        "connect": lambda: connect_again(world, client),
    }
    with pytest.raises(ConnectionGone):
        frames[frame]()
    lease = lease_of(world, redis_direct, client.connection)
    assert lease is not None
    assert lease < time.time() * 1000


def test_a_keep_alive_does_not_bring_back_a_lease_that_ended(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    end_lease(world, redis_direct, client, -1)
    world.realtime.upkeep._renew(world.scope, [client])
    lease = lease_of(world, redis_direct, client.connection)
    assert lease is not None
    assert lease < time.time() * 1000


def test_a_kicked_connection_gets_nothing_although_its_channels_are_not_all_left_yet(
    world: World, upstash: ThreadedUpstash, redis_direct: "redis.Redis"
) -> None:
    client, listener = world.client("kicked"), world.client("listener")
    names = [f"chat:{i}" for i in range(20)]
    for i, name in enumerate(names):
        world.subscribe(client, name, cmd=2 + i)
        world.subscribe(listener, name, cmd=2 + i, join_leave=True)
    second = lambda sent: any(_DISCONNECT.sha1.encode() in c and len(c) < 50 for c in sent)  # noqa: E731
    upstash.faults.inject(Fault.DROP, times=None, when=second)
    try:
        with pytest.raises(Unavailable):
            world.realtime.channels.disconnect(world.scope, client.connection, FORCE_DISCONNECT)
    finally:
        upstash.faults.clear()
    world.sent.forget()
    for name in names:
        world.publish(name, 1)
    assert world.sent.posts(client.connection) == 0
    with pytest.raises(ConnectionGone):
        world.subscribe(client, CHANNEL, cmd=50)
    world.realtime.upkeep.leases(world.scope, time.monotonic() + 10)
    for name in names:
        world.realtime.delivery.wake(world.scope, name, time.monotonic() + 5)
        assert set(world.realtime.channels.presence(world.scope, name)) == {listener.connection}
        held = redis_direct.hgetall(str(channel_keys(world.scope, name)["channel"]))
        assert f"m:{client.connection}" not in held
    assert len(world.sent.pushes(listener.connection, "leave")) == 20
    assert lease_of(world, redis_direct, client.connection) is None


def test_a_disconnect_that_did_not_happen_is_made_up_for_when_the_lease_ends(
    world: World, upstash: ThreadedUpstash, redis_direct: "redis.Redis"
) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    digest, source = _DISCONNECT.sha1.encode(), _DISCONNECT.source.encode()
    lost = lambda sent: any(digest in c or source in c for c in sent)  # noqa: E731
    upstash.faults.inject(Fault.BAD_GATEWAY, times=None, when=lost)
    try:
        with pytest.raises(TrafficCopError):
            world.realtime.connections.disconnect(client)
    finally:
        upstash.faults.clear()
    assert set(world.realtime.channels.presence(world.scope, CHANNEL)) == {client.connection}
    end_lease(world, redis_direct, client, -1)
    world.realtime.upkeep.leases(world.scope, time.monotonic() + 10)
    held = redis_direct.hgetall(str(channel_keys(world.scope, CHANNEL)["channel"]))
    assert f"m:{client.connection}" not in held
    assert record_of(world, redis_direct, client) == ["None"]


def test_a_leave_whose_queue_message_was_lost_is_found_by_sweep(
    world: World, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    client, listener = world.client("guest"), world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(client, CHANNEL)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    lanes = str(world.scope.key("lanes"))
    redis_direct.delete(lanes)
    redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), "w", 0)
    world.realtime.connections.disconnect(client)
    assert world.sent.pushes(listener.connection, "leave") == []
    due_ms = redis_direct.zscore(lanes, CHANNEL)
    assert due_ms is not None
    assert float(due_ms) <= time.time() * 1000 + 11_000
    redis_direct.zadd(lanes, {CHANNEL: 1})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert len(world.sent.pushes(listener.connection, "leave")) == 1


def test_a_queue_that_is_down_does_not_fail_a_disconnect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client, listener = world.client("guest"), world.client("listener")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(client, CHANNEL)

    def down(messages: object, delay_s: int) -> None:
        raise Unavailable("no queue")

    monkeypatch.setattr(world.realtime.delivery, "_queue", down)
    assert world.realtime.channels.disconnect(world.scope, client.connection, FORCE_DISCONNECT)
    assert client.connection in world.sent.closed


@pytest.mark.parametrize("field", ["revoked_before", "revoked:another-session"])
def test_a_connection_cannot_go_on_under_a_revoked_token(world: World, redis_direct: "redis.Redis", field: str) -> None:
    client = world.client("ann")
    newer = replace(world.identity("ann"), session="another-session", issued_at=int(time.time()) - 100)
    revoked_at = int(time.time()) - 50
    redis_direct.hset(str(user_key(world.scope, "ann")), field, revoked_at)
    with pytest.raises(InvalidToken):
        world.realtime.connections.refresh(client, newer)
    assert world.subscribe(client, CHANNEL)


def test_after_a_refresh_the_newer_session_is_the_one_that_counts(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client("ann")
    newer = replace(world.identity("ann"), session="another-session")
    world.realtime.connections.refresh(client, newer)
    key = str(user_key(world.scope, "ann"))
    redis_direct.hset(key, f"revoked:{client.session}", 1)
    assert world.subscribe(client, CHANNEL)
    redis_direct.hset(key, "revoked:another-session", 1)
    with pytest.raises(InvalidToken):
        world.subscribe(client, CHANNEL, cmd=3)
