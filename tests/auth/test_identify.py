"""Tenant and permissions come from claims that users cannot write, and from nowhere else."""

from typing import Any

import pytest

from local.issuer import ThreadedIssuer
from shared.auth.identify import Authenticator
from shared.auth.identity import Identity, Permission
from shared.errors import NoTenant
from shared.settings import InvalidSetting, Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope


def identified(
    issuer: ThreadedIssuer, tenant: str | None = None, settings: dict[str, str] | None = None, **claims: Any
) -> Identity:
    configured = Settings(supabase_url=issuer.url, **(settings or {}))  # type: ignore[arg-type]
    return Authenticator(configured).from_token(issuer.mint(**claims), tenant)


ONE = {"tenant_id": "acme", "permissions": ["read", "write", "fly"]}
SEVERAL = {"tenants": {"acme": ["admin"], "globex": ["read"]}}


def test_one_tenant_in_app_metadata(issuer: ThreadedIssuer) -> None:
    identity = identified(issuer, sub="u1", app_metadata=ONE)
    assert identity.scope == TenantScope("acme", SCOPE_SEAL)
    assert identity.user == "u1"
    assert identity.permissions == {Permission.READ, Permission.WRITE}


def test_the_tenant_asked_for_must_be_the_tokens(issuer: ThreadedIssuer) -> None:
    assert identified(issuer, "acme", app_metadata=ONE).scope.label == "acme"
    with pytest.raises(NoTenant):
        identified(issuer, "globex", app_metadata=ONE)


def test_a_user_of_several_tenants_chooses(issuer: ThreadedIssuer) -> None:
    assert identified(issuer, "globex", app_metadata=SEVERAL).permissions == {Permission.READ}
    assert identified(issuer, "acme", app_metadata=SEVERAL).is_admin
    for asked in (None, "initech", ""):
        with pytest.raises(NoTenant):
            identified(issuer, asked, app_metadata=SEVERAL)


def test_a_single_membership_needs_no_choice(issuer: ThreadedIssuer) -> None:
    assert identified(issuer, app_metadata={"tenants": {"acme": ["read"]}}).scope.label == "acme"


def test_what_the_user_can_write_is_never_believed(issuer: ThreadedIssuer) -> None:
    with pytest.raises(NoTenant):
        identified(issuer, app_metadata={}, user_metadata={"tenant_id": "globex", "permissions": ["admin"]})


@pytest.mark.parametrize(
    "settings",
    [
        {"tenant_claim": "user_metadata.tenant_id"},
        {"permissions_claim": "user_metadata"},
        {"tenants_claim": "user_metadata.tenants"},
        {"default_tenant": "a b"},
        {"default_tenant": "a:b"},
    ],
)
def test_settings_that_open_the_door_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting):
        Authenticator(Settings(supabase_url="https://project.supabase.co", **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("tenants", [["acme"], "acme", 7, True])
def test_memberships_of_another_shape_do_not_fall_back_to_anything(issuer: ThreadedIssuer, tenants: object) -> None:
    with pytest.raises(NoTenant):
        identified(issuer, settings={"default_tenant": "only"}, app_metadata={"tenants": tenants, **ONE})


@pytest.mark.parametrize("tenant", ["a b", "", "{t}"])
def test_a_membership_that_is_no_tenant_id_is_refused(issuer: ThreadedIssuer, tenant: str) -> None:
    with pytest.raises(NoTenant):
        identified(issuer, tenant, app_metadata={"tenants": {tenant: ["admin"], "acme": ["read"]}})


def test_the_default_tenant_is_for_users_without_one_only(issuer: ThreadedIssuer) -> None:
    default = {"default_tenant": "only", "default_permissions": "admin"}
    assert not identified(issuer, settings=default, app_metadata=ONE).is_admin
    assert identified(issuer, settings=default, app_metadata={"tenant_id": "acme"}).permissions == frozenset()
    with pytest.raises(NoTenant):
        identified(issuer, "acme", settings=default, app_metadata={})


def test_an_identity_says_all_that_its_token_says(issuer: ThreadedIssuer) -> None:
    identity = identified(issuer, sub="u1", session_id="s1", iat=1_700_000_000, exp=4_000_000_000, app_metadata=ONE)
    assert (identity.user, identity.session, identity.source) == ("u1", "s1", "token")
    assert (identity.issued_at, identity.expires_at) == (1_700_000_000, 4_000_000_000)


def test_no_permission_implies_another_but_admin_all(issuer: ThreadedIssuer) -> None:
    writer = identified(issuer, app_metadata={"tenant_id": "acme", "permissions": ["write"]})
    admin = identified(issuer, app_metadata={"tenant_id": "acme", "permissions": ["admin"]})
    assert [writer.allows(permission) for permission in Permission] == [False, True, False, False]
    assert all(admin.allows(permission) for permission in Permission)


def test_claims_made_by_a_hook(issuer: ThreadedIssuer) -> None:
    paths = {"tenant_claim": "tenant_id", "permissions_claim": "permissions", "tenants_claim": "memberships"}
    identity = identified(issuer, settings=paths, app_metadata={}, tenant_id="acme", permissions=["execute"])
    assert identity.permissions == {Permission.EXECUTE}
    several = identified(issuer, "b", settings=paths, app_metadata={}, memberships={"a": [], "b": ["read"]})
    assert several.scope.label == "b"


def test_no_tenant_points_at_the_readme(issuer: ThreadedIssuer) -> None:
    with pytest.raises(NoTenant, match="README"):
        identified(issuer, app_metadata={})


def test_single_tenant_apps_have_a_default(issuer: ThreadedIssuer) -> None:
    default = {"default_tenant": "only", "default_permissions": "read, write"}
    identity = identified(issuer, settings=default, app_metadata={})
    assert identity.scope.label == "only"
    assert identity.permissions == {Permission.READ, Permission.WRITE}


@pytest.mark.parametrize("tenant", ["a b", "a:b", "{t}", "", "x" * 65, 7, ["acme"], "ac\nme"])
def test_a_tenant_that_is_no_tenant_id_is_refused(issuer: ThreadedIssuer, tenant: object) -> None:
    with pytest.raises(NoTenant):
        identified(issuer, app_metadata={"tenant_id": tenant, "permissions": ["admin"]})


@pytest.mark.parametrize("permissions", [None, "admin", {"admin": True}, [["admin"]], [None]])
def test_permissions_of_another_shape_grant_nothing(issuer: ThreadedIssuer, permissions: object) -> None:
    assert identified(issuer, app_metadata={"tenant_id": "acme", "permissions": permissions}).permissions == frozenset()
