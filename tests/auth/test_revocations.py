"""Tokens that end early: written by Revocations, read by the scripts' own check."""

import time
from dataclasses import replace

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.revocations import LONGEST_BLOCK_S, LONGEST_TOKEN_LIFE_S, Revocations
from shared.auth.revoked_sessions import KEPT_S, RevokedSessions
from shared.errors import Invalid, InvalidToken
from shared.state.client import Redis
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.auth import build_user_context_for_test

NOW = 1_900_000_000


class Check:
    """Asks the check that every script shares."""

    def __init__(self, store: Redis, scope: TenantScope) -> None:
        self._store, self._scope = store, scope

    def is_void(self, user: str = "ann", session: str = "s1", issued: int = NOW - 60, now: int = NOW) -> bool:
        caller = replace(
            build_user_context_for_test(self._scope.label, user), session=session, issued_at=issued, expires_at=0
        )
        try:
            Revocations(self._store, self._scope, lambda: now).refuse(caller)
        except InvalidToken:
            return True
        return False


@pytest.fixture
def check(store: Redis, scope: TenantScope) -> Check:
    return Check(store, scope)


@pytest.fixture
def revocations(store: Redis, scope: TenantScope) -> Revocations:
    return Revocations(store, scope, lambda: NOW)


def test_nothing_is_revoked_at_first(check: Check) -> None:
    assert not check.is_void()


def test_tokens_issued_until_now_are_void_and_later_ones_are_not(check: Check, revocations: Revocations) -> None:
    revocations.revoke_tokens("ann")
    assert check.is_void(issued=NOW - 60)
    assert check.is_void(issued=NOW)
    assert not check.is_void(issued=NOW + 1)
    assert not check.is_void(user="bob")


def test_an_earlier_moment_does_not_take_back_a_later_one(check: Check, revocations: Revocations) -> None:
    revocations.revoke_tokens("ann", NOW - 10)
    revocations.revoke_tokens("ann", NOW - 100)
    assert check.is_void(issued=NOW - 11)
    assert not check.is_void(issued=NOW - 10)


def test_one_session_ends_and_the_others_go_on(check: Check, revocations: Revocations) -> None:
    revocations.revoke_session("ann", "s1")
    assert check.is_void(session="s1")
    assert not check.is_void(session="s2")
    with pytest.raises(Invalid):
        revocations.revoke_session("ann", "")


def test_an_api_key_has_no_session_to_revoke(check: Check, revocations: Revocations) -> None:
    revocations.revoke_session("ann", "s1")
    assert not check.is_void(session="")


def test_a_block_ends_when_it_says_or_is_taken_back(check: Check, revocations: Revocations) -> None:
    revocations.block("ann", NOW + 100)
    assert check.is_void(issued=NOW + 50, now=NOW + 99)
    assert not check.is_void(now=NOW + 100)
    revocations.block("ann")
    assert check.is_void(now=NOW + LONGEST_BLOCK_S - 1)
    revocations.unblock("ann")
    assert not check.is_void()


def test_an_api_key_is_not_asked_about(store: Redis, scope: TenantScope, revocations: Revocations) -> None:
    revocations.block("key:1")
    revocations.refuse(replace(build_user_context_for_test(scope.label, "key:1"), source="api_key"))


def test_another_tenants_user_of_the_same_id_is_untouched(
    check: Check, revocations: Revocations, store: Redis, scope: TenantScope
) -> None:
    revocations.block("ann")
    other = TenantScope(f"{scope.label}x", SCOPE_SEAL)
    assert not Check(store, other).is_void()


def test_sessions_whose_tokens_have_all_expired_are_forgotten(
    store: Redis, scope: TenantScope, redis_direct: "redis.Redis"
) -> None:
    Revocations(store, scope, lambda: NOW - LONGEST_TOKEN_LIFE_S - 1).revoke_session("ann", "old")
    Revocations(store, scope, lambda: NOW - LONGEST_TOKEN_LIFE_S + 1).revoke_session("ann", "young")
    Revocations(store, scope, lambda: NOW).revoke_session("ann", "new")
    fields = {str(name) for name in redis_direct.hkeys(str(scope.key("user", "ann")))}
    assert fields == {"revoked:young", "revoked:new", "x"}


def test_a_revocation_is_kept_as_long_as_it_matters_and_shortens_nothing(
    store: Redis, scope: TenantScope, redis_direct: "redis.Redis"
) -> None:
    now, key = int(time.time()), str(scope.key("user", "ann"))
    revocations = Revocations(store, scope, lambda: now)
    revocations.revoke_tokens("ann")
    first = redis_direct.pexpiretime(key)
    assert first == int(redis_direct.hget(key, "x") or 0)
    assert first > (now + LONGEST_TOKEN_LIFE_S) * 1000
    revocations.block("ann")
    longest = redis_direct.pexpiretime(key)
    assert longest > (now + LONGEST_BLOCK_S) * 1000
    revocations.revoke_session("ann", "s1")
    assert redis_direct.pexpiretime(key) == longest == int(redis_direct.hget(key, "x") or 0)


def test_a_personal_channels_longer_life_is_kept(store: Redis, scope: TenantScope, redis_direct: "redis.Redis") -> None:
    now, key = int(time.time()), str(scope.key("user", "ann"))
    expires = (now + 30 * 86_400) * 1000
    redis_direct.hset(key, mapping={"e": "epoch", "x": expires})
    redis_direct.pexpireat(key, expires)
    Revocations(store, scope, lambda: now).revoke_session("ann", "s1")
    assert redis_direct.pexpiretime(key) == expires
    assert redis_direct.hget(key, "e") == "epoch"


def test_an_unseen_session_is_noticed_within_a_minute_and_looked_for_no_oftener(
    revocations: Revocations, store: Redis, scope: TenantScope, upstash: ThreadedUpstash
) -> None:
    clock = [100.0]
    sessions = RevokedSessions(store, lambda: clock[0])
    assert not sessions.has(scope, "s1")
    revocations.revoke_unseen("s1")
    with upstash.counting() as counted:
        assert not sessions.has(scope, "s1")
        clock[0] += KEPT_S
        assert sessions.has(scope, "s1")
        assert not sessions.has(scope, "s2")
        assert not sessions.has(scope, "x")
    assert counted.commands == 1
    assert not sessions.has(TenantScope(f"{scope.label}x", SCOPE_SEAL), "s1")


def test_unseen_sessions_are_forgotten_with_their_tokens(
    store: Redis, scope: TenantScope, redis_direct: "redis.Redis"
) -> None:
    now, key = int(time.time()), str(scope.key("revoked"))
    Revocations(store, scope, lambda: now - LONGEST_TOKEN_LIFE_S - 1).revoke_unseen("old")
    Revocations(store, scope, lambda: now).revoke_unseen("new")
    assert {str(name) for name in redis_direct.hkeys(key)} == {"revoked:new", "x"}
    assert 0 < redis_direct.pexpiretime(key) - (now + LONGEST_TOKEN_LIFE_S) * 1000 < 86_400_000
