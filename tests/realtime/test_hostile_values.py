"""What clients may put into a command: nothing of it may break a lane for others, or be stored without a bound."""

import json

import msgspec
import pytest
import redis

from shared.auth.sockets import Socket
from shared.realtime.connections import ConnectRequest, connect_extra
from shared.realtime.delivery import channel_keys, user_key
from shared.realtime.protocol import BadFrame, SubscribeOptions, decode_frame
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"


def epoch_of(world: World) -> str:
    return world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch


def subscribe_reply(world: World, client: Socket) -> dict[str, object]:
    (found,) = [frame for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    return dict(found["subscribe"])


@pytest.mark.parametrize("lines", ['x\n-5\n1\n"a":1', "x\nabc", "x\n\n\n", "\n", "é" * 9, "e" * 30_000])
def test_an_epoch_that_is_none_of_ours_harms_nobody(world: World, lines: str) -> None:
    world.publish(CHANNEL, 1)
    odd = f"{epoch_of(world)}{lines[1:]}" if lines.startswith("x") else lines
    client, other = world.client("odd"), world.client("other")
    world.subscribe(other, CHANNEL)
    world.subscribe(client, CHANNEL, recover=True, epoch=odd, offset=1)
    assert "recovered" not in subscribe_reply(world, client)
    world.publish(CHANNEL, 2)
    assert world.sent.offsets(other.connection, CHANNEL) == [2]
    assert world.sent.offsets(client.connection, CHANNEL) == [2]


def test_an_epoch_of_the_clients_is_not_kept_in_the_lane(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.realtime.sender.post = lambda *_: pytest.fail("nothing is sent")  # type: ignore[method-assign]
    redis_direct.hset(
        str(channel_keys(world.scope, CHANNEL)["channel"]), mapping={"o": "other", "d": 1 << 45, "e": "x"}
    )
    world.subscribe(client, CHANNEL, recover=True, epoch="e" * 30_000, offset=1)
    member = redis_direct.hget(str(channel_keys(world.scope, CHANNEL)["channel"]), f"m:{client.connection}")
    assert member is not None
    assert len(str(member)) < 300


@pytest.mark.parametrize(
    "command",
    [
        {"id": 1, "subscribe": {"channel": "c", "recover": True, "offset": -1}},
        {"id": 1, "subscribe": {"channel": "c", "recover": True, "offset": 2**64}},
        {"id": 1, "history": {"channel": "c", "since": {"offset": -1, "epoch": "x"}}},
        {"id": 1, "connect": {"subs": {"user:ann": {"recover": True, "offset": -1}}}},
        {"id": 2**32, "ping": {}},
        {"id": -1, "ping": {}},
        {"id": 1.5, "ping": {}},
        {"id": "1", "ping": {}},
        {"id": 1, "ping": []},
        {"id": 1, "ping": None},
        {"id": 1, "ping": {}, "rpc": {}},
        {"id": 1, "subscribe": {"channel": 5}},
        {"id": 1, "subscribe": {}},
        {"id": 1, "nothing": {}},
        {"id": 1},
        [],
        None,
        "text",
        5,
    ],
    ids=lambda command: json.dumps(command)[:60],
)
def test_a_command_that_the_schema_does_not_allow_is_a_bad_frame(command: object) -> None:
    with pytest.raises(BadFrame):
        decode_frame(json.dumps(command))


def test_data_nested_without_end_is_a_bad_frame() -> None:
    with pytest.raises(BadFrame):
        decode_frame('{"id":1,"publish":{"channel":"c","data":' + "[" * 15_000 + "]" * 15_000 + "}}")


def test_the_highest_command_id_of_the_schema_is_kept(world: World) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL, cmd=2**32 - 2)
    assert world.subscribe(client, CHANNEL, cmd=2**32 - 3) is False
    world.realtime.connections.unsubscribe(client, CHANNEL, 2**32 - 1)
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}


