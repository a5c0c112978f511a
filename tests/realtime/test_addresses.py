"""Connections are counted by source address, and the count comes back to the truth whatever was lost."""

import time

import pytest
import redis

from shared.auth.sockets import Sockets
from shared.realtime.delivery import user_key
from shared.realtime.departures import _ANY, _Going
from tests.realtime.conftest import World

ADDRESS = "1.2.3.4"


def counted(world: World, direct: "redis.Redis") -> int:
    return int(direct.zscore(str(world.scope.key("addresses")), ADDRESS) or 0)


def lose_hash(world: World, direct: "redis.Redis", user: str) -> None:
    direct.delete(str(user_key(world.scope, user)))


def leases_end(world: World, direct: "redis.Redis", *connections: str) -> None:
    direct.zadd(str(world.scope.key("leases")), dict.fromkeys(connections, int(time.time() * 1000) - 1))


def sweep(world: World) -> None:
    world.realtime.upkeep.leases(world.scope, time.monotonic() + 10)


def test_each_connection_counts_until_it_goes(world: World, redis_direct: "redis.Redis") -> None:
    ann, bob = world.client("ann"), world.client("bob")
    assert counted(world, redis_direct) == 2
    world.realtime.connections.disconnect(ann)
    world.realtime.connections.disconnect(ann)
    assert counted(world, redis_direct) == 1
    world.realtime.connections.disconnect(bob)
    assert counted(world, redis_direct) == 0


@pytest.mark.parametrize("remembered", [True, False])
def test_a_connection_whose_users_hash_was_lost_counts_until_its_lease_ends(
    world: World, redis_direct: "redis.Redis", remembered: bool
) -> None:
    world.client("ann")
    lost = world.client("bob")
    lose_hash(world, redis_direct, "bob")
    if not remembered:
        world.realtime.sockets._known.clear()
    leases_end(world, redis_direct, lost.connection)
    sweep(world)
    sweep(world)
    assert counted(world, redis_direct) == 1


def test_it_counts_no_more_when_it_closes_before_that(world: World, redis_direct: "redis.Redis") -> None:
    world.client("ann")
    lost = world.client("bob")
    lose_hash(world, redis_direct, "bob")
    for _ in range(2):
        assert not world.realtime.connections.disconnect(lost)
        assert counted(world, redis_direct) == 1


def test_a_connection_that_was_half_taken_out_when_the_hash_was_lost_is_not_counted_twice(
    world: World, redis_direct: "redis.Redis"
) -> None:
    world.client("ann")
    lost = world.client("bob")
    going = _Going(lost, if_lease_ended=False, comes_back=False)
    world.realtime.connections._departures._take_out(going, _ANY, (), last=False)
    assert counted(world, redis_direct) == 1
    lose_hash(world, redis_direct, "bob")
    sweep(world)
    assert counted(world, redis_direct) == 1


def test_where_it_is_not_known_whose_a_connection_was_counting_begins_anew(
    world: World, redis_direct: "redis.Redis"
) -> None:
    """Rather too few than too many: nobody is refused for connections that are no more."""
    stays, lost = world.client("ann"), world.client("bob")
    lose_hash(world, redis_direct, "bob")
    redis_direct.delete(f"{{sock:{lost.connection}}}")
    world.realtime.sockets._known.clear()
    leases_end(world, redis_direct, lost.connection)
    sweep(world)
    assert counted(world, redis_direct) == 0
    world.realtime.connections.disconnect(stays)
    sweep(world)
    world.client("eve")
    assert counted(world, redis_direct) == 1


def test_a_record_of_the_version_before_names_no_address(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client("ann")
    key = f"{{sock:{client.connection}}}"
    redis_direct.set(key, f'["{world.scope.label}","ann","session-of-ann",0]', ex=100)
    found = Sockets(world.realtime.redis).find(client.connection)
    assert found is not None
    lose_hash(world, redis_direct, "ann")
    assert not world.realtime.connections.disconnect(found)
    assert redis_direct.zrange(str(world.scope.key("addresses")), 0, -1) == [ADDRESS]
