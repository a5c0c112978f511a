"""Tokens and identities for tests, yours included.

By default tokens come from the local issuer through the real `supabase` client. With TEST_SUPABASE_URL,
TEST_SUPABASE_ANON_KEY, TEST_SUPABASE_EMAIL and TEST_SUPABASE_PASSWORD set they come from that project instead; its user
needs `app_metadata` `{"tenant_id": …, "permissions": […]}`.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from supabase import create_client

from local.issuer import ThreadedIssuer
from shared.auth.identify import Authenticator
from shared.auth.identity import Identity, Permission
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope

_EMAIL, _PASSWORD = "alice@acme.test", "password"
_APP_METADATA = {"tenant_id": "acme", "permissions": ["admin"]}


@dataclass(frozen=True)
class SupabaseProject:
    """Where test tokens come from, and as whom."""

    url: str
    anon_key: str
    email: str
    password: str


@cache
def _local_issuer() -> ThreadedIssuer:
    """Lives as long as the process."""
    issuer = ThreadedIssuer().__enter__()
    issuer.add_user(_EMAIL, _PASSWORD, dict(_APP_METADATA))
    return issuer


def supabase_project() -> SupabaseProject:
    """The real project of the environment's TEST_SUPABASE_*, else the local issuer."""
    if url := os.environ.get("TEST_SUPABASE_URL"):
        named = (os.environ[f"TEST_SUPABASE_{name}"] for name in ("ANON_KEY", "EMAIL", "PASSWORD"))
        return SupabaseProject(url, *named)
    issuer = _local_issuer()
    return SupabaseProject(issuer.url, issuer.anon_key, _EMAIL, _PASSWORD)


def get_test_supabase_token(email: str | None = None, password: str | None = None) -> str:
    """A fresh access token, signed in through the real `supabase` client."""
    project = supabase_project()
    client = create_client(project.url, project.anon_key)
    credentials = {"email": email or project.email, "password": password or project.password}
    session = client.auth.sign_in_with_password(credentials).session  # type: ignore[arg-type]
    assert session is not None
    return session.access_token


def build_user_context_from_token(token: str, tenant: str | None = None) -> Identity:
    """The identity that the deployed code makes of a token; raises the errors that it raises."""
    return Authenticator(Settings(supabase_url=supabase_project().url)).from_token(token, tenant)


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
