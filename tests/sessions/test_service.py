"""Sessions as their callers use them, on a real server."""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.auth.identity import Permission
from shared.errors import (
    Conflict,
    InvalidToken,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    TooLarge,
)
from shared.http.preconditions import matches
from shared.sessions import store
from shared.sessions.listing import Wanted
from shared.sessions.model import Access, Status
from shared.sessions.service import NewSession, Sessions
from tests.sessions.conftest import Team

ANYBODY_READS = Access("read", {})


def test_data_comes_back_as_it_was_given(team: Team) -> None:
    data = {"a": [], "n": 9007199254740993, "f": 1.0, "big": 12345678901234567890, "t": "ä😀\u2028\x00", "e": {}}
    session = team.create(data=data)
    found = json.loads(team.sessions.get(team.identity(), session.id).as_json())
    assert found["data"] == data
    assert str(found["data"]["f"]) == "1.0"


def test_a_session_object_has_the_documented_members(team: Team) -> None:
    session = json.loads(team.create(data={"a": 1}).as_json())
    assert session.keys() == {
        *("id", "owner", "data", "version", "status", "access"),
        *("created_at", "updated_at", "expires_at", "ttl_seconds"),
    }
    assert (session["owner"], session["version"], session["status"]) == ("ann", 1, "active")
    assert session["access"] == {"tenant": None, "users": {}}


def test_patches_count_versions_and_tell_subscribers_in_order(team: Team) -> None:
    session = team.create(data={"a": 1})
    for patch in ({"b": 2}, {"a": None}):
        session = team.sessions.patch(team.identity(), session.id, patch, None)
    assert (session.version, json.loads(session.data)) == (3, {"b": 2})
    assert [(e["type"], e["version"], e.get("patch")) for e in team.events(session.id)] == [
        ("session.created", 1, {"a": 1}),
        ("session.updated", 2, {"b": 2}),
        ("session.updated", 3, {"a": None}),
    ]


def test_a_change_too_large_for_a_frame_is_told_without_its_patch(team: Team) -> None:
    session = team.create()
    team.sessions.patch(team.identity(), session.id, {"text": "x" * 30_000}, None)
    assert team.events(session.id)[1] == {
        "type": "session.updated",
        "session_id": session.id,
        "version": 2,
        "truncated": True,
    }


def test_concurrent_patches_of_several_environments_are_all_kept(team: Team, pool: ThreadPoolExecutor) -> None:
    session = team.create(data={})

    def patch_ten(number: int) -> None:
        environment = team.other_environment()
        for i in range(10):
            environment.sessions.patch(environment.identity(), session.id, {f"{number}.{i}": i}, None)

    list(pool.map(patch_ten, range(6)))
    after = team.sessions.get(team.identity(), session.id)
    assert len(json.loads(after.data)) == 60
    assert after.version == 61
    assert [event["version"] for event in team.events(session.id)] == list(range(1, 62))


def test_a_crowd_of_writers_loses_nothing(team: Team) -> None:
    session = team.create(data={})
    with ThreadPoolExecutor(50) as crowd:
        patch = lambda i: team.sessions.patch(team.identity(), session.id, {str(i): i}, None)  # noqa: E731
        list(crowd.map(patch, range(100)))
    assert len(json.loads(team.sessions.get(team.identity(), session.id).data)) == 100


def test_a_writer_that_never_gets_through_is_told_to_come_again(team: Team) -> None:
    session, ann, clock = team.create(), team.identity(), [0.0]

    def others_are_faster(_: str) -> bool:
        clock[0] += 1
        team.sessions.patch(ann, session.id, {"theirs": clock[0]}, None)
        return True

    slow = Sessions(team.store, team.access, team.audience, team.settings, sleep=lambda _: None, clock=lambda: clock[0])
    with pytest.raises(Conflict) as caught:
        slow.patch(ann, session.id, {"mine": 1}, others_are_faster)
    assert caught.value.retry_after == 1
    assert "mine" not in json.loads(team.sessions.get(ann, session.id).data)


