"""What the server does to subscriptions: adds, ends, counts."""

import time
from collections.abc import Callable

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.identity import Identity
from shared.auth.sockets import Socket
from shared.realtime.delivery import channel_keys
from shared.realtime.protocol import SubscribeOptions
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections

CHANNEL = "chat:lobby"


def subscribed(world: World, user: str, **options: object) -> int:
    chosen = SubscribeOptions(**options)  # type: ignore[arg-type]
    return world.realtime.channels.subscribe_user(world.scope, user, CHANNEL, chosen)


def test_the_server_subscribes_every_connection_of_a_user(world: World) -> None:
    clients = [world.client("ann"), world.client("ann")]
    world.client("bob")
    world.publish(CHANNEL, 1)
    assert subscribed(world, "ann") == 2
    for client in clients:
        (told,) = world.sent.pushes(client.connection, "subscribe")
        assert told["offset"] == 1
        assert told["recoverable"] is True
    world.publish(CHANNEL, 2)
    assert [world.sent.offsets(client.connection, CHANNEL) for client in clients] == [[2], [2]]


def test_a_subscription_by_the_server_may_recover(world: World) -> None:
    client = world.client("ann")
    world.publish(CHANNEL, 1, 2)
    epoch = world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch
    subscribed(world, "ann", recover=True, epoch=epoch, offset=1)
    (told,) = world.sent.pushes(client.connection, "subscribe")
    assert (told["recovered"], told["offset"]) == (True, 1)
    assert "publications" not in told
    assert world.sent.pushes(client.connection, "pub") == [{"offset": 2, "data": 2}]
    world.publish(CHANNEL, 3)
    assert world.sent.offsets(client.connection, CHANNEL) == [2, 3]


def test_a_subscription_by_the_server_that_cannot_recover_begins_at_the_top(world: World) -> None:
    client = world.client("ann")
    world.publish(CHANNEL, 1, 2)
    subscribed(world, "ann", recover=True, epoch="another", offset=1)
    (told,) = world.sent.pushes(client.connection, "subscribe")
    assert (told["was_recovering"], told.get("recovered"), told["offset"]) == (True, None, 2)
    assert world.sent.pushes(client.connection, "pub") == []


def test_one_connection_may_be_chosen(world: World) -> None:
    chosen, other = world.client("ann"), world.client("ann")
    channels = world.realtime.channels
    assert channels.subscribe_user(world.scope, "ann", CHANNEL, SubscribeOptions(), client=chosen.connection) == 1
    assert set(channels.presence(world.scope, CHANNEL)) == {chosen.connection}
    assert world.sent.pushes(other.connection, "subscribe") == []


def test_the_server_unsubscribes_and_says_so(world: World) -> None:
    client, other = world.client("ann"), world.client("bob")
    for one in (client, other):
        world.subscribe(one, CHANNEL, cmd=7, join_leave=True)
    assert world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL) == 1
    assert world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL) == 0
    (told,) = world.sent.pushes(client.connection, "unsubscribe")
    assert told["code"] == 2000
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == []
    assert [push["info"]["user"] for push in world.sent.pushes(other.connection, "leave")] == ["ann"]


def test_a_client_may_subscribe_again_after_the_server_took_it_out(world: World) -> None:
    client = world.client("ann")
    world.subscribe(client, CHANNEL, cmd=7)
    world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL)
    assert world.subscribe(client, CHANNEL, cmd=8)
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]


def let_go(world: World, may_stay: Callable[[Identity], bool] = lambda _: False) -> bool:
    return world.realtime.channels.unsubscribe_unless(world.scope, CHANNEL, may_stay, time.monotonic() + 5)


def test_everybody_is_taken_out_at_once(world: World) -> None:
    clients = [world.client(f"u{i}") for i in range(4)]
    for client in clients:
        world.subscribe(client, CHANNEL)
    assert let_go(world)
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}
    for client in clients:
        assert [push["code"] for push in world.sent.pushes(client.connection, "unsubscribe")] == [2000]


