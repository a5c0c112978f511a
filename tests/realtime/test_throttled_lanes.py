"""Whom a drain cannot reach gets the rest from the next holder, and nobody gets anything twice because of it."""

import time
from collections.abc import Callable

import pytest
import redis

from shared.auth.sockets import Socket
from shared.realtime import delivery, sender
from shared.realtime.delivery import Lane, lane_of
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"


@pytest.fixture(autouse=True)
def _short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_LAST_BATCH_S", 0.15)
    monkeypatch.setattr(delivery, "_SENDING_S", 0.6)
    monkeypatch.setattr(sender, "_SLOW_AFTER_S", 0.3)


@pytest.fixture
def crowd(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Socket]:
    members = [world.client(f"u{i}") for i in range(6)]
    for member in members:
        world.subscribe(member, CHANNEL)
    monkeypatch.setattr(world.realtime.delivery, "_inline_s", 0.0)
    return members


def deliver(world: World) -> None:
    while world.queued:
        _, lane = lane_of(world.queued.pop(0))
        world.realtime.delivery.wake(world.scope, lane.channel, time.monotonic() + 5, lane.number)


def counts(world: World, value: int) -> dict[str, int]:
    done = world.realtime.channels.publish(world.scope, CHANNEL, str(value).encode())
    return done.delivery.as_dict()


def throttle(world: World, members: list[Socket], answer: int | Callable[[str], int] = 429) -> None:
    for member in members:
        world.sent.answers[member.connection] = answer


def heard(world: World, members: list[Socket]) -> list[list[int]]:
    return [world.sent.offsets(member.connection, CHANNEL) for member in members]


def test_a_throttled_account_defers_some_and_repeats_nothing(world: World, crowd: list[Socket]) -> None:
    throttle(world, crowd[:3])
    done = counts(world, 1)
    assert (done["delivered"], done["gone"], done["deferred"]) == (3, 0, 3)
    assert heard(world, crowd) == [[]] * 3 + [[1]] * 3
    world.sent.answers.clear()
    assert counts(world, 2)["delivered"] == 6
    deliver(world)
    assert heard(world, crowd) == [[1, 2]] * 6
    assert world.sent.closed == []


def test_the_publisher_leaves_the_rest_to_the_queue(world: World, crowd: list[Socket]) -> None:
    throttle(world, crowd[:3])
    counts(world, 1)
    assert [lane_of(message)[1] for message in world.queued] == [Lane(CHANNEL, 1)]
    world.sent.answers.clear()
    deliver(world)
    assert heard(world, crowd) == [[1]] * 6


def test_deliver_goes_on_until_everybody_is_reached(world: World, crowd: list[Socket]) -> None:
    """Its batch is over before the throttling is; it claims again, under a new lease."""
    until = time.monotonic() + 1.5
    throttle(world, crowd[:3], lambda body: 429 if time.monotonic() < until else 200)
    counts(world, 1)
    deliver(world)
    assert heard(world, crowd) == [[1]] * 6


def test_a_client_that_does_not_read_is_closed_and_the_others_go_on(world: World, crowd: list[Socket]) -> None:
    slow, *others = crowd
    throttle(world, [slow])
    done = counts(world, 1)
    assert (done["delivered"], done["deferred"]) == (5, 1)
    assert heard(world, others) == [[1]] * 5
    deliver(world)
    assert world.sent.closed == [slow.connection]
    assert counts(world, 2)["delivered"] == 5
    assert world.queued == []
    assert heard(world, others) == [[1, 2]] * 5


def test_who_was_joining_gets_the_reply_from_the_next_holder(world: World, crowd: list[Socket]) -> None:
    late = world.client("late")
    throttle(world, [late])
    world.subscribe(late, CHANNEL)
    assert counts(world, 1)["delivered"] == 6
    world.sent.answers.clear()
    deliver(world)
    replies = [frame for frame in world.sent.frames(late.connection) if "subscribe" in frame]
    assert [frame["id"] for frame in replies] == [2]
    assert heard(world, [late, *crowd]) == [[1]] * 7


def test_calls_that_are_refused_are_left_alone_for_a_while(
    world: World, crowd: list[Socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `deliver` would go round and round, for credentials that are wrong, say."""
    pauses: list[int] = []
    monkeypatch.setattr(world.realtime.delivery, "_queue", lambda messages, delay_s: pauses.append(delay_s))
    throttle(world, crowd, 403)
    counts(world, 1)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    assert pauses == [11, 11]
    world.sent.answers.clear()
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    assert heard(world, crowd) == [[1]] * 6


def test_in_further_lanes_too(world: World, crowd: list[Socket]) -> None:
    object.__setattr__(world.realtime.settings, "lane_size", 6)
    more = [world.client(f"more{i}") for i in range(4)]
    for member in more:
        world.subscribe(member, CHANNEL)
    world.queued.clear()
    until = time.monotonic() + 1.0
    throttle(world, more[:2], lambda body: 429 if time.monotonic() < until else 200)
    done = counts(world, 1)
    assert (done["delivered"], done["deferred"]) == (6, 4)
    deliver(world)
    assert heard(world, crowd + more) == [[1]] * 10


def test_members_of_a_lane_that_somebody_holds_are_deferred(
    world: World, crowd: list[Socket], redis_direct: "redis.Redis"
) -> None:
    redis_direct.hset(str(world.scope.key("ch", CHANNEL)), mapping={"o": "another", "d": 1 << 45})
    assert counts(world, 1) == {"delivered": 0, "gone": 0, "throttled": 0, "deferred": 6}


def test_members_of_further_lanes_are_counted_as_they_come_and_go(world: World, crowd: list[Socket]) -> None:
    object.__setattr__(world.realtime.settings, "lane_size", 6)
    more = [world.client(f"more{i}") for i in range(4)]
    for member in more:
        world.subscribe(member, CHANNEL)
    world.subscribe(more[0], CHANNEL, cmd=3)
    assert counts(world, 1)["deferred"] == 4
    world.realtime.connections.unsubscribe(more[0], CHANNEL, 4)
    world.realtime.connections.disconnect(more[1])
    world.sent.answers[more[2].connection] = 410
    deliver(world)
    assert counts(world, 2)["deferred"] == 1
