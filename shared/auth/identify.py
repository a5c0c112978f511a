"""From a verified token to an Identity: the tenant and the permissions come from claims that users cannot write."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from shared.auth.identity import Identity, Permission
from shared.auth.revoked_sessions import RevokedSessions
from shared.auth.tokens import Claims, TokenVerifier
from shared.errors import InvalidToken, NoTenant
from shared.settings import InvalidSetting, Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope, is_tenant_id

_HOOK_HINT: Final = "README, 'Tenants and permissions in the token', shows the access token hook that adds it"
_USER_WRITABLE: Final = "user_metadata"


class Authenticator:
    """Makes identities; nothing else in the project does.

    What revokes a known user's tokens is looked at by scripts, with what else they read of him.
    """

    def __init__(
        self, settings: Settings, now: Callable[[], float] = time.time, revoked: RevokedSessions | None = None
    ) -> None:
        _check(settings)
        self._settings = settings
        self._revoked = revoked
        self._verifier = TokenVerifier(settings, now)

    def from_token(self, token: str, tenant: str | None = None) -> Identity:
        """Who the token names, in the tenant asked for or its only one.

        Raises Unauthorized, InvalidToken, TokenExpired, NoTenant or Unavailable.
        """
        claims = self._verifier.verify(token)
        chosen, granted = self._membership(claims, tenant)
        scope = TenantScope(chosen, SCOPE_SEAL)
        if self._revoked is not None and self._revoked.has(scope, claims["session_id"]):
            raise InvalidToken("the token was revoked")
        return Identity(
            scope=scope,
            user=claims["sub"],
            permissions=permissions_from(granted),
            session=claims["session_id"],
            issued_at=int(claims["iat"]),
            expires_at=int(claims["exp"]),
            source="token",
        )

    def _membership(self, claims: Claims, asked: str | None) -> tuple[str, Iterable[Any]]:
        several = claim(claims, self._settings.tenants_claim)
        if several:
            return _chosen(several, asked)
        only = claim(claims, self._settings.tenant_claim)
        granted = claim(claims, self._settings.permissions_claim)
        if only is None and self._settings.default_tenant:
            only, granted = self._settings.default_tenant, self._settings.default_permissions.split(",")
        if only is None:
            raise NoTenant(f"the token names no tenant: {_HOOK_HINT}")
        if not is_tenant_id(only):
            raise NoTenant(f"the token's tenant is not a tenant id: {_HOOK_HINT}")
        if asked is not None and asked != only:
            raise NoTenant("the token's user is not a member of that tenant")
        return only, granted if isinstance(granted, list) else ()


def _check(settings: Settings) -> None:
    """What users can write must not be pointed at, and a default tenant must be one."""
    for path in (settings.tenant_claim, settings.permissions_claim, settings.tenants_claim):
        if _USER_WRITABLE in path.split("."):
            raise InvalidSetting(f"{path!r}: users can write their {_USER_WRITABLE}")
    if settings.default_tenant and not is_tenant_id(settings.default_tenant):
        raise InvalidSetting("DEFAULT_TENANT must be 1 to 64 of A-Z a-z 0-9 _ -")


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


def _chosen(several: Any, asked: str | None) -> tuple[str, Iterable[Any]]:
    if not isinstance(several, Mapping):
        raise NoTenant(f"the token's tenants must be an object of tenant and permissions: {_HOOK_HINT}")
    if asked is None and len(several) > 1:
        raise NoTenant("the user has several tenants: choose one with X-Tenant-Id or the query parameter tenant")
    chosen = asked if asked is not None else next(iter(several))
    if chosen not in several or not is_tenant_id(chosen):
        raise NoTenant("the token's user is not a member of that tenant")
    granted = several[chosen]
    return chosen, granted if isinstance(granted, list) else ()
