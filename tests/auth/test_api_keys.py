"""API keys: shown once, kept as a hash, the same answer for everything that is not a key."""

import secrets

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.api_keys import ApiKeys
from shared.auth.identity import Permission
from shared.auth.permissions import PERMISSIONS, require
from shared.errors import InvalidApiKey, PermissionDenied
from shared.state.client import Redis
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.auth import build_user_context_for_test, build_user_context_from_token, get_test_supabase_token


@pytest.fixture
def keys(upstash: ThreadedUpstash) -> ApiKeys:
    return ApiKeys(Redis(upstash.rest_url, upstash.token, timeout_ms=2000, connect_timeout_ms=800))


@pytest.fixture
def scope() -> TenantScope:
    # An underscore in the tenant's id must not confuse the split.
    return TenantScope(f"t_{secrets.token_hex(6)}", SCOPE_SEAL)


def test_a_key_identifies_its_tenant_and_permissions(keys: ApiKeys, scope: TenantScope) -> None:
    key, record = keys.create(scope, "backend", [Permission.WRITE])
    identity = keys.identify(key)
    assert identity.scope == scope
    assert identity.permissions == {Permission.WRITE}
    assert identity.source == "api_key"
    assert keys.list(scope) == [record]


def test_the_key_itself_is_not_kept(keys: ApiKeys, scope: TenantScope, redis_direct: "redis.Redis") -> None:
    key, _ = keys.create(scope, "backend", [Permission.READ])
    held = redis_direct.hgetall(str(scope.key("keys")))
    assert key.rpartition("_")[2] not in str(held)


def test_a_revoked_key_is_no_key(keys: ApiKeys, scope: TenantScope) -> None:
    key, record = keys.create(scope, "backend", [Permission.READ])
    assert keys.revoke(scope, record.id)
    assert not keys.revoke(scope, record.id)
    with pytest.raises(InvalidApiKey):
        keys.identify(key)


@pytest.mark.parametrize("key", ["", "tck_", "tck__", "tck_acme", "tck_acme_", "tck_a b_x", "acme_x", "tck_acme_wrong"])
def test_what_is_no_key_is_refused(keys: ApiKeys, key: str) -> None:
    with pytest.raises(InvalidApiKey):
        keys.identify(key)


def test_a_key_of_one_tenant_is_none_of_another(keys: ApiKeys, scope: TenantScope) -> None:
    key, _ = keys.create(scope, "backend", [Permission.READ])
    with pytest.raises(InvalidApiKey):
        keys.identify(key.replace(scope.label, "acme"))


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_each_operation_needs_its_permission_and_no_other(operation: str) -> None:
    needed = PERMISSIONS[operation]
    for permission in Permission:
        caller = build_user_context_for_test(permissions=[permission.value])
        if permission in (needed, Permission.ADMIN):
            require(caller, operation)
        else:
            with pytest.raises(PermissionDenied):
                require(caller, operation)


def test_an_operation_without_a_row_is_nobodys() -> None:
    with pytest.raises(KeyError):
        require(build_user_context_for_test(permissions=["admin"]), "unheard.of")


def test_the_helpers_for_users_tests_agree_with_the_deployed_code() -> None:
    identity = build_user_context_from_token(get_test_supabase_token())
    assert identity.permissions
    assert identity.expires_at > identity.issued_at
