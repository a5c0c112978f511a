"""What callers do with sessions: create, read, list, patch, share, touch, end, delete."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.auth.identity import Identity
from shared.errors import Conflict, LimitReached, NotFound, PermissionDenied, PreconditionFailed
from shared.observe.log import failed
from shared.sessions import changes
from shared.sessions.access import SessionAccess
from shared.sessions.audience import Audience
from shared.sessions.expiry import SessionExpiry
from shared.sessions.model import Access, Session, Status
from shared.sessions.store import Change, SessionStore
from shared.settings import Settings

IfMatches = Callable[[str], bool]
"""Whether the caller's precondition holds for an ETag."""

# A hundred writers at once get through in this time; API Gateway waits for 30 s.
_PATIENCE_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.25
# As many sessions whose time is over are ended where a new one finds no room.
_ROOM: Final = 10


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """What a session begins with; times in seconds. Only an admin may name another owner."""

    data: Mapping[str, Any]
    ttl_s: int
    lifetime_s: int
    access: Access
    owner: str | None = None


class Sessions:
    """The tenant's sessions as one caller may use them."""

    def __init__(
        self,
        store: SessionStore,
        access: SessionAccess,
        audience: Audience,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._access = access
        self._audience = audience
        self._expiry = SessionExpiry(store, audience)
        self._settings = settings
        self._sleep = sleep
        self._clock = clock

    def create(self, identity: Identity, new: NewSession, session_id: str) -> Session:
        """A new session under an id of ours (128 random bits in hex); the same id again finds what it made."""
        owner = new.owner or identity.user
        if owner != identity.user and not identity.is_admin:
            raise PermissionDenied("only an admin may name another owner")
        session = self._begun(new, owner, session_id)
        change = changes.create(identity.scope, session, session_id)
        if self._written(identity, change):
            return change.after
        return self._access.readable(identity, session_id)

    def get(self, identity: Identity, session_id: str) -> Session:
        return self._access.readable(identity, session_id)

    def patch(
        self, identity: Identity, session_id: str, given: Mapping[str, Any], if_match: IfMatches | None
    ) -> Session:
        """Merges `given` into the data. Without a precondition it is merged into whatever is there by then."""
        session = self._access.writable(identity, session_id)
        max_bytes, now_ms = self._settings.max_session_bytes, self._store.now_ms()
        return self._change(identity, session, lambda held: changes.patch(held, given, now_ms, max_bytes), if_match)

    def share(
        self, identity: Identity, session_id: str, access: Callable[[Access], Access], if_match: IfMatches | None
    ) -> Session:
        """Changes who else may read and write it: `access` makes the next of the present."""
        session = self._access.owned(identity, session_id)
        scope, now_ms = identity.scope, self._store.now_ms()
        return self._change(
            identity, session, lambda held: changes.share(scope, held, access(held.access), now_ms), if_match
        )

    def touch(self, identity: Identity, session_id: str) -> Session:
        """Puts off its end; nothing is written before a tenth of the idle time is over."""
        session = self._access.writable(identity, session_id)
        changes.require_active(session)
        now_ms = self._store.now_ms()
        if now_ms - session.touched_ms < session.idle_ms / 10:
            return session
        touched = replace(session, touched_ms=now_ms).kept()
        if not self._store.touch(identity.scope, session, touched):
            changes.require_active(self._access.readable(identity, session_id))
        return touched

    def end(self, identity: Identity, session_id: str, if_match: IfMatches | None) -> Session:
        """Closes it for writing; ending what has ended changes nothing."""
        session = self._access.owned(identity, session_id)
        if session.status is Status.ENDED:
            _require(if_match, session)
            return session
        scope, now_ms = identity.scope, self._store.now_ms()
        return self._change(identity, session, lambda held: changes.end(scope, held, now_ms), if_match)

    def delete(self, identity: Identity, session_id: str, if_match: IfMatches | None) -> None:
        session = self._access.owned(identity, session_id)
        scope, now_ms = identity.scope, self._store.now_ms()
        self._change(identity, session, lambda held: changes.delete(scope, held, now_ms), if_match)

    def _written(self, identity: Identity, change: Change) -> bool:
        """Whether it was new. Those whose time is over take nobody's room, though sweep has not seen them yet."""
        caps = (self._settings.max_sessions_per_tenant, self._settings.max_sessions_per_user)
        try:
            return self._store.create(identity, change, *caps)
        except LimitReached as full:
            if full.retry_after:
                raise
        self._expiry.expire(identity.scope, self._store.now_ms(), _ROOM)
        return self._store.create(identity, change, *caps)

    def _begun(self, new: NewSession, owner: str, session_id: str) -> Session:
        now_ms = self._store.now_ms()
        return Session(
            id=session_id,
            owner=owner,
            data=changes.encoded_data(new.data, self._settings.max_session_bytes),
            version=1,
            status=Status.ACTIVE,
            access=new.access,
            created_ms=now_ms,
            updated_ms=now_ms,
            touched_ms=now_ms,
            idle_ms=new.ttl_s * 1000,
            last_ms=now_ms + new.lifetime_s * 1000,
        )

    def _change(
        self,
        identity: Identity,
        session: Session,
        step: Callable[[Session], Change],
        if_match: IfMatches | None,
    ) -> Session:
        """Compares and sets until nobody was faster, for a bounded time."""
        until, longest_s = self._clock() + _PATIENCE_S, _FIRST_PAUSE_S
        while True:
            _require(if_match, session)
            change = step(session)
            done, current, _ = self._store.change(identity.scope, session, change)
            if current is None and change.delete:
                self._review(identity, change)
                return session
            if current is None:
                raise NotFound
            if done:
                self._review(identity, change)
                return current
            if self._clock() >= until:
                raise Conflict("others keep changing the session", retry_after=1)
            session = current.seen_at(self._store.now_ms())
            self._sleep(random.uniform(0, longest_s))  # noqa: S311 (spreads the writers, keeps no secret)
            longest_s = min(_LONGEST_PAUSE_S, longest_s * 2)

    def _review(self, identity: Identity, change: Change) -> None:
        """What this leaves undone, sweep does: the change says when."""
        if change.review_ms is None:
            return
        try:
            self._audience.review(identity.scope, change.after.id)
        except Exception as error:
            failed("sessions.review", error)


def _require(if_match: IfMatches | None, session: Session) -> None:
    if if_match is not None and not if_match(session.etag):
        raise PreconditionFailed(f"the session is at version {session.version}", version=session.version)
