"""Somebody to sign in as: two users of one tenant, one of another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.issuer import SupabaseIssuer

PASSWORD = "password"  # noqa: S105 (of users on a loopback server)


@dataclass(frozen=True)
class DemoUser:
    email: str
    tenant: str
    permissions: tuple[str, ...]


DEMO_USERS = (
    DemoUser("alice@acme.test", "acme", ("admin",)),
    DemoUser("amir@acme.test", "acme", ("read", "write")),
    DemoUser("bob@globex.test", "globex", ("admin",)),
)


def add_demo_users(issuer: "SupabaseIssuer") -> None:
    """Those of an earlier run stay as they are, with their sessions."""
    for user in DEMO_USERS:
        if issuer.project.accounts.with_email(user.email) is None:
            metadata = {"tenant_id": user.tenant, "permissions": [*user.permissions]}
            issuer.add_user(user.email, PASSWORD, metadata)
