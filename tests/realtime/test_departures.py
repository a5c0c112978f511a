"""How connections go: told once, at once; or, asked to come again, only if they do not come back."""

import time
from collections.abc import Callable

import pytest
import redis

from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.auth.sockets import Socket
from shared.realtime.delivery import channel_keys
from shared.realtime.departures import _DISCONNECT, BACK_WITHIN_S
from shared.realtime.protocol import FORCE_DISCONNECT, FORCE_RECONNECT
from shared.realtime.refusals import ConnectionGone
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"


@pytest.fixture
def listener(world: World) -> Socket:
    found = world.client("listener")
    world.subscribe(found, CHANNEL, join_leave=True)
    return found


def member(world: World, user: str) -> Socket:
    client = world.client(user)
    world.subscribe(client, CHANNEL)
    return client


def wake(world: World) -> None:
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)


def told(world: World, listener: Socket) -> list[tuple[str, str]]:
    """Users by what was told of them, in order."""
    wake(world)
    pushes = [frame["push"] for frame in world.sent.frames(listener.connection) if "push" in frame]
    return [(kind, push[kind]["info"]["user"]) for push in pushes for kind in ("join", "leave") if kind in push]


def present(world: World) -> set[str]:
    return set(world.realtime.channels.presence(world.scope, CHANNEL))


def ask_back(world: World, *clients: Socket) -> None:
    world.realtime.upkeep.ask_back(clients)


def let_pass(world: World, direct: "redis.Redis", seconds: float) -> None:
    """What is withheld becomes due so much sooner."""
    key = str(channel_keys(world.scope, CHANNEL)["channel"])
    held: dict[str, str] = direct.hgetall(key)  # type: ignore[assignment]
    for field, text in held.items():
        if field.startswith("h:"):
            due, _, info = text.partition("\n")
            direct.hset(key, field, f"{float(due) - seconds * 1000:.0f}\n{info}")


def test_a_client_that_comes_back_in_time_neither_leaves_nor_joins(
    world: World, redis_direct: "redis.Redis", listener: Socket
) -> None:
    old = member(world, "ann")
    ask_back(world, old)
    assert [push["code"] for push in world.sent.pushes(old.connection, "disconnect")] == [FORCE_RECONNECT.code]
    let_pass(world, redis_direct, BACK_WITHIN_S - 1)
    back = member(world, "ann")
    let_pass(world, redis_direct, 60)
    assert told(world, listener) == [("join", "ann")]
    assert present(world) == {listener.connection, back.connection}
    world.realtime.connections.disconnect(back)
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]


def test_a_client_that_does_not_come_back_leaves_once(
    world: World, redis_direct: "redis.Redis", listener: Socket
) -> None:
    old = member(world, "ann")
    ask_back(world, old)
    assert told(world, listener) == [("join", "ann")]
    let_pass(world, redis_direct, BACK_WITHIN_S + 0.1)
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]
    member(world, "ann")
    assert told(world, listener) == [("join", "ann"), ("leave", "ann"), ("join", "ann")]


def test_who_is_awaited_counts_as_present_until_the_leave_is_told(
    world: World, redis_direct: "redis.Redis", listener: Socket
) -> None:
    """Else whoever asks meanwhile would never hear of him: his coming back is not told."""
    old = member(world, "ann")
    ask_back(world, old)
    assert present(world) == {listener.connection, old.connection}
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL) == {"num_clients": 2, "num_users": 2}
    let_pass(world, redis_direct, 60)
    wake(world)
    assert present(world) == {listener.connection}


@pytest.mark.parametrize("back", [0, 1, 2, 3])
def test_of_two_connections_of_a_user_as_many_leave_as_do_not_come_back(
    world: World, redis_direct: "redis.Redis", listener: Socket, back: int
) -> None:
    ask_back(world, member(world, "ann"), member(world, "ann"))
    for _ in range(back):
        member(world, "ann")
    let_pass(world, redis_direct, 60)
    assert told(world, listener)[:2] == [("join", "ann")] * 2
    assert told(world, listener)[2:] == [("leave", "ann")] * (2 - back) + [("join", "ann")] * (back - 2)
    assert len(present(world)) == 1 + back


def test_another_user_does_not_come_for_him(world: World, redis_direct: "redis.Redis", listener: Socket) -> None:
    ask_back(world, member(world, "ann"))
    member(world, "bob")
    let_pass(world, redis_direct, 60)
    assert told(world, listener) == [("join", "ann"), ("join", "bob"), ("leave", "ann")]


@pytest.mark.parametrize(
    "how",
    [
        lambda world, client: world.realtime.connections.disconnect(client),
        lambda world, client: world.realtime.channels.disconnect(world.scope, client.connection, FORCE_DISCONNECT),
        lambda world, client: world.realtime.connections.unsubscribe(client, CHANNEL, 3),
    ],
    ids=["closes", "kicked", "unsubscribes"],
)
def test_every_other_way_to_go_is_told_at_once(
    world: World, listener: Socket, how: Callable[[World, Socket], object]
) -> None:
    how(world, member(world, "ann"))
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]
    assert present(world) == {listener.connection}


def test_nobody_is_awaited_where_nobody_listens(world: World) -> None:
    member(world, "bob")
    ask_back(world, member(world, "ann"))
    assert len(present(world)) == 1
    assert world.queued == []


