"""A subscription under a token ends with the token and its grace, in and out, unless it is refreshed before."""

import time
from collections.abc import Callable

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.grants import Grant
from shared.auth.identity import Permission
from shared.auth.sockets import Socket
from shared.errors import PermissionDenied
from shared.realtime.connections import GRACE_S
from shared.realtime.delivery import lane_key, user_key
from shared.realtime.protocol import SubscribeOptions, publication_body
from tests.realtime.conftest import World

CHANNEL = "desk:1"


def grant(ttl_s: float, info: str = "", channel: str = CHANNEL) -> Grant:
    """With the grace it is over in so many seconds; None never ends."""
    return Grant(channel, int(time.time() + ttl_s - GRACE_S), 0, info)


def over(info: str = "") -> Grant:
    return grant(-1, info)


def subscribe(world: World, client: Socket, given: Grant, cmd: int = 2, channel: str = CHANNEL) -> None:
    assert world.realtime.connections.subscribe(client, channel, cmd, SubscribeOptions(), given)


def become_over(world: World, direct: "redis.Redis", client: Socket, lane: int = 1) -> None:
    """As if the time had come: the member and the connection's subscription agree, since scripts write both."""
    member, name = str(lane_key(world.scope, CHANNEL, lane)), f"m:{client.connection}"
    at = str(int(time.time() * 1000) - 1)
    parts = str(direct.hget(member, name)).split("\n")
    direct.hset(member, name, "\n".join([*parts[:6], at, *parts[7:]]))
    user, subs = str(user_key(world.scope, client.user)), f"s:{client.connection}"
    kept = [line for line in str(direct.hget(user, subs)).split("\n") if not line.startswith(f"{CHANNEL} ")]
    direct.hset(user, subs, "\n".join([*kept, f"{CHANNEL} 2 1 {lane} {at}"]))


def looked_at(world: World, direct: "redis.Redis") -> float | None:
    score = direct.zscore(str(world.scope.key("lanes")), CHANNEL)
    return None if score is None else float(score)


def ends_of(world: World, direct: "redis.Redis", client: Socket) -> list[str]:
    """By the member and by the connection's subscription."""
    member = str(direct.hget(str(lane_key(world.scope, CHANNEL, 1)), f"m:{client.connection}")).split("\n")
    subs = str(direct.hget(str(user_key(world.scope, client.user)), f"s:{client.connection}")).split("\n")
    (line,) = [line.split() for line in subs if line.startswith(f"{CHANNEL} ")]
    return [member[6], line[4] if len(line) > 4 else ""]


def wake(world: World) -> None:
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)


def test_until_the_end_it_is_a_subscription_like_others(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    subscribe(world, client, grant(900))
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]
    reply = world.sent.frames(client.connection)[-2]["subscribe"]
    assert reply["expires"] is True
    assert 870 < reply["ttl"] <= 875
    member, line = ends_of(world, redis_direct, client)
    assert member == line
    assert abs(int(member) - (time.time() + 900) * 1000) < 5_000


