"""The index of what is due: an entry is found when its time has come, whatever environments take for noted."""

import secrets
import time
from collections.abc import Callable
from itertools import count

import pytest
import redis

from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.auth.due import SHARDS, SOCKET, Due, DueIndex, _shard
from shared.auth.grants import Grant
from shared.errors import TrafficCopError
from shared.realtime import delivery
from shared.realtime.delivery import channel_keys
from shared.realtime.protocol import SubscribeOptions
from shared.realtime.upkeep import Upkeep
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.realtime.conftest import World, another_environment
from tests.support.connections import RecordingConnections

CHANNEL = "chat:lobby"
HOUR_S = 3600


class Stepped:
    """A calendar that goes on when a test says so, in place of the module `time`."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def ms(self, in_s: float = 0) -> int:
        return int((self.now + in_s) * 1000)


@pytest.fixture
def clock() -> Stepped:
    return Stepped()


@pytest.fixture
def environment(world: World, clock: Stepped) -> Callable[[], DueIndex]:
    """Makes the index as one more environment has it, with notes of its own."""
    return lambda: DueIndex(world.realtime.redis, clock)


def note(world: World, due: DueIndex, kind: str, deadline_ms: int) -> bool:
    """Whether it had to be noted."""
    noting = due.note(world.scope, kind, deadline_ms)
    world.realtime.redis.pipeline(noting)
    return noting != []


def found(world: World, due: DueIndex, kind: str) -> list[Due]:
    return [entry for entry in due.due() if (entry.kind, entry.name) == (kind, world.scope.label)]


def left(world: World, direct: "redis.Redis") -> list[str]:
    """What the index still holds of the tenant."""
    members = [str(member) for key in direct.scan_iter(match="{sys}:due:*") for member in direct.zrange(key, 0, -1)]
    return [member for member in members if world.scope.label in member]


def test_a_noted_deadline_is_found_when_it_has_passed(
    world: World, clock: Stepped, environment: Callable[[], DueIndex]
) -> None:
    due = environment()
    assert note(world, due, "things", clock.ms(60))
    assert found(world, due, "things") == []
    assert not note(world, due, "things", clock.ms(70))
    assert note(world, due, "things", clock.ms(-2))
    (entry,) = found(world, due, "things")
    assert entry.scope == world.scope


def test_a_note_that_was_lost_is_made_up_for_within_a_minute(
    world: World, clock: Stepped, environment: Callable[[], DueIndex]
) -> None:
    due = environment()
    assert note(world, due, "leases", clock.ms(540))
    assert not note(world, due, "leases", clock.ms(541))
    clock.now += 61
    assert note(world, due, "leases", clock.ms(540))


def test_after_a_request_that_failed_nothing_is_taken_for_noted(world: World, upstash: ThreadedUpstash) -> None:
    due = world.realtime.due
    in_nine_minutes = int(time.time() * 1000) + 540_000
    assert note(world, due, "leases", in_nine_minutes)
    assert not note(world, due, "leases", in_nine_minutes)
    upstash.faults.inject(Fault.DROP, times=None)
    try:
        with pytest.raises(TrafficCopError):
            world.publish(CHANNEL, 1)
    finally:
        upstash.faults.clear()
    assert note(world, due, "leases", in_nine_minutes)


def test_only_what_is_sent_counts_as_noted(world: World) -> None:
    """Neither a look at the history nor the wake of a lane sends a note."""
    world.realtime.channels.history(world.scope, CHANNEL, limit=0)
    world.realtime.delivery.wake(world.scope, CHANNEL, time.monotonic() + 5)
    assert world.realtime.delivery.note_lanes(world.scope) != []


@pytest.mark.parametrize("following_s", [HOUR_S, None])
def test_what_an_environment_left_unnoted_is_found_by_the_next_sweep(
    world: World, clock: Stepped, environment: Callable[[], DueIndex], following_s: int | None
) -> None:
    """It noted nothing because it knew of an earlier deadline, and a sweep came upon that one meanwhile."""
    sweep, first, other = environment(), environment(), environment()
    note(world, first, "lanes", clock.ms(-1))
    note(world, other, "lanes", clock.ms(10))
    clock.now += 1
    (entry,) = found(world, sweep, "lanes")
    sweep.settle(entry, sweep.visit(entry), None if following_s is None else clock.ms(following_s))
    clock.now += 8
    assert not note(world, other, "lanes", clock.ms(10))
    clock.now += 52
    assert len(found(world, sweep, "lanes")) == 1


def test_what_was_noted_and_undone_at_once_leaves_no_gap(
    world: World, clock: Stepped, environment: Callable[[], DueIndex]
) -> None:
    """An entry found empty is kept as long as anybody counts on it, however often it is found empty."""
    sweep, other = environment(), environment()
    note(world, other, "leases", clock.ms(-1))
    for _ in range(3):
        clock.now += 50
        note(world, other, "leases", clock.ms(400))
        clock.now += 10
        (entry,) = found(world, sweep, "leases")
        sweep.settle(entry, sweep.visit(entry), None)
    clock.now += 45
    assert not note(world, other, "leases", clock.ms(400))
    clock.now += 15
    assert len(found(world, sweep, "leases")) == 1


@pytest.mark.parametrize("following_s", [HOUR_S, None])
def test_once_nobody_counts_on_it_an_entry_waits_for_its_time_or_goes(
    world: World,
    clock: Stepped,
    environment: Callable[[], DueIndex],
    redis_direct: "redis.Redis",
    following_s: int | None,
) -> None:
    sweep = environment()
    note(world, environment(), "lanes", clock.ms(10))
    looks = 0
    for _ in range(4):
        clock.now += 60
        for entry in found(world, sweep, "lanes"):
            looks += 1
            sweep.settle(entry, sweep.visit(entry), None if following_s is None else clock.ms(following_s))
    assert looks == 1
    assert (left(world, redis_direct) != []) is (following_s is not None)


@pytest.mark.parametrize("following_s", [HOUR_S, None])
def test_a_deadline_noted_during_a_visit_is_not_lost(
    world: World, clock: Stepped, environment: Callable[[], DueIndex], following_s: int | None
) -> None:
    due = environment()
    note(world, due, "things", 2_000)
    (entry,) = found(world, due, "things")
    mark = due.visit(entry)
    note(world, due, "things", 1_000)
    due.settle(entry, mark, None if following_s is None else clock.ms(following_s))
    assert [found.deadline_ms for found in found(world, due, "things")] == [1_000]


def tenant_of_shard(shard: int) -> TenantScope:
    labels = (f"t{secrets.token_hex(6)}" for _ in count())
    return next(TenantScope(label, SCOPE_SEAL) for label in labels if _shard(label) == shard)


def test_a_tenant_whose_work_never_ends_waits_until_others_had_their_turn(world: World) -> None:
    busy, waiting = tenant_of_shard(0), tenant_of_shard(SHARDS - 1)
    now = int(time.time())
    due = DueIndex(world.realtime.redis, lambda: now)
    world.realtime.redis.pipeline([*due.note(busy, "things", 2_000), *due.note(waiting, "things", (now - 60) * 1000)])

    def in_turn(later_s: int) -> list[Due]:
        found = DueIndex(world.realtime.redis, lambda: now + later_s).due()
        return [entry for entry in found if entry.name in (busy.label, waiting.label)]

    first, _ = in_turn(0)
    assert first.scope == busy
    due.settle(first, due.visit(first), 2_000)
    assert [entry.scope for entry in in_turn(60)] == [waiting, busy]


def test_pending_sockets_are_due_by_their_connection(world: World) -> None:
    world.realtime.due.note_socket(f"pending-{world.scope.label}", 2_000)
    assert f"pending-{world.scope.label}" in {entry.name for entry in world.realtime.due.due() if entry.kind == SOCKET}


def test_a_holder_that_dies_unnoted_is_found_within_its_lease_and_a_minute(
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    redis_direct: "redis.Redis",
    clock: Stepped,
) -> None:
    """A member's token ends in an hour, which is when sweep would look at the tenant's lanes again."""
    monkeypatch.setattr(delivery, "time", clock)
    world = another_environment(upstash, sent, monkeypatch)
    another = another_environment(upstash, sent, monkeypatch, world.scope)
    for one in (world, another):
        monkeypatch.setattr(one.realtime.due, "_now", clock)
    client = world.client()
    grant = Grant(CHANNEL, expires_at=clock.ms(HOUR_S) // 1000, issued_at=0, info="")
    world.realtime.connections.subscribe(client, CHANNEL, 2, SubscribeOptions(), grant)

    clock.now += 61
    world.publish(CHANNEL, 1)
    clock.now += 11
    another.publish(CHANNEL, 2)
    sweep(another, clock)
    clock.now += 5
    with monkeypatch.context() as deadly:
        deadly.setattr(another.realtime.delivery, "finish", dies)
        with pytest.raises(KeyboardInterrupt):
            another.publish(CHANNEL, 3)
    assert world.sent.offsets(client.connection, CHANNEL) == [1, 2]
    redis_direct.hset(str(channel_keys(world.scope, CHANNEL)["channel"]), "d", 1)
    for _ in range(2):
        clock.now += 35
        sweep(world, clock)
    assert world.sent.offsets(client.connection, CHANNEL) == [1, 2, 3]


def dies(*_: object) -> None:
    raise KeyboardInterrupt


def sweep(world: World, clock: Stepped) -> None:
    """What the function does about the tenant's lanes."""
    parts = world.realtime
    upkeep = Upkeep(parts.redis, parts.sockets, parts.connections, parts.delivery, parts.sender, clock)
    due = DueIndex(parts.redis, clock)
    for entry in found(world, due, "lanes"):
        due.settle(entry, due.visit(entry), upkeep.resume(world.scope, clock.monotonic() + 10))