def test_only_those_are_taken_out_who_may_not_stay(world: World) -> None:
    clients = [world.client(user) for user in ("ann", "bob", "ann")]
    for client in clients:
        world.subscribe(client, CHANNEL)
    assert let_go(world, lambda identity: identity.user == "ann")
    assert world.realtime.channels.presence(world.scope, CHANNEL).keys() == {c.connection for c in clients[::2]}


def test_nobody_is_taken_out_when_time_is_up(world: World) -> None:
    world.subscribe(world.client("ann"), CHANNEL)
    assert not world.realtime.channels.unsubscribe_unless(world.scope, CHANNEL, lambda _: False, 0.0)
    assert len(world.realtime.channels.members(world.scope, CHANNEL)) == 1


def test_active_channels_are_counted(world: World) -> None:
    for user, names in (("ann", ["chat:a", "chat:b"]), ("bob", ["chat:a", "news:x"])):
        client = world.client(user)
        for cmd, name in enumerate(names, 2):
            world.subscribe(client, name, cmd=cmd)
    active = world.realtime.roster.channels
    assert active(world.scope, "chat:*") == {"chat:a": 2, "chat:b": 1}
    assert active(world.scope)["news:x"] == 1


def test_a_channel_of_several_lanes_is_emptied_too(world: World) -> None:
    object.__setattr__(world.realtime.settings, "lane_size", 2)
    clients = [world.client(f"u{i}") for i in range(5)]
    for client in clients:
        world.subscribe(client, CHANNEL)
    assert let_go(world)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5, 3)
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL)["num_clients"] == 0


def story(world: World, client: Socket) -> list[object]:
    """What the channel's pushes tell, in order."""
    pushes = [frame["push"] for frame in world.sent.frames(client.connection) if "push" in frame]
    told = [push for push in pushes if push.get("channel") == CHANNEL]
    return [push["pub"]["offset"] if "pub" in push else next(iter(push.keys() - {"channel"})) for push in told]


def take_out_and_in(world: World, client: Socket) -> None:
    """While the next frame is on its way to the client."""

    def racing(_: str) -> int:
        world.sent.answers.clear()
        world.realtime.channels.unsubscribe_user(world.scope, client.user, CHANNEL)
        subscribed(world, client.user)
        return 200

    world.sent.answers[client.connection] = racing


def test_who_is_taken_out_and_in_while_his_subscription_is_told_is_told_of_the_other(world: World) -> None:
    client = world.client("ann")
    take_out_and_in(world, client)
    subscribed(world, "ann")
    world.publish(CHANNEL, 1)
    assert story(world, client) == ["subscribe", "subscribe", 1]


def test_who_is_taken_out_and_in_while_he_is_told_of_a_loss_stays(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client("ann")
    subscribed(world, "ann")
    redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), "e", "reborn")
    take_out_and_in(world, client)
    world.publish(CHANNEL, 1, 2)
    assert story(world, client) == ["subscribe", "unsubscribe", "subscribe", 2]
    assert set(world.realtime.channels.presence(world.scope, CHANNEL)) == {client.connection}


@pytest.mark.parametrize("subscribing", [True, False])
def test_who_is_taken_out_is_told_so_after_all_that_is_on_its_way_to_him(
    world: World,
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    subscribing: bool,
) -> None:
    """A reply that came later would have its client believe that it is subscribed."""
    client = world.client("ann")
    other = another_environment(upstash, sent, monkeypatch, world.scope)

    def racing(_: str) -> int:
        world.sent.answers.clear()
        assert other.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL) == 1
        assert world.realtime.channels.presence(world.scope, CHANNEL) == {}
        return 200

    if not subscribing:
        world.subscribe(client, CHANNEL)
    world.sent.answers[client.connection] = racing
    world.subscribe(client, CHANNEL) if subscribing else world.publish(CHANNEL, 1)
    frames = [frame for frame in world.sent.frames(client.connection) if "connect" not in frame]
    assert frames[-1]["push"]["unsubscribe"]["code"] == 2000
    assert len(frames) == (2 if subscribing else 3)


