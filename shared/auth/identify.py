"""From a verified token to an Identity: the tenant and the permissions come from claims that users cannot write."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from shared.auth.identity import Identity, Permission
from shared.auth.tokens import Claims, TokenVerifier
from shared.errors import InvalidToken, NoTenant
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope, is_tenant_id

_HOOK_HINT: Final = "README, 'Tenants and permissions in the token', shows the access token hook that adds it"
_USER_WRITABLE: Final = "user_metadata"


class Authenticator:
    """Makes identities; nothing else in the project does."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._verifier = TokenVerifier(settings, now)

    def from_token(self, token: str, tenant: str | None = None) -> Identity:
        """Who the token names, in the tenant asked for or its only one.

        Raises Unauthorized, InvalidToken, TokenExpired, NoTenant or Unavailable.
        """
        claims = self._verifier.verify(token)
        chosen, granted = self._membership(claims, tenant)
        return Identity(
            scope=TenantScope(chosen, SCOPE_SEAL),
            user=claims["sub"],
            permissions=permissions_from(granted),
            session=claims["session_id"],
            issued_at=int(claims["iat"]),
            expires_at=int(claims["exp"]),
            source="token",
        )

    def _membership(self, claims: Claims, asked: str | None) -> tuple[str, Iterable[Any]]:
        several = claim(claims, self._settings.tenants_claim)
        if isinstance(several, Mapping) and several:
            return _chosen(several, asked)
        only = claim(claims, self._settings.tenant_claim)
        granted = claim(claims, self._settings.permissions_claim)
        if only is None and self._settings.default_tenant:
            only, granted = self._settings.default_tenant, self._settings.default_permissions.split(",")
        if only is None:
            raise NoTenant(f"the token names no tenant: {_HOOK_HINT}")
        if not is_tenant_id(only):
            raise InvalidToken("the token's tenant is not a tenant id")
        if asked is not None and asked != only:
            raise NoTenant("the token's user is not a member of that tenant")
        return only, granted if isinstance(granted, list) else ()


def claim(claims: Claims, path: str) -> Any:
    """The claim at a dotted path, None without one; what users can write is never looked at."""
    found: Any = claims
    for name in path.split("."):
        if name == _USER_WRITABLE or not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def permissions_from(granted: Iterable[Any]) -> frozenset[Permission]:
    """The permissions among the names; others are ignored."""
    known = {permission.value: permission for permission in Permission}
    names = (name.strip() for name in granted if isinstance(name, str))
    return frozenset(known[name] for name in names if name in known)


def _chosen(several: Mapping[Any, Any], asked: str | None) -> tuple[str, Iterable[Any]]:
    if asked is None and len(several) > 1:
        raise NoTenant("the user has several tenants: choose one with X-Tenant-Id or the query parameter tenant")
    chosen = asked if asked is not None else next(iter(several))
    if chosen not in several or not is_tenant_id(chosen):
        raise NoTenant("the token's user is not a member of that tenant")
    granted = several[chosen]
    return chosen, granted if isinstance(granted, list) else ()
