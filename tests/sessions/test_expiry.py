"""What time does to sessions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from shared.errors import Conflict, NotFound, PreconditionFailed
from shared.http.preconditions import matches
from shared.sessions.model import Access, Status, timestamp
from tests.sessions.conftest import Team

DAY = 86_400


def test_a_session_expires_when_it_is_idle(team: Team) -> None:
    session = team.create(ttl_s=100)
    team.later(99)
    assert team.sessions.get(team.identity(), session.id).status is Status.ACTIVE
    team.later(2)
    seen = team.sessions.get(team.identity(), session.id)
    assert (seen.status, seen.etag) == (Status.EXPIRED, '"2"')


def test_patching_and_touching_put_the_end_off_but_reading_does_not(team: Team) -> None:
    patched, touched, read = (team.create(ttl_s=100) for _ in range(3))
    team.later(60)
    team.sessions.patch(team.identity(), patched.id, {}, None)
    team.sessions.touch(team.identity(), touched.id)
    team.sessions.get(team.identity(), read.id)
    team.later(60)
    states = [team.sessions.get(team.identity(), one.id).status for one in (patched, touched, read)]
    assert states == [Status.ACTIVE, Status.ACTIVE, Status.EXPIRED]


def test_nothing_puts_off_the_absolute_end(team: Team) -> None:
    session = team.create(ttl_s=100, lifetime_s=150)
    for _ in range(2):
        team.later(70)
        session = team.sessions.touch(team.identity(), session.id)
    assert session.expires_ms == session.created_ms + 150_000
    team.later(11)
    with pytest.raises(Conflict):
        team.sessions.touch(team.identity(), session.id)


def test_touching_makes_no_version_and_writes_seldom(team: Team) -> None:
    session = team.create(ttl_s=100)
    team.later(9)
    assert team.sessions.touch(team.identity(), session.id).expires_ms == session.expires_ms
    team.later(2)
    touched = team.sessions.touch(team.identity(), session.id)
    assert touched.expires_ms > session.expires_ms
    assert team.sessions.get(team.identity(), session.id) == touched
    assert touched.version == 1
    assert len(team.events(session.id)) == 1


def test_touching_what_ended_meanwhile_changes_nothing(team: Team) -> None:
    session = team.create()
    ended = team.sessions.end(team.identity(), session.id, None)
    assert not team.store.touch(team.scope, session, replace(session, touched_ms=session.touched_ms + 50_000))
    assert team.sessions.get(team.identity(), session.id) == ended


def test_an_expired_session_takes_no_more_writes_and_can_be_deleted(team: Team) -> None:
    session, ann = team.create(ttl_s=1), team.identity()
    team.later(2)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: team.sessions.patch(ann, session.id, {}, None),
        lambda: team.sessions.share(ann, session.id, lambda _: Access(), None),
        lambda: team.sessions.touch(ann, session.id),
        lambda: team.sessions.end(ann, session.id, None),
    )
    for attempt in attempts:
        with pytest.raises(Conflict):
            attempt()
    with pytest.raises(PreconditionFailed):
        team.sessions.delete(ann, session.id, matches('"1"'))
    team.sessions.delete(ann, session.id, matches('"2"'))
    with pytest.raises(NotFound):
        team.sessions.get(ann, session.id)


def test_sweep_tells_of_an_expiry_once(team: Team, pool: ThreadPoolExecutor) -> None:
    session = team.create(ttl_s=10)
    assert team.expiry.expire_due(team.scope, team.now_ms(), 100) == 0
    team.later(11)
    sweeps = pool.map(lambda _: team.expiry.expire_due(team.scope, team.now_ms(), 100), range(4))
    assert sum(sweeps) == 1
    assert [(event["type"], event["version"]) for event in team.events(session.id)] == [
        ("session.created", 1),
        ("session.expired", 2),
    ]
    assert team.sessions.get(team.identity(), session.id).etag == '"2"'


def test_sweep_leaves_alone_what_was_used_meanwhile(team: Team) -> None:
    session = team.create(ttl_s=100)
    team.later(60)
    touched = team.sessions.touch(team.identity(), session.id)
    team.later(60)
    assert team.expiry.expire_due(team.scope, team.now_ms(), 100) == 0
    assert team.expiry.next_due(team.scope) == touched.expires_ms
    team.later(60)
    assert team.expiry.expire_due(team.scope, team.now_ms(), 100) == 1


@pytest.mark.parametrize("over", ["expired", "ended"])
def test_what_is_over_stays_readable_for_a_day_and_then_leaves_nothing(
    team: Team, redis_direct: "redis.Redis", over: str
) -> None:
    session = team.create(ttl_s=10, access=Access("read", {"bob": "read"}))
    if over == "ended":
        team.sessions.end(team.identity(), session.id, None)
    team.later(31)
    team.expiry.expire_due(team.scope, team.now_ms(), 100)
    assert team.expiry.next_due(team.scope) == session.expires_ms + DAY * 1000
    team.later(DAY - 40)
    assert team.sessions.get(team.identity(), session.id).status == over
    team.later(20)
    assert team.expiry.expire_due(team.scope, team.now_ms(), 100) == 1
    assert team.expiry.next_due(team.scope) is None
    with pytest.raises(NotFound):
        team.sessions.get(team.identity(), session.id)
    kept = set(redis_direct.scan_iter(f"{{t:{team.scope.label}}}:*"))
    assert {key for key in kept if ":session" in key.removeprefix(f"{{t:{team.scope.label}}}")} == {
        key for key in kept if ":ch:" in key or ":log:" in key
    }


def test_a_record_outlives_its_tombstone_and_is_never_immortal(team: Team, redis_direct: "redis.Redis") -> None:
    session = team.create(ttl_s=100)
    key = str(team.scope.key("session", session.id))
    assert redis_direct.pexpiretime(key) == session.forgotten_ms + 7 * DAY * 1000
    for _ in range(3):
        team.later(80)
        session = team.sessions.touch(team.identity(), session.id)
        assert redis_direct.pexpiretime(key) > session.forgotten_ms


def test_a_long_lived_records_key_is_renewed_before_it_ends(team: Team, redis_direct: "redis.Redis") -> None:
    session = team.create(ttl_s=20 * DAY, lifetime_s=300 * DAY)
    for _ in range(5):
        team.later(15 * DAY)
        session = team.sessions.patch(team.identity(), session.id, {}, None)
        ends = redis_direct.pexpiretime(str(team.scope.key("session", session.id)))
        assert ends == session.kept_ms > session.forgotten_ms


def test_entries_without_a_record_leave_the_indexes(team: Team, redis_direct: "redis.Redis") -> None:
    session = team.create(ttl_s=10)
    redis_direct.delete(str(team.scope.key("session", session.id)))
    team.later(11)
    assert team.expiry.expire_due(team.scope, team.now_ms(), 100) == 0
    assert team.expiry.next_due(team.scope) is None


def test_sweep_works_through_more_than_its_limit_in_several_calls(team: Team) -> None:
    for _ in range(5):
        team.create(ttl_s=10)
    team.later(11)
    assert [team.expiry.expire_due(team.scope, team.now_ms(), 2) for _ in range(4)] == [2, 2, 1, 0]


def test_times_are_told_in_utc_with_milliseconds() -> None:
    assert timestamp(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