def test_watchers_that_are_asked_back_at_once_hear_nothing_of_one_another(
    world: World, redis_direct: "redis.Redis"
) -> None:
    """Nor of a silent member who went while no watcher was there."""
    watchers = [world.client("ann"), world.client("bob")]
    for one in watchers:
        world.subscribe(one, CHANNEL, join_leave=True)
    ask_back(world, *watchers, member(world, "carl"))
    back = world.client("ann")
    world.subscribe(back, CHANNEL, join_leave=True)
    world.subscribe(world.client("bob"), CHANNEL, join_leave=True)
    member(world, "carl")
    let_pass(world, redis_direct, 60)
    assert told(world, back) == []
    assert len(present(world)) == 3


def test_a_watcher_that_does_not_come_back_is_no_longer_a_reason_to_await_anybody(
    world: World, redis_direct: "redis.Redis", listener: Socket
) -> None:
    stays = member(world, "ann")
    ask_back(world, listener)
    let_pass(world, redis_direct, 60)
    wake(world)
    ask_back(world, stays)
    assert present(world) == set()
    assert redis_direct.hget(str(channel_keys(world.scope, CHANNEL)["channel"]), "q") == "0"


def test_who_begins_to_listen_while_the_lane_is_held_takes_no_others_ear_with_him(
    world: World, listener: Socket
) -> None:
    client = member(world, "ann")

    def racing(_: str) -> int:
        world.sent.answers.clear()
        world.subscribe(client, CHANNEL, cmd=3, join_leave=True)
        world.realtime.connections.disconnect(client)
        return 200

    world.sent.answers[listener.connection] = racing
    world.publish(CHANNEL, 1)
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]


def test_a_leave_that_is_due_goes_unsaid_when_nobody_listens_any_more(
    world: World, redis_direct: "redis.Redis", listener: Socket
) -> None:
    ask_back(world, member(world, "ann"))
    world.realtime.connections.disconnect(listener)
    let_pass(world, redis_direct, 60)
    wake(world)
    assert present(world) == set()
    assert redis_direct.xlen(str(channel_keys(world.scope, CHANNEL)["log"])) == 1


def test_sweep_tells_the_leave_of_an_idle_channel_whose_queue_message_was_lost(
    world: World, redis_direct: "redis.Redis", listener: Socket
) -> None:
    old = member(world, "ann")
    wake(world)
    ask_back(world, old)
    lanes = str(world.scope.key("lanes"))
    due_ms = redis_direct.zscore(lanes, CHANNEL)
    assert due_ms is not None
    assert float(due_ms) <= time.time() * 1000 + BACK_WITHIN_S * 1000
    redis_direct.zadd(lanes, {CHANNEL: 1})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert world.sent.pushes(listener.connection, "leave") == []
    again_ms = redis_direct.zscore(lanes, CHANNEL)
    assert again_ms is not None
    assert float(again_ms) > time.time() * 1000
    let_pass(world, redis_direct, 60)
    redis_direct.zadd(lanes, {CHANNEL: 1})
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert len(world.sent.pushes(listener.connection, "leave")) == 1
    world.realtime.upkeep.resume(world.scope, time.monotonic() + 5)
    assert redis_direct.zscore(lanes, CHANNEL) is None


def test_a_due_leave_is_told_by_the_lanes_holder(world: World, redis_direct: "redis.Redis", listener: Socket) -> None:
    ask_back(world, member(world, "ann"))
    let_pass(world, redis_direct, 60)
    world.sent.answers[listener.connection] = lambda body: wake(world) or 200  # type: ignore[func-returns-value]
    world.publish(CHANNEL, 1)
    world.sent.answers.clear()
    assert [push["info"]["user"] for push in world.sent.pushes(listener.connection, "leave")] == ["ann"]


def test_a_disconnect_whose_answer_was_lost_still_wakes_the_lanes(
    world: World, upstash: ThreadedUpstash, listener: Socket
) -> None:
    client = member(world, "ann")
    digest = _DISCONNECT.sha1.encode()
    upstash.faults.inject(Fault.DROP_AFTER, times=1, when=lambda sent: any(digest in part for part in sent))
    assert world.realtime.connections.disconnect(client)
    assert len(world.queued) == 1
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]


@pytest.mark.parametrize("races", [1, 5])
def test_a_connection_that_subscribes_to_more_while_it_is_taken_out_leaves_that_too(
    world: World, monkeypatch: pytest.MonkeyPatch, listener: Socket, races: int
) -> None:
    client = member(world, "ann")
    departures = world.realtime.connections._departures
    take_out, names = departures._take_out, iter(f"chat:{i}" for i in range(races))

    def racing(*args: object, **more: object) -> object:
        for name in names:
            try:
                world.subscribe(client, name, cmd=3 + int(name[5:]))
            except ConnectionGone:
                continue
            break
        return take_out(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(departures, "_take_out", racing)
    assert world.realtime.connections.disconnect(client)
    assert list(world.realtime.roster.of_user(world.scope, "ann")) == []
    for i in range(races):
        assert world.realtime.channels.presence(world.scope, f"chat:{i}") == {}
    assert told(world, listener) == [("join", "ann"), ("leave", "ann")]


def test_both_connections_of_a_user_are_told_and_presence_counts_him_once(world: World, listener: Socket) -> None:
    """As Centrifugo does: members are connections; who wants users counts them by `info.user`."""
    first, second = member(world, "ann"), member(world, "ann")
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL) == {"num_clients": 3, "num_users": 2}
    world.realtime.connections.disconnect(first)
    assert world.realtime.channels.presence_stats(world.scope, CHANNEL) == {"num_clients": 2, "num_users": 2}
    world.realtime.connections.disconnect(second)
    assert told(world, listener) == [("join", "ann")] * 2 + [("leave", "ann")] * 2
