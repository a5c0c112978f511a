"""What the version before and the one after this wrote is read; what is further away counts as expired."""

import json
import time

import pytest
import redis

from shared.auth.sockets import Socket, Sockets
from shared.realtime.delivery import channel_keys, lane_of, user_key
from shared.realtime.protocol import client_info
from shared.realtime.refusals import ConnectionGone
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
SCHEMA = 1


def record_of(world: World, direct: "redis.Redis", client: Socket) -> list[str]:
    return str(direct.hget(str(user_key(world.scope, client.user)), f"c:{client.connection}")).split("\n")


def write_record(world: World, direct: "redis.Redis", client: Socket, parts: list[str]) -> None:
    direct.hset(str(user_key(world.scope, client.user)), f"c:{client.connection}", "\n".join(parts))


def key_of(world: World) -> str:
    return str(channel_keys(world.scope, CHANNEL)["channel"])


def test_whatever_is_written_says_by_which_version(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    assert record_of(world, redis_direct, client)[-1] == str(SCHEMA)
    assert redis_direct.hget(key_of(world), "v") == str(SCHEMA)


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_neighbouring_versions_connection_goes_on_and_keeps_what_is_not_known_here(
    world: World, redis_direct: "redis.Redis", version: str
) -> None:
    client = world.client()
    parts = record_of(world, redis_direct, client)
    soon = str(int(time.time() * 1000) + 60_000)
    write_record(world, redis_direct, client, [*parts[:6], soon, *parts[7:-1], version, "phone", "blue"])
    assert world.subscribe(client, CHANNEL)
    assert record_of(world, redis_direct, client)[-3:] == [str(SCHEMA), "phone", "blue"]


def test_a_connection_recorded_before_there_were_versions_goes_on(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    write_record(world, redis_direct, client, record_of(world, redis_direct, client)[:-1])
    assert world.subscribe(client, CHANNEL)


@pytest.mark.parametrize("version", ["-1", "3"])
def test_a_connection_of_another_age_has_to_come_again(world: World, redis_direct: "redis.Redis", version: str) -> None:
    client = world.client()
    write_record(world, redis_direct, client, [*record_of(world, redis_direct, client)[:-1], version])
    with pytest.raises(ConnectionGone):
        world.subscribe(client, CHANNEL)


@pytest.mark.parametrize(("version", "goes_on"), [("-1", False), ("0", True), ("2", True), ("3", False)])
def test_a_channel_of_another_age_is_born_again(
    world: World, redis_direct: "redis.Redis", version: str, goes_on: bool
) -> None:
    member, back = world.client("ann"), world.client("bob")
    world.subscribe(member, CHANNEL)
    world.publish(CHANNEL, 1, 2)
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    redis_direct.hset(key_of(world), mapping={"v": version, "next": "was here"})
    world.subscribe(back, CHANNEL, recover=True, epoch=epoch, offset=1)
    (answer,) = [frame["subscribe"] for frame in world.sent.frames(back.connection) if "subscribe" in frame]
    assert answer.get("recovered", False) is goes_on
    assert (answer["epoch"] == epoch) is goes_on
    told = [push["code"] for push in world.sent.pushes(member.connection, "unsubscribe")]
    assert told == ([] if goes_on else [2500])
    assert redis_direct.hmget(key_of(world), "v", "next") == [str(SCHEMA), "was here"]


def test_a_member_that_a_later_version_made_is_served(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    member = f"m:{client.connection}"
    text = str(redis_direct.hget(key_of(world), member))
    redis_direct.hset(key_of(world), member, text + "\n\nphone" + "\nblue" * 9)
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]


@pytest.mark.parametrize("more", ["", "\n", "\n\nphone"], ids=["before tokens", "now", "later"])
def test_a_member_that_joins_is_answered_whichever_version_wrote_it(
    world: World, redis_direct: "redis.Redis", more: str
) -> None:
    """What came last, the end of its token, stands last."""
    client = world.client()
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    joining = ["j", "2", "0", "", "", client_info("ann", client.connection), "s", "0", epoch, "0", "0", '"x":1']
    redis_direct.hset(key_of(world), f"m:{client.connection}", "\n".join(joining) + more)
    world.publish(CHANNEL, 1)
    (reply,) = [frame["subscribe"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    assert (reply["x"], reply["recovered"], reply["publications"]) == (1, True, [{"offset": 1, "data": 1}])


def test_what_a_later_version_put_into_the_log_is_passed_over(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL, join_leave=True)
    world.sent.forget()
    world.publish(CHANNEL, 1)
    log = str(channel_keys(world.scope, CHANNEL)["log"])
    redis_direct.xadd(log, {"note": "?"}, id="1-1")
    redis_direct.xadd(log, {"pub": '"data":2', "device": "phone"}, id="2-0")
    redis_direct.hset(key_of(world), mapping={"s": 2, "n": 0})
    world.publish(CHANNEL, 3)
    assert [frame["push"]["pub"]["offset"] for frame in world.sent.frames(client.connection)] == [1, 2, 3]


def test_a_sockets_record_and_a_queue_message_may_say_more(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    key = f"{{sock:{client.connection}}}"
    redis_direct.set(key, json.dumps([*json.loads(str(redis_direct.get(key))), "phone"]), ex=100)
    assert Sockets(world.realtime.redis).find(client.connection) == client
    assert lane_of('{"tenant": "acme", "channel": "c", "lane": 2, "device": "phone"}') == ("acme", ("c", 2))
