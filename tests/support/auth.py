"""Tokens and identities for tests, yours included.

    from tests import build_user_context_for_test, build_user_context_from_token, get_test_supabase_token

Tokens come through the real `supabase` client from the stack that `traffic-cop up` runs, so that it takes them;
without one from an issuer of the process's own with the same demo users. With all of these set they come from a real
project, and the same tests use that:

    TEST_SUPABASE_URL        https://<ref>.supabase.co
    TEST_SUPABASE_ANON_KEY   its publishable (or anon) key
    TEST_SUPABASE_EMAIL      a confirmed user with app_metadata {"tenant_id": "acme", "permissions": ["admin"]}
    TEST_SUPABASE_PASSWORD   the user's password

Claims are read as the environment's settings say (TENANT_CLAIM, SUPABASE_JWT_SECRET, …), as the functions do.
"""

import atexit
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import httpx
import jwt
from supabase import create_client
from supabase.lib.client_options import SyncClientOptions

from local import rundir
from local.demo_users import DEMO_USERS, PASSWORD, add_demo_users
from local.issuer import ThreadedIssuer
from shared.auth.identify import Authenticator
from shared.auth.identity import Identity, Permission
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope

_VARIABLES = ("TEST_SUPABASE_URL", "TEST_SUPABASE_ANON_KEY", "TEST_SUPABASE_EMAIL", "TEST_SUPABASE_PASSWORD")


@dataclass(frozen=True)
class SupabaseProject:
    """Where test tokens come from, and as whom."""

    url: str
    anon_key: str
    email: str
    password: str


def supabase_project() -> SupabaseProject:
    """The real project of TEST_SUPABASE_*, else the running stack's, else one of this process.

    Raises LookupError for a project whose address or key is missing.
    """
    url, anon_key, email, password = (os.environ.get(name, "") for name in _VARIABLES)
    if url and anon_key:
        return SupabaseProject(url, anon_key, email, password)
    if url or anon_key or email or password:
        raise LookupError(f"set all of {', '.join(_VARIABLES)}, or none")
    for stack in rundir.running():
        return _with_demo_users(stack["supabase_url"], stack["supabase_anon_key"])
    issuer = _own_issuer()
    return _with_demo_users(issuer.url, issuer.anon_key)


def _with_demo_users(url: str, anon_key: str) -> SupabaseProject:
    return SupabaseProject(url, anon_key, DEMO_USERS[0].email, PASSWORD)


def get_test_supabase_token(email: str | None = None, password: str | None = None) -> str:
    """A fresh access token, signed in through the real `supabase` client; by default the project's test user's.

    Locally there are the demo users (`alice@acme.test`, `amir@acme.test`, `bob@globex.test`).
    """
    project = supabase_project()
    email, password = email or project.email, password or project.password
    if not (email and password):
        raise LookupError(f"name a user, or set {_VARIABLES[2]} and {_VARIABLES[3]}")
    with httpx.Client() as http:
        options = SyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        client = create_client(project.url, project.anon_key, options)
        signed_in = client.auth.sign_in_with_password({"email": email, "password": password})
    assert signed_in.session is not None
    return signed_in.session.access_token


def build_user_context_from_token(token: str, tenant: str | None = None) -> Identity:
    """The identity that the deployed code makes of a token; raises the errors that it raises.

    `tenant` chooses one for a user of several, as the header X-Tenant-Id does.
    """
    settings = replace(Settings.from_env(os.environ), supabase_url=_project_of(token))
    return Authenticator(settings).from_token(token, tenant)


def build_user_context_for_test(
    tenant: str = "acme",
    user: str = "test-user",
    permissions: Iterable[str] = ("read", "write"),
    ttl_seconds: int = 3600,
) -> Identity:
    """An identity without any token, for tests of what comes after authentication."""
    now = int(time.time())
    return Identity(
        scope=TenantScope(tenant, SCOPE_SEAL),
        user=user,
        permissions=frozenset(Permission(name) for name in permissions),
        session=f"session-of-{user}",
        issued_at=now,
        expires_at=now + ttl_seconds,
        source="token",
    )


def _project_of(token: str) -> str:
    """The address of the project that issued it, among those that we know; of others' tokens ours is the judge."""
    ours = supabase_project().url
    if os.environ.get(_VARIABLES[0]):
        return ours
    try:
        claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        return ours
    known = [stack["supabase_url"] for stack in rundir.running()] + [_own_issuer().url]
    return next((url for url in known if claimed == f"{url}/auth/v1"), ours)


@cache
def _own_issuer() -> ThreadedIssuer:
    """Lives as long as the process."""
    issuer = ThreadedIssuer().__enter__()
    atexit.register(issuer.__exit__, None, None, None)
    add_demo_users(issuer.server)
    return issuer
