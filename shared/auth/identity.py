"""Who is calling, in which tenant, and what they may do: made by the auth layer from a verified credential."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from shared.tenant.scope import TenantScope


class Permission(StrEnum):
    """`admin` implies all the others, for every user of the tenant."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"
    ADMIN = "admin"


@dataclass(frozen=True)
class Identity:
    """`session` is the Supabase session ("" for API keys); times are unix seconds, `expires_at` 0 = never."""

    scope: TenantScope
    user: str
    permissions: frozenset[Permission]
    session: str
    issued_at: int
    expires_at: int
    source: Literal["token", "api_key"]

    @property
    def tenant(self) -> str:
        """The tenant's id, to be shown; what is to be done in the tenant takes the scope."""
        return self.scope.label

    @property
    def is_admin(self) -> bool:
        return Permission.ADMIN in self.permissions

    def allows(self, permission: Permission) -> bool:
        return permission in self.permissions or self.is_admin