def test_of_concurrent_conditional_patches_one_wins(team: Team, pool: ThreadPoolExecutor) -> None:
    session = team.create()

    def patch(number: int) -> bool:
        try:
            team.sessions.patch(team.identity(), session.id, {"winner": number}, matches('"1"'))
        except PreconditionFailed:
            return False
        return True

    assert sum(pool.map(patch, range(8))) == 1


@pytest.mark.parametrize(("header", "fits"), [('"1"', True), ("*", True), ('"7", "1"', True), ('"2"', False)])
def test_if_match_guards_every_change(team: Team, header: str, fits: bool) -> None:
    def attempts(sessions: Sessions, session_id: str) -> list[Callable[[], object]]:
        ann, condition = team.identity(), matches(header)
        return [
            lambda: sessions.patch(ann, session_id, {}, condition),
            lambda: sessions.share(ann, session_id, lambda _: ANYBODY_READS, condition),
            lambda: sessions.end(ann, session_id, condition),
            lambda: sessions.delete(ann, session_id, condition),
        ]

    for i in range(4):
        attempt = attempts(team.sessions, team.create().id)[i]
        if fits:
            attempt()
        else:
            with pytest.raises(PreconditionFailed):
                attempt()


def test_what_a_caller_may_not_see_does_not_exist(team: Team) -> None:
    session = team.create()
    stranger = team.other_tenant()
    callers = [(team, team.identity("bob")), (stranger, stranger.identity("ann")), (stranger, stranger.admin())]
    for where, caller in callers:
        for session_id in (session.id, secrets.token_hex(16), "nonsense", ""):
            for attempt in every_operation(where, caller, session_id):
                with pytest.raises(NotFound) as caught:
                    attempt()
                assert not caught.value.detail
        assert not where.access.may_read(caller, session.id)


def every_operation(team: Team, caller: Any, session_id: str) -> list[Callable[[], object]]:
    sessions = team.sessions
    return [
        lambda: sessions.get(caller, session_id),
        lambda: sessions.patch(caller, session_id, {"a": 1}, None),
        lambda: sessions.share(caller, session_id, lambda _: Access(), None),
        lambda: sessions.touch(caller, session_id),
        lambda: sessions.end(caller, session_id, None),
        lambda: sessions.delete(caller, session_id, None),
    ]


def test_an_admin_may_do_all_to_any_users_session(team: Team) -> None:
    boss = team.admin()
    for i in range(6):
        every_operation(team, boss, team.create(access=Access()).id)[i]()
    assert team.access.may_read(boss, team.create().id)


@pytest.mark.parametrize("access", [Access("read", {}), Access(None, {"bob": "read"})])
def test_a_reader_by_sharing_reads_and_no_more(team: Team, access: Access) -> None:
    session = team.create(access=access)
    read, *others = every_operation(team, team.identity("bob"), session.id)
    read()
    assert team.access.may_read(team.identity("bob"), session.id)
    for attempt in others:
        with pytest.raises(PermissionDenied):
            attempt()


@pytest.mark.parametrize("access", [Access("write", {}), Access("read", {"bob": "write"})])
def test_a_writer_by_sharing_changes_data_and_no_more(team: Team, access: Access) -> None:
    session = team.create(access=access)
    read, patch, share, touch, end, delete = every_operation(team, team.identity("bob"), session.id)
    for allowed in (read, patch, touch):
        allowed()
    for denied in (share, end, delete):
        with pytest.raises(PermissionDenied):
            denied()


def test_sharing_can_be_given_and_taken_away(team: Team) -> None:
    session, bob = team.create(), team.identity("bob")
    team.sessions.share(team.identity(), session.id, lambda _: Access(None, {"bob": "read"}), None)
    assert team.access.may_read(bob, session.id)
    team.sessions.share(team.identity(), session.id, lambda _: Access(), None)
    assert not team.access.may_read(bob, session.id)
    assert [event["version"] for event in team.events(session.id)] == [1, 2, 3]