@pytest.mark.parametrize("offset", [2**53 - 1, 2**53, 2**63 - 1])
def test_positions_beyond_every_log_are_not_recovered(world: World, offset: int) -> None:
    world.publish(CHANNEL, 1)
    client = world.client()
    world.subscribe(client, CHANNEL, recover=True, epoch=epoch_of(world), offset=offset)
    assert "recovered" not in subscribe_reply(world, client)
    world.publish(CHANNEL, 2)
    assert world.sent.offsets(client.connection, CHANNEL) == [2]


@pytest.mark.parametrize("user", ['a"b', "a\\b", "a|b", "a:b", "%3A", "{t:x}", "ü".encode().hex(), "a" * 75])
def test_users_with_odd_ids_connect_and_are_heard(world: World, user: str) -> None:
    client = world.client(user)
    (connected,) = [frame["connect"] for frame in world.sent.frames(client.connection) if "connect" in frame]
    assert list(connected["subs"]) == [f"user:{user}"]
    world.realtime.channels.publish(world.scope, f"user:{user}", b"1")
    assert [push["data"] for push in world.sent.pushes(client.connection, "pub")] == [1]
    world.subscribe(client, CHANNEL)
    presence = world.realtime.channels.presence(world.scope, CHANNEL)
    assert presence[client.connection]["user"] == user


@pytest.mark.parametrize("name", ['a"b', "a\\b", "%41", "{x}", "a:b:c", ":", "x" * 80, "(.-)%d+[^]", "~" * 80])
def test_channels_with_odd_names_deliver(world: World, name: str) -> None:
    client = world.client()
    world.subscribe(client, name)
    world.publish(name, 1)
    assert world.sent.offsets(client.connection, name) == [1]
    world.realtime.connections.unsubscribe(client, name, 3)
    assert world.realtime.channels.presence(world.scope, name) == {}


def test_subscriptions_that_ended_are_not_remembered_without_end(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL, cmd=5)
    for i in range(700):
        world.realtime.connections.unsubscribe(client, f"chat:{'x' * 60}{i}", 1)
    kept = redis_direct.hget(str(user_key(world.scope, client.user)), f"s:{client.connection}")
    assert kept is not None
    assert len(str(kept)) < 41_000
    assert f"{CHANNEL} 5 1" in str(kept).split("\n")


def test_a_connect_with_an_odd_position_is_answered(world: World) -> None:
    since = SubscribeOptions(recover=True, epoch="a\nb\nc", offset=7)
    request = ConnectRequest(1, connect_extra("odd", 0, 0), since)
    world.realtime.connections.admit_connected("odd", world.identity("ann"), "1.2.3.4", request)
    (connected,) = [frame["connect"] for frame in world.sent.frames("odd") if "connect" in frame]
    assert "recovered" not in connected["subs"]["user:ann"]


@pytest.mark.parametrize("data", [b"null", b'""', b"1e400", b'"\\u0000"', '"\u2028é"'.encode()])
def test_data_of_any_kind_passes_unchanged(world: World, data: bytes) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    world.realtime.channels.publish(world.scope, CHANNEL, data)
    bodies = [body for body in world.sent._bodies[client.connection] if '"pub"' in body]
    assert f'"data":{data.decode()}' in bodies[0]
    assert len(bodies) == 1
    (past,) = world.realtime.channels.history(world.scope, CHANNEL, limit=-1).publications
    assert past == (1, f'"data":{data.decode()}')


def test_tags_count_into_the_size_of_a_publication(world: World) -> None:
    with pytest.raises(Exception, match="64 KB"):
        world.realtime.channels.publish(world.scope, CHANNEL, b"1", tags={"a": "x" * 100_000})


def test_null_data_is_data() -> None:
    (command,) = decode_frame('{"id":1,"publish":{"channel":"c","data":null}}')
    assert command.publish is not None
    assert msgspec.json.decode(command.publish.data) is None