def test_who_is_taken_out_while_he_is_told_of_a_loss_does_not_come_back(
    world: World,
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    redis_direct: "redis.Redis",
) -> None:
    """To an SDK, the loss alone says: subscribe again."""
    client = world.client("ann")
    world.subscribe(client, CHANNEL)
    other = another_environment(upstash, sent, monkeypatch, world.scope)

    def racing(_: str) -> int:
        world.sent.answers.clear()
        assert other.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL) == 1
        return 200

    world.sent.answers[client.connection] = racing
    redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), "e", "reborn")
    world.publish(CHANNEL, 1)
    assert [push["code"] for push in world.sent.pushes(client.connection, "unsubscribe")] == [2500, 2000]


def test_who_is_taken_out_of_a_further_lane_is_told_so(world: World, redis_direct: "redis.Redis") -> None:
    object.__setattr__(world.realtime.settings, "lane_size", 1)
    first, second = world.client("ann"), world.client("ann")
    for client in (first, second):
        world.subscribe(client, CHANNEL)
    assert world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL) == 2
    for client in (first, second):
        assert world.sent.pushes(client.connection, "unsubscribe") == [{"code": 2000, "reason": "server unsubscribe"}]
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    held = redis_direct.hgetall(str(channel_keys(world.scope, CHANNEL)["channel"]))
    assert (held["j"], held["l"], held["t"]) == ("0", "1", "0")


def test_sweep_tells_who_was_taken_out_by_somebody_who_died(
    world: World, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    client, listener = world.client("ann"), world.client("bob")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(client, CHANNEL)
    with monkeypatch.context() as deadly:
        deadly.setattr(world.realtime.delivery, "wake", lambda *_: None)
        world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL)
    assert set(world.realtime.channels.presence(world.scope, CHANNEL)) == {listener.connection}
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert [push["code"] for push in world.sent.pushes(client.connection, "unsubscribe")] == [2000]
    assert len(world.sent.pushes(listener.connection, "leave")) == 1


def test_who_comes_back_before_he_is_told_is_a_member_with_a_leave_and_a_join(
    world: World, redis_direct: "redis.Redis"
) -> None:
    client, listener = world.client("ann"), world.client("bob")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(client, CHANNEL)
    world.sent.forget()
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    redis_direct.hset(key, mapping={"o": "busy", "d": 1 << 45})
    world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL)
    world.subscribe(client, CHANNEL, cmd=3)
    redis_direct.hset(key, "o", "")
    world.publish(CHANNEL, 1, 2)
    assert [frame["id"] for frame in world.sent.frames(client.connection) if "subscribe" in frame] == [3]
    assert world.sent.pushes(client.connection, "unsubscribe") == []
    assert world.sent.offsets(client.connection, CHANNEL) == [2]
    told = [next(iter(frame["push"].keys() - {"channel"})) for frame in world.sent.frames(listener.connection)]
    assert told == ["leave", "join", "pub", "pub"]


def test_who_was_taken_out_and_has_gone_is_forgotten_without_another_leave(
    world: World, redis_direct: "redis.Redis"
) -> None:
    client, listener = world.client("ann"), world.client("bob")
    world.subscribe(listener, CHANNEL, join_leave=True)
    world.subscribe(client, CHANNEL)
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    redis_direct.hset(key, mapping={"o": "busy", "d": 1 << 45})
    world.realtime.channels.unsubscribe_user(world.scope, "ann", CHANNEL)
    world.realtime.connections.disconnect(client)
    redis_direct.hset(key, "o", "")
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert len(world.sent.pushes(listener.connection, "leave")) == 1
    assert not redis_direct.hexists(key, f"m:{client.connection}")
