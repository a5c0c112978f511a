"""Who is a member: frames that race, joins and leaves, presence, permissions and limits of one connection."""

import time

import pytest
import redis

from shared.auth.identity import Permission
from shared.auth.sockets import Socket
from shared.errors import InvalidToken, LimitReached, PermissionDenied, TokenExpired
from shared.realtime.connections import ConnectRequest
from shared.realtime.delivery import user_key
from shared.realtime.protocol import publication_body
from shared.realtime.refusals import ConnectionGone, NotConnectedYet
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"


def members(world: World) -> set[str]:
    return set(world.realtime.channels.presence(world.scope, CHANNEL))


def test_an_unsubscribe_that_arrives_late_changes_nothing(world: World) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL, cmd=2)
    world.subscribe(client, CHANNEL, cmd=4)
    world.realtime.connections.unsubscribe(client, CHANNEL, 3)
    assert members(world) == {client.connection}


def test_a_subscribe_that_arrives_late_changes_nothing(world: World) -> None:
    client = world.client()
    world.realtime.connections.unsubscribe(client, CHANNEL, 3)
    assert world.subscribe(client, CHANNEL, cmd=2) is False
    assert members(world) == set()


@pytest.mark.parametrize("order", [(2, 3, 4), (2, 4, 3), (3, 2, 4), (3, 4, 2), (4, 2, 3), (4, 3, 2)])
def test_strict_mode_ends_subscribed_in_every_order_of_arrival(world: World, order: tuple[int, ...]) -> None:
    client = world.client()
    for cmd in order:
        if cmd == 3:
            world.realtime.connections.unsubscribe(client, CHANNEL, 3)
        else:
            world.subscribe(client, CHANNEL, cmd=cmd)
    assert members(world) == {client.connection}
    answered = [frame["id"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    assert 4 in answered


def test_join_and_leave_come_once_to_those_who_asked(world: World) -> None:
    listener, deaf, guest = world.client("listener"), world.client("deaf"), world.client("guest")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(deaf, CHANNEL)
    world.subscribe(guest, CHANNEL)
    world.subscribe(guest, CHANNEL, cmd=3)
    world.realtime.connections.unsubscribe(guest, CHANNEL, 4)
    world.realtime.connections.unsubscribe(guest, CHANNEL, 5)
    joined = [push["info"]["user"] for push in world.sent.pushes(listener.connection, "join")]
    left = [push["info"]["user"] for push in world.sent.pushes(listener.connection, "leave")]
    assert joined == ["deaf", "guest"]
    assert left == ["guest"]
    assert world.sent.pushes(deaf.connection, "join") == []


def test_a_disconnect_leaves_every_channel_once(world: World) -> None:
    listener, guest = world.client("listener"), world.client("guest")
    names = [f"chat:{i}" for i in range(20)]
    for i, name in enumerate(names):
        world.subscribe(listener, name, cmd=2 + i, join_leave=True)
        world.subscribe(guest, name, cmd=2 + i)
    world.realtime.connections.disconnect(guest)
    world.realtime.connections.disconnect(guest)
    assert len(world.queued) == 20
    for name in names:
        world.realtime.delivery.wake(world.scope, name, time.monotonic() + 5)
        assert set(world.realtime.channels.presence(world.scope, name)) == {listener.connection}
    assert len(world.sent.pushes(listener.connection, "leave")) == 20


def test_presence_counts_clients_and_users(world: World) -> None:
    for user in ("ann", "ann", "bob"):
        world.subscribe(world.client(user), CHANNEL)
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL) == {"num_clients": 3, "num_users": 2}


def test_presence_and_history_are_for_subscribers(world: World) -> None:
    client = world.client()
    with pytest.raises(PermissionDenied):
        world.realtime.channels.presence(world.scope, CHANNEL, on_behalf=client)
    with pytest.raises(PermissionDenied):
        world.realtime.channels.history(world.scope, CHANNEL, limit=-1, on_behalf=client)
    world.subscribe(client, CHANNEL)
    assert set(world.realtime.channels.presence(world.scope, CHANNEL, on_behalf=client)) == {client.connection}


def test_publishing_needs_a_subscription_and_the_permission(world: World) -> None:
    client, reader = world.client("ann"), world.client("rea", Permission.READ)
    with pytest.raises(PermissionDenied):
        world.realtime.connections.publish(client, CHANNEL, publication_body(b"1"))
    world.subscribe(reader, CHANNEL)
    with pytest.raises(PermissionDenied):
        world.realtime.connections.publish(reader, CHANNEL, publication_body(b"1"))


def test_the_channels_of_one_connection_are_limited(world: World) -> None:
    """To a hundred of the client's own: its user's channel, which nobody can leave, is none of them."""
    client = world.client()
    for i in range(100):
        world.subscribe(client, f"chat:{i}", cmd=2 + i)
    with pytest.raises(LimitReached):
        world.subscribe(client, CHANNEL, cmd=200)
    world.realtime.connections.unsubscribe(client, "chat:1", 201)
    assert world.subscribe(client, CHANNEL, cmd=202)


def admitted(world: World, connection: str = "admitted") -> Socket:
    return world.realtime.connections.admit(connection, world.identity("ann"), "1.2.3.4")


def test_a_frame_that_overtakes_its_connect_is_told_to_wait(world: World) -> None:
    socket = admitted(world)
    with pytest.raises(NotConnectedYet):
        world.subscribe(socket, CHANNEL)
    world.realtime.connections.connect(socket, ConnectRequest(1, '"client":"x"', None))
    assert world.subscribe(socket, CHANNEL)


def record(world: World, socket: Socket, direct: "redis.Redis", part: int, value: object) -> None:
    key = str(user_key(world.scope, socket.user))
    parts = str(direct.hget(key, f"c:{socket.connection}")).split("\n")
    parts[part] = str(value)
    direct.hset(key, f"c:{socket.connection}", "\n".join(parts))


def test_an_expired_connection_may_do_nothing(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    record(world, client, redis_direct, 2, int(time.time()) - 26)
    with pytest.raises(TokenExpired):
        world.subscribe(client, CHANNEL)


def test_the_grace_is_25_seconds(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    record(world, client, redis_direct, 2, int(time.time()) - 20)
    assert world.subscribe(client, CHANNEL)


@pytest.mark.parametrize("field", ["revoked_before", "revoked:session-of-ann", "blocked"])
def test_a_revoked_connection_may_do_nothing(world: World, redis_direct: "redis.Redis", field: str) -> None:
    client = world.client()
    redis_direct.hset(str(user_key(world.scope, "ann")), field, str(int(time.time()) + 100))
    with pytest.raises(InvalidToken):
        world.subscribe(client, CHANNEL)


def test_a_connection_whose_lease_ended_gets_nothing(world: World, redis_direct: "redis.Redis") -> None:
    client, other = world.client("ann"), world.client("bob")
    world.subscribe(client, CHANNEL)
    world.subscribe(other, CHANNEL)
    redis_direct.zadd(str(world.scope.key("leases")), {client.connection: 1})
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == []
    assert world.sent.offsets(other.connection, CHANNEL) == [1]
    assert members(world) == {other.connection}


def test_a_kicked_connection_is_gone(world: World) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    world.realtime.connections.disconnect(client)
    with pytest.raises(ConnectionGone):
        world.subscribe(client, CHANNEL, cmd=3)
    assert members(world) == set()


def test_a_refresh_changes_rights_and_expiry_in_place(world: World) -> None:
    client = world.client("ann")
    world.subscribe(client, CHANNEL)
    world.realtime.connections.refresh(client, world.identity("ann", Permission.READ, ttl_s=7200))
    with pytest.raises(PermissionDenied):
        world.realtime.connections.publish(client, CHANNEL, publication_body(b"1"))
    identity = world.realtime.connections.identity(client)
    assert identity.permissions == {Permission.READ}
    assert identity.expires_at > time.time() + 7000
