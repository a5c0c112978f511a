"""What time does to sessions: it ends them, and a day later it removes what is left."""

import math
from collections.abc import Sequence

from shared.sessions import changes
from shared.sessions.audience import Audience
from shared.sessions.model import Session, Status
from shared.sessions.places import kept_key, live_key, review_key, session_under
from shared.sessions.store import IndexChange, SessionStore
from shared.state.keys import Key
from shared.tenant.scope import TenantScope


class SessionExpiry:
    """Called by sweep for the tenants that have something due."""

    def __init__(self, store: SessionStore, audience: Audience) -> None:
        self._store = store
        self._audience = audience

    def expire_due(self, scope: TenantScope, now_ms: int, limit: int, until: float = math.inf) -> int:
        """Ends the sessions whose time is over (each tells it once) and forgets old ones; returns how many.

        At most `limit` of each kind; call again while it returns that many. Until `until` (time.monotonic) it also lets
        go of those who may not hear of sessions any more.
        """
        done = self.expire(scope, now_ms, limit) + self._forget(scope, now_ms, limit)
        self._review(scope, now_ms, limit, until)
        return done

    def next_due(self, scope: TenantScope) -> int | None:
        """The earliest time (unix ms) at which there is something to do."""
        return self._store.next_due(scope)

    def expire(self, scope: TenantScope, now_ms: int, limit: int) -> int:
        """Ends sessions whose time is over, those first that it was over for first; returns how many."""
        expired, heard = 0, []
        for session in self._due(scope, live_key(scope), now_ms, limit):
            if session.status is not Status.ACTIVE:
                self._store.reindex([IndexChange(live_key(scope), "remove", session.id)])
            elif session.expires_ms > now_ms:
                self._store.reindex(_put_off(scope, session))
            else:
                change = changes.expire(scope, session, now_ms)
                changed = self._store.change(scope, session, change)
                expired += changed.done
                if changed.heard:
                    heard.append(change.after)
        self._store.review(scope, heard, now_ms)
        return expired

    def _forget(self, scope: TenantScope, now_ms: int, limit: int) -> int:
        forgotten = 0
        for session in self._due(scope, kept_key(scope), now_ms, limit):
            forgotten += self._store.change(scope, session, changes.forget(scope, session)).done
        return forgotten

    def _review(self, scope: TenantScope, now_ms: int, limit: int, until: float) -> None:
        due = self._store.due(review_key(scope), now_ms, limit)
        reviews = {session_under(name): name for name in due}
        seen = {session_id for session_id in reviews if self._audience.review(scope, session_id, until)}
        settled = [name for name in due if session_under(name) in seen]
        self._store.reindex([IndexChange(review_key(scope), "remove", name) for name in settled])

    def _due(self, scope: TenantScope, index: Key, now_ms: int, limit: int) -> Sequence[Session]:
        """The sessions that an index says are due; entries without a record go."""
        ids = self._store.due(index, now_ms, limit)
        found = dict(zip(ids, self._store.read_many(scope, ids), strict=True))
        orphans = [IndexChange(index, "remove", name) for name, session in found.items() if session is None]
        self._store.reindex(orphans)
        return [session for session in found.values() if session is not None]


def _put_off(scope: TenantScope, session: Session) -> list[IndexChange]:
    """Touching and patching move the end without moving the indexes: that happens here, when it matters."""
    keys = (live_key(scope), live_key(scope, session.owner))
    return [IndexChange(key, "add", session.id, session.expires_ms) for key in keys]
