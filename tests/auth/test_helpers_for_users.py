"""The helpers that users' own tests import: the same tokens and identities as the deployed code's."""

import jwt
import pytest

import tests
from local import rundir
from local.demo_users import add_demo_users
from local.issuer import ThreadedIssuer
from shared.auth.identity import Permission
from shared.errors import InvalidToken, NoTenant
from tests import build_user_context_for_test, build_user_context_from_token, get_test_supabase_token
from tests.support import auth


@pytest.fixture
def no_real_project(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in auth._VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The stacks that run, whatever else does on this machine."""
    stacks: list[dict[str, str]] = []
    monkeypatch.setattr(rundir, "running", lambda: stacks)
    return stacks


pytestmark = pytest.mark.usefixtures("running")


def test_a_token_comes_from_signing_in_and_passes_every_check() -> None:
    identity = build_user_context_from_token(get_test_supabase_token())
    assert identity.permissions
    assert identity.session
    assert identity.expires_at > identity.issued_at


@pytest.mark.usefixtures("no_real_project")
@pytest.mark.parametrize(
    ("email", "tenant", "permissions"),
    [
        ("alice@acme.test", "acme", {Permission.ADMIN}),
        ("amir@acme.test", "acme", {Permission.READ, Permission.WRITE}),
        ("bob@globex.test", "globex", {Permission.ADMIN}),
    ],
)
def test_the_local_issuer_knows_the_demo_users(email: str, tenant: str, permissions: set[Permission]) -> None:
    identity = build_user_context_from_token(get_test_supabase_token(email))
    assert identity.tenant == tenant
    assert identity.permissions == permissions


@pytest.mark.usefixtures("no_real_project")
def test_the_context_of_a_bad_token_is_refused_as_in_production() -> None:
    with pytest.raises(InvalidToken):
        build_user_context_from_token(get_test_supabase_token() + "x")
    with pytest.raises(NoTenant):
        build_user_context_from_token(get_test_supabase_token("bob@globex.test"), tenant="acme")


@pytest.mark.usefixtures("no_real_project")
def test_tokens_are_those_that_the_running_stack_takes(running: list[dict[str, str]]) -> None:
    before = get_test_supabase_token()
    with ThreadedIssuer() as older, ThreadedIssuer() as newer:
        for issuer in (older, newer):
            add_demo_users(issuer.server)
            running.insert(0, {"supabase_url": issuer.url, "supabase_anon_key": issuer.anon_key})
        token = get_test_supabase_token("bob@globex.test")
        assert jwt.decode(token, options={"verify_signature": False})["iss"] == f"{newer.url}/auth/v1"
        del running[0]
        running.append({"supabase_url": newer.url, "supabase_anon_key": newer.anon_key})
        assert build_user_context_from_token(token).tenant == "globex"
        assert build_user_context_from_token(before).tenant == "acme"


def test_another_project_is_used_when_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadedIssuer() as project:
        project.add_user("real@project.test", "secret-password", {"tenant_id": "real", "permissions": ["execute"]})
        named = (project.url, project.anon_key, "real@project.test", "secret-password")
        for name, value in zip(auth._VARIABLES, named, strict=True):
            monkeypatch.setenv(name, value)
        identity = build_user_context_from_token(get_test_supabase_token())
    assert identity.tenant == "real"
    assert identity.permissions == {Permission.EXECUTE}


@pytest.mark.usefixtures("no_real_project")
def test_a_projects_user_may_be_named_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadedIssuer() as project:
        project.add_user("real@project.test", "secret-password", {"tenant_id": "real", "permissions": ["read"]})
        monkeypatch.setenv("TEST_SUPABASE_URL", project.url)
        monkeypatch.setenv("TEST_SUPABASE_ANON_KEY", project.anon_key)
        token = get_test_supabase_token("real@project.test", "secret-password")
        assert build_user_context_from_token(token).tenant == "real"
        with pytest.raises(LookupError, match="TEST_SUPABASE_EMAIL"):
            get_test_supabase_token()


@pytest.mark.usefixtures("no_real_project")
def test_half_a_project_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SUPABASE_URL", "https://project.supabase.co")
    with pytest.raises(LookupError, match="TEST_SUPABASE_ANON_KEY"):
        get_test_supabase_token()


def test_a_context_can_be_made_without_any_token() -> None:
    context = build_user_context_for_test("globex", "u1", ["read", "execute"], ttl_seconds=60)
    assert (context.tenant, context.user, context.source) == ("globex", "u1", "token")
    assert context.allows(Permission.EXECUTE)
    assert not context.allows(Permission.WRITE)
    assert context.expires_at == context.issued_at + 60
    with pytest.raises(ValueError, match="fly"):
        build_user_context_for_test(permissions=["fly"])


def test_the_package_offers_these_three_and_no_more() -> None:
    with pytest.raises(AttributeError):
        tests.unheard_of  # noqa: B018
