"""Scopes for work that we gave ourselves: a queue message that we wrote names its tenant."""

from shared.tenant.scope import SCOPE_SEAL, TenantScope


def scope_of(label: str) -> TenantScope:
    """The scope of a `TenantScope.label`. Only for records that no caller can write."""
    return TenantScope(label, SCOPE_SEAL)
