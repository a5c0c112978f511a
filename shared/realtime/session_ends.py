"""Makes the tokens of one Supabase session void and closes what is connected with them, whoever's they are."""

import time
from collections.abc import Callable
from typing import Final

from shared.auth.due import DueIndex
from shared.auth.revocations import Revocations
from shared.auth.revoked_sessions import KEPT_S, RevokedSessions
from shared.realtime.channels import Channels
from shared.realtime.protocol import INVALID_TOKEN
from shared.realtime.roster import Roster
from shared.state.client import Redis
from shared.tenant.scope import TenantScope

DUE_KIND: Final = "revoked"
# By then every environment knows, and a handshake that was under way is through.
_LOOK_AGAIN_MS: Final = int(KEPT_S * 1000) + 5_000


class SessionEnds:
    """At once where the user is named or connected; else within a minute or two."""

    def __init__(
        self, redis: Redis, due: DueIndex, channels: Channels, roster: Roster, now: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._due = due
        self._channels = channels
        self._roster = roster
        self._now = now

    def end(self, scope: TenantScope, session: str, user: str = "", until: int = 0) -> None:
        """The record of it may go at `until` (unix s), by default when no such token can be good any more."""
        revocations = Revocations(self._redis, scope, self._now)
        if user:
            revocations.revoke_session(user, session, until)
            self._close(scope, user, session)
            return
        # First for everybody: who comes meanwhile is refused or looked for again, who came before is found.
        for noting in self._due.note(scope, DUE_KIND, int(self._now() * 1000) + _LOOK_AGAIN_MS):
            self._redis.call(*noting, idempotent=True)
        revocations.revoke_unseen(session, until)
        for owner, _ in self._roster.with_sessions(scope, frozenset({session})):
            revocations.revoke_session(owner, session, until)
            self._close(scope, owner, session)

    def look_again(self, scope: TenantScope) -> None:
        """Closes connections that environments let in which did not know yet."""
        unseen = RevokedSessions(self._redis).all(scope)
        for owner, session in self._roster.with_sessions(scope, unseen) if unseen else ():
            self._close(scope, owner, session)

    def _close(self, scope: TenantScope, user: str, session: str) -> None:
        self._channels.disconnect_user(scope, user, INVALID_TOKEN, session=session)