def test_may_read_wants_the_permission_too(team: Team) -> None:
    session = team.create()
    assert not team.access.may_read(team.identity("ann", Permission.WRITE), session.id)


def test_only_admins_create_for_others(team: Team) -> None:
    with pytest.raises(PermissionDenied):
        team.create(owner="bob")
    new = NewSession(data={}, ttl_s=9, lifetime_s=9, access=Access(), owner="bob")
    session = team.sessions.create(team.admin(), new, secrets.token_hex(16))
    assert team.sessions.get(team.identity("bob"), session.id).owner == "bob"


@pytest.mark.parametrize("field", ["revoked_before", "revoked:of-ann", "blocked"])
def test_a_revoked_token_is_refused_by_each_first_script(team: Team, redis_direct: "redis.Redis", field: str) -> None:
    session = team.create()
    redis_direct.hset(str(team.scope.key("user", "ann")), field, team.now_ms())
    for attempt in every_operation(team, team.identity(), session.id):
        with pytest.raises(InvalidToken):
            attempt()
    with pytest.raises(InvalidToken):
        team.create()
    with pytest.raises(InvalidToken):
        team.lists.page(team.identity(), Wanted(), "", 10)
    with pytest.raises(InvalidToken):
        team.access.may_read(team.identity(), session.id)


def test_data_over_the_limit_is_refused_on_create_and_on_patch(team: Team) -> None:
    limited = team.limited(max_session_bytes=20)
    session = team.create(data={"a": "é"})
    limited.patch(team.identity(), session.id, {"a": "é" * 6}, None)
    with pytest.raises(TooLarge):
        limited.patch(team.identity(), session.id, {"a": "é" * 7}, None)
    with pytest.raises(TooLarge):
        limited.create(
            team.identity(),
            NewSession(data={"a": "x" * 20}, ttl_s=1, lifetime_s=1, access=Access()),
            secrets.token_hex(16),
        )
    assert team.sessions.get(team.identity(), session.id).version == 2


def test_an_ended_session_is_readable_and_not_writable(team: Team) -> None:
    session = team.create(data={"a": 1})
    ended = team.sessions.end(team.identity(), session.id, None)
    assert (ended.status, ended.version) == (Status.ENDED, 2)
    assert team.sessions.get(team.identity(), session.id).data == '{"a":1}'
    for i in (1, 2, 3):
        with pytest.raises(Conflict):
            every_operation(team, team.identity(), session.id)[i]()
    assert team.sessions.end(team.identity(), session.id, None) == ended
    assert [event["type"] for event in team.events(session.id)] == ["session.created", "session.ended"]


def test_a_deleted_session_is_gone_and_said_so(team: Team) -> None:
    session = team.create()
    team.sessions.delete(team.identity(), session.id, None)
    with pytest.raises(NotFound):
        team.sessions.get(team.identity(), session.id)
    assert [event["type"] for event in team.events(session.id)] == ["session.created", "session.deleted"]


def test_creating_under_the_same_id_again_finds_the_first(team: Team) -> None:
    new = NewSession(data={"n": 1}, ttl_s=100, lifetime_s=100, access=Access())
    session_id = secrets.token_hex(16)
    made = [team.sessions.create(team.identity(), new, session_id) for _ in range(2)]
    assert made[0].as_json() == made[1].as_json()
    assert len(team.events(session_id)) == 1


@pytest.mark.parametrize("operation", [1, 2, 4, 5], ids=["patch", "share", "end", "delete"])
def test_a_change_whose_answer_was_lost_happens_once(team: Team, upstash: ThreadedUpstash, operation: int) -> None:
    session = team.create()
    digest = store._CHANGE.sha1.encode()
    team.sessions.patch(team.identity(), team.create().id, {}, None)
    upstash.gateway.faults.inject(Fault.DROP_AFTER, when=lambda sent: any(digest in command for command in sent))
    every_operation(team, team.identity(), session.id)[operation]()
    assert [event["version"] for event in team.events(session.id)] == [1, 2]