def test_a_token_without_an_end_says_nothing_of_it(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    subscribe(world, client, Grant(CHANNEL, 0, 0, ""))
    reply = world.sent.frames(client.connection)[-1]["subscribe"]
    assert "expires" not in reply
    assert ends_of(world, redis_direct, client) == ["", ""]
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_once_over_it_gets_nothing_more_and_is_told_so_once(world: World, redis_direct: "redis.Redis") -> None:
    client, other = world.client("ann"), world.client("bob")
    subscribe(world, client, grant(900))
    world.subscribe(other, CHANNEL, join_leave=True)
    become_over(world, redis_direct, client)
    world.publish(CHANNEL, 1, 2)
    assert world.sent.offsets(client.connection, CHANNEL) == []
    assert world.sent.pushes(client.connection, "unsubscribe") == [{"code": 2501, "reason": "subscription expired"}]
    assert world.sent.offsets(other.connection, CHANNEL) == [1, 2]
    assert [push["info"]["user"] for push in world.sent.pushes(other.connection, "leave")] == ["ann"]


def test_once_over_it_is_told_so_although_nothing_happens(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    subscribe(world, client, grant(900))
    wake(world)
    due = looked_at(world, redis_direct)
    assert due is not None
    assert abs(due - (time.time() + 900) * 1000) < 5_000
    become_over(world, redis_direct, client)
    wake(world)
    assert world.sent.pushes(client.connection, "unsubscribe")[0]["code"] == 2501
    wake(world)
    assert looked_at(world, redis_direct) is None


def test_sweep_looks_when_the_first_of_several_is_over(world: World, redis_direct: "redis.Redis") -> None:
    for i, ttl_s in enumerate((900, 300, 600)):
        subscribe(world, world.client(f"u{i}"), grant(ttl_s))
    world.subscribe(world.client("for good"), CHANNEL)
    wake(world)
    due = looked_at(world, redis_direct)
    assert due is not None
    assert abs(due - (time.time() + 300) * 1000) < 5_000


def test_who_was_over_before_being_served_is_told_to_fetch_another_token(world: World) -> None:
    client = world.client()
    subscribe(world, client, over())
    (told,) = [frame for frame in world.sent.frames(client.connection) if frame.get("id") == 2]
    assert told["error"]["code"] == 109
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}


def test_a_member_whose_time_is_over_is_not_present(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    subscribe(world, client, grant(900))
    become_over(world, redis_direct, client)
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}


@pytest.mark.parametrize("what", ["publish", "presence", "history"])
def test_once_over_the_channel_is_closed_inbound(world: World, redis_direct: "redis.Redis", what: str) -> None:
    client, connections, channels = world.client(), world.realtime.connections, world.realtime.channels
    subscribe(world, client, grant(900))
    become_over(world, redis_direct, client)
    act: dict[str, Callable[[], object]] = {
        "publish": lambda: connections.publish(client, CHANNEL, publication_body(b"1")),
        "presence": lambda: channels.presence(world.scope, CHANNEL, on_behalf=client),
        "history": lambda: channels.history(world.scope, CHANNEL, limit=-1, on_behalf=client),
    }
    with pytest.raises(PermissionDenied):
        act[what]()


def test_who_was_told_that_it_is_over_cannot_refresh(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    subscribe(world, client, grant(900))
    become_over(world, redis_direct, client)
    world.publish(CHANNEL, 1)
    with pytest.raises(PermissionDenied):
        world.realtime.connections.sub_refresh(client, grant(900))


def test_a_refresh_extends_it_in_place(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    subscribe(world, client, grant(900))
    become_over(world, redis_direct, client)
    world.realtime.connections.sub_refresh(client, grant(1800))
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]
    assert world.sent.pushes(client.connection, "unsubscribe") == []
    assert len(set(ends_of(world, redis_direct, client))) == 1
    world.realtime.connections.sub_refresh(client, Grant(CHANNEL, 0, 0, ""))
    assert ends_of(world, redis_direct, client) == ["", ""]


def test_a_refresh_may_bring_the_end_nearer(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    wake(world)
    world.realtime.connections.sub_refresh(client, grant(300))
    due = looked_at(world, redis_direct)
    assert due is not None
    assert abs(due - (time.time() + 300) * 1000) < 5_000


def test_only_a_subscriber_may_refresh(world: World, redis_direct: "redis.Redis") -> None:
    client, gone = world.client("ann"), world.client("bob")
    subscribe(world, gone, grant(900))
    redis_direct.hdel(str(lane_key(world.scope, CHANNEL, 1)), f"m:{gone.connection}")
    for one in (client, gone):
        with pytest.raises(PermissionDenied):
            world.realtime.connections.sub_refresh(one, grant(900))


def test_who_lost_the_right_to_read_cannot_refresh(world: World) -> None:
    client = world.client("ann")
    subscribe(world, client, grant(900))
    world.realtime.connections.refresh(client, world.identity("ann", Permission.WRITE))
    with pytest.raises(PermissionDenied):
        world.realtime.connections.sub_refresh(client, grant(900))


def test_in_a_further_lane_it_is_found_and_ends_as_well(world: World, redis_direct: "redis.Redis") -> None:
    redis_direct.hset(str(lane_key(world.scope, CHANNEL, 1)), mapping={"l": 2, "e": "epoch"})
    client = world.client()
    subscribe(world, client, grant(900))
    world.realtime.connections._roomy.clear()
    world.realtime.connections.sub_refresh(client, grant(1800))
    become_over(world, redis_direct, client, lane=2)
    world.publish(CHANNEL, 1)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5, 2)
    assert world.sent.pushes(client.connection, "unsubscribe")[0]["code"] == 2501


def test_a_subscription_that_is_over_is_not_listed(world: World, redis_direct: "redis.Redis") -> None:
    ends, stays = world.client("ann"), world.client("bob")
    subscribe(world, ends, grant(900))
    subscribe(world, stays, grant(900))
    assert world.realtime.roster.channels(world.scope, CHANNEL) == {CHANNEL: 2}
    become_over(world, redis_direct, ends)
    assert world.realtime.roster.channels(world.scope, CHANNEL) == {CHANNEL: 1}


def test_info_of_the_token_is_shown_to_others(world: World) -> None:
    client, other = world.client("ann"), world.client("bob")
    world.subscribe(other, CHANNEL, join_leave=True)
    subscribe(world, client, grant(900, '{"role":"host"}'))
    shown = {"user": "ann", "client": client.connection, "chan_info": {"role": "host"}}
    assert world.realtime.channels.presence(world.scope, CHANNEL)[client.connection] == shown
    assert world.sent.pushes(other.connection, "join")[-1] == {"info": shown}


def test_what_it_costs(world: World, upstash: ThreadedUpstash) -> None:
    """One command more than a subscription without an end; a publication costs what it always does."""
    for cmd in (2, 3):
        client = world.client()
        subscribe(world, client, grant(900), cmd)
        world.realtime.connections.sub_refresh(client, grant(900))
    plain, timed = world.client("bob"), world.client("eve")
    with upstash.counting() as without:
        world.subscribe(plain, CHANNEL)
    with upstash.counting() as within:
        subscribe(world, timed, grant(900))
    assert (within.round_trips, within.commands) == (without.round_trips, without.commands + 1)
    with upstash.counting() as refreshing:
        world.realtime.connections.sub_refresh(timed, grant(900))
    assert (refreshing.round_trips, refreshing.commands) == (1, 7)
