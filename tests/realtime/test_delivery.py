"""The promises of DESIGN §6: order, at least once, honest recovery, one leave per member, and who is closed when."""

import time

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.realtime.delivery import Lane, channel_keys, lane_message
from shared.realtime.protocol import Position
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections, hanging

CHANNEL = "chat:lobby"


def set_lane(world: World, direct: "redis.Redis", **fields: object) -> None:
    direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), mapping={k: str(v) for k, v in fields.items()})


def lane(world: World, direct: "redis.Redis") -> dict[str, str]:
    return direct.hgetall(str(channel_keys(world.scope, CHANNEL)["channel"]))  # type: ignore[return-value]


def test_every_subscriber_gets_every_publication_in_order(world: World) -> None:
    clients = [world.client(f"u{i}") for i in range(5)]
    for client in clients:
        world.subscribe(client, CHANNEL)
    world.publish(CHANNEL, *range(10))
    for client in clients:
        assert world.sent.offsets(client.connection, CHANNEL) == list(range(1, 11))


def test_the_same_channel_name_of_two_tenants_never_meets(
    world: World, upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = another_environment(upstash, sent, monkeypatch)
    mine, theirs = world.client(), other.client()
    world.subscribe(mine, CHANNEL)
    other.subscribe(theirs, CHANNEL)
    world.publish(CHANNEL, 1)
    assert sent.offsets(mine.connection, CHANNEL) == [1]
    assert sent.offsets(theirs.connection, CHANNEL) == []
    assert list(world.realtime.channels.presence(world.scope, CHANNEL)) == [mine.connection]


def test_a_newcomer_starts_at_the_top(world: World) -> None:
    world.publish(CHANNEL, 1, 2)
    client = world.client()
    world.subscribe(client, CHANNEL)
    (reply,) = [frame["subscribe"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    assert reply["offset"] == 2
    assert reply["recoverable"] is True
    assert "publications" not in reply
    assert "was_recovering" not in reply


def recovering(world: World, epoch: str, offset: int) -> dict[str, object]:
    client = world.client()
    world.subscribe(client, CHANNEL, recover=True, epoch=epoch, offset=offset)
    replies = [frame["subscribe"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
    return dict(replies[0])


def epoch_of(world: World) -> str:
    return world.realtime.channels.history(world.scope, CHANNEL, limit=0).epoch


def test_recovery_brings_exactly_what_was_missed(world: World) -> None:
    world.publish(CHANNEL, 1, 2, 3)
    reply = recovering(world, epoch_of(world), 1)
    assert reply["recovered"] is True
    assert reply["was_recovering"] is True
    assert reply["publications"] == [{"offset": 2, "data": 2}, {"offset": 3, "data": 3}]
    assert reply["offset"] == 3


def test_recovery_from_the_top_brings_nothing_and_is_recovered(world: World) -> None:
    world.publish(CHANNEL, 1)
    reply = recovering(world, epoch_of(world), 1)
    assert reply["recovered"] is True
    assert "publications" not in reply


@pytest.mark.parametrize(("published", "offset"), [(120, 5), (3, 7)], ids=["trimmed", "from the future"])
def test_recovery_that_cannot_be_whole_brings_nothing(world: World, published: int, offset: int) -> None:
    world.publish(CHANNEL, *range(published))
    reply = recovering(world, epoch_of(world), offset)
    assert "recovered" not in reply
    assert reply["was_recovering"] is True
    assert "publications" not in reply
    assert reply["offset"] == published


def test_recovery_across_epochs_is_refused(world: World) -> None:
    world.publish(CHANNEL, 1, 2)
    assert "recovered" not in recovering(world, "another", 1)


def test_expired_history_is_not_recovered(world: World, redis_direct: "redis.Redis") -> None:
    world.publish(CHANNEL, 1, 2)
    set_lane(world, redis_direct, lx=int(time.time() * 1000) - 1)
    assert "recovered" not in recovering(world, epoch_of(world), 1)
    assert world.realtime.channels.history(world.scope, CHANNEL, limit=-1).publications == []


def test_getstate_with_a_lost_position_is_answered_112(world: World) -> None:
    world.publish(CHANNEL, 1)
    client = world.client()
    world.subscribe(client, CHANNEL, cmd=7, recover=True, epoch="another", offset=1, flag=2)
    errors = [frame for frame in world.sent.frames(client.connection) if "error" in frame]
    assert [(frame["id"], frame["error"]["code"]) for frame in errors] == [(7, 112)]
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}


def test_a_connection_found_gone_is_forgotten_everywhere(world: World) -> None:
    gone, stays = world.client("gone"), world.client("stays")
    for client in (gone, stays):
        world.subscribe(client, CHANNEL, join_leave=True)
        world.subscribe(client, "chat:other", cmd=3)
    world.sent.answers[gone.connection] = 410
    report = world.realtime.channels.publish(world.scope, CHANNEL, b"1").delivery
    assert (report.delivered, report.gone) == (1, 1)
    assert list(world.realtime.channels.presence(world.scope, CHANNEL)) == [stays.connection]
    assert list(world.realtime.channels.presence(world.scope, "chat:other")) == [stays.connection]
    world.publish(CHANNEL, 2)
    leaves = world.sent.pushes(stays.connection, "leave")
    assert [leave["info"]["client"] for leave in leaves] == [gone.connection]


def test_an_unknown_outcome_is_never_repeated_and_closes_the_connection(world: World) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    tried: list[str] = []

    def fail_publications(body: str) -> int:
        tried.append(body)
        return 500 if '"pub"' in body else 200

    world.sent.answers[client.connection] = fail_publications
    world.publish(CHANNEL, 1)
    assert sum('"pub"' in body for body in tried) == 1
    assert [push["code"] for push in world.sent.pushes(client.connection, "disconnect")] == [3008]
    assert world.sent.closed == [client.connection]
    assert world.realtime.channels.presence(world.scope, CHANNEL) == {}


def test_a_hung_connection_does_not_delay_the_order_of_others(world: World) -> None:
    slow, quick = world.client("slow"), world.client("quick")
    world.subscribe(slow, CHANNEL)
    world.subscribe(quick, CHANNEL)
    world.sent.answers[slow.connection] = hanging(3.0)
    world.publish(CHANNEL, 1, 2)
    assert world.sent.offsets(quick.connection, CHANNEL) == [1, 2]
    assert slow.connection in world.sent.closed


def test_throttled_sends_are_tried_again(world: World) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    answers = iter([429, 429, 200])
    world.sent.answers[client.connection] = lambda body: next(answers)
    report = world.realtime.channels.publish(world.scope, CHANNEL, b"1").delivery
    assert (report.delivered, report.throttled) == (1, 2)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]


def test_a_dead_holders_batch_is_sent_by_the_next(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    set_lane(world, redis_direct, o="dead", d=int(time.time() * 1000) + 60_000)
    world.publish(CHANNEL, 1)
    assert world.sent.offsets(client.connection, CHANNEL) == []
    set_lane(world, redis_direct, d=int(time.time() * 1000) - 1)
    world.publish(CHANNEL, 2)
    assert world.sent.offsets(client.connection, CHANNEL) == [1, 2]


def test_a_held_lane_is_woken_once_after_its_lease(world: World, redis_direct: "redis.Redis") -> None:
    set_lane(world, redis_direct, e="e", o="perhaps dead", d=int(time.time() * 1000) + 60_000)
    world.publish(CHANNEL, 1, 2, 3)
    assert world.queued == [lane_message(world.scope, Lane(CHANNEL))]
    set_lane(world, redis_direct, b=int(time.time() * 1000) - 1)
    world.publish(CHANNEL, 4)
    assert len(world.queued) == 2


def test_a_holder_that_lost_its_lease_stops(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)

    def usurped(body: str) -> int:
        set_lane(world, redis_direct, o="usurper")
        return 200

    world.sent.answers[client.connection] = usurped
    world.publish(CHANNEL, 1)
    held = lane(world, redis_direct)
    assert held["o"] == "usurper"
    assert held["c"] == "0-0"


def test_rejoining_after_an_unclean_takeover_closes_the_connection(world: World, redis_direct: "redis.Redis") -> None:
    client, fresh = world.client("back"), world.client("fresh")
    world.subscribe(client, CHANNEL)
    set_lane(world, redis_direct, u=int(time.time() * 1000) - 1000)
    world.subscribe(client, CHANNEL, cmd=3)
    world.subscribe(fresh, CHANNEL)
    assert [push["code"] for push in world.sent.pushes(client.connection, "disconnect")] == [3008]
    assert list(world.realtime.channels.presence(world.scope, CHANNEL)) == [fresh.connection]


def test_a_lane_left_behind_is_resumed_by_waking_it(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    set_lane(world, redis_direct, o="dead", d=int(time.time() * 1000) + 60_000)
    world.publish(CHANNEL, 1)
    set_lane(world, redis_direct, d=1)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    assert world.sent.offsets(client.connection, CHANNEL) == [1]
    assert world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5).delivered == 0


def test_a_member_whose_next_entry_is_gone_is_told_to_subscribe_again(
    world: World, redis_direct: "redis.Redis"
) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    set_lane(world, redis_direct, o="dead", d=int(time.time() * 1000) + 60_000)
    world.publish(CHANNEL, 1, 2)
    redis_direct.xtrim(str(channel_keys(world.scope, CHANNEL)["log"]), maxlen=1, approximate=False)
    set_lane(world, redis_direct, d=1)
    world.publish(CHANNEL, 3)
    told = [
        frame["push"]["unsubscribe"]
        for frame in world.sent.frames(client.connection)
        if "unsubscribe" in frame.get("push", {})
    ]
    assert [one["code"] for one in told] == [2500]
    assert world.sent.offsets(client.connection, CHANNEL) == []


def test_a_lost_hash_begins_another_epoch_and_members_are_told(world: World, redis_direct: "redis.Redis") -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    world.publish(CHANNEL, 1)
    redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), mapping={"e": "reborn", "s": "0", "n": "0"})
    redis_direct.delete(str(channel_keys(world.scope, CHANNEL)["log"]))
    world.publish(CHANNEL, 2)
    told = [frame["push"] for frame in world.sent.frames(client.connection) if "unsubscribe" in frame.get("push", {})]
    assert len(told) == 1


def test_history_pages_forwards_and_backwards(world: World) -> None:
    world.publish(CHANNEL, *range(1, 6))
    channels, epoch = world.realtime.channels, epoch_of(world)

    def offsets(since: int | None, limit: int, reverse: bool = False) -> list[int]:
        position = None if since is None else Position(epoch=epoch, offset=since)
        found = channels.history(world.scope, CHANNEL, limit=limit, since=position, reverse=reverse)
        return [offset for offset, _ in found.publications]

    assert offsets(None, -1) == [1, 2, 3, 4, 5]
    assert offsets(2, 2) == [3, 4]
    assert offsets(None, 2, reverse=True) == [5, 4]
    assert offsets(4, 2, reverse=True) == [3, 2]
    assert offsets(0, -1, reverse=True) == []
    assert offsets(None, 0) == []


def test_publishing_twice_with_one_idempotency_key_appends_once(world: World) -> None:
    channels = world.realtime.channels
    first = channels.publish(world.scope, CHANNEL, b"1", idempotency_key="k")
    second = channels.publish(world.scope, CHANNEL, b"1", idempotency_key="k")
    assert (first.offset, first.epoch) == (second.offset, second.epoch)
    assert epoch_of(world) == first.epoch
    assert channels.history(world.scope, CHANNEL, limit=0).offset == 1


def test_data_with_newlines_stays_one_frame(world: World) -> None:
    client = world.client()
    world.subscribe(client, CHANNEL)
    world.realtime.channels.publish(world.scope, CHANNEL, b'{\n "a": [1,\n 2.50]}')
    (push,) = world.sent.pushes(client.connection, "pub")
    assert push["data"] == {"a": [1, 2.5]}
