"""Supabase sessions that were revoked while nobody knew whose they are (Revocations.revoke_unseen)."""

import time
from collections.abc import Callable
from typing import Final

from shared.state.client import Redis
from shared.tenant.scope import TenantScope

# Every request and handshake would cost one more command each. What slips through, `SessionEnds.look_again` closes.
KEPT_S: Final = 60.0
_PREFIX: Final = "revoked:"
_TENANTS_KEPT: Final = 10_000


class RevokedSessions:
    """Looks them up once a minute for each tenant."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def has(self, scope: TenantScope, session: str) -> bool:
        """Whether the session's tokens are void, as of at most a minute ago."""
        until, sessions = self._known.get(scope.label, (0.0, frozenset()))
        if self._clock() >= until:
            sessions = self.all(scope)
            if len(self._known) >= _TENANTS_KEPT:
                self._known.clear()
            self._known[scope.label] = (self._clock() + KEPT_S, sessions)
        return session in sessions

    def all(self, scope: TenantScope) -> frozenset[str]:
        """The sessions, as of now."""
        fields = self._redis.call("HKEYS", scope.key("revoked"), idempotent=True)
        return frozenset(name.removeprefix(_PREFIX) for name in fields if name.startswith(_PREFIX))
