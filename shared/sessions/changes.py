"""What can happen to a session: its next state, the event that tells it, and what moves in the tenant's indexes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from shared.errors import Conflict, Invalid, TooLarge
from shared.sessions.merge import merged
from shared.sessions.model import Access, Session, Status, compact
from shared.sessions.places import kept_key, list_key, live_key, place, shared_key
from shared.sessions.store import Change, IndexChange
from shared.tenant.scope import TenantScope

MAX_EVENT_BYTES: Final = 28_672
# By then a `subscribe` that was let in before the change has joined, or its function's time is over.
REVIEW_AFTER_MS: Final = 30_000
_NOBODY: Final = Access()


def create(scope: TenantScope, session: Session, request: str) -> Change:
    added = [
        IndexChange(list_key(scope), "add", place(session)),
        IndexChange(list_key(scope, session.owner), "add", place(session)),
        *_live(scope, session, "add"),
        *_sharing(scope, session, _NOBODY, session.access),
    ]
    return Change(session.kept(), _event(session, "created", patch=json.loads(session.data)), added, request=request)


def patch(before: Session, given: Mapping[str, Any], now_ms: int, max_bytes: int) -> Change:
    """RFC 7396 on the session's data. Raises TooLarge, and Conflict if the session is over."""
    require_active(before)
    after = replace(
        before,
        data=encoded_data(merged(json.loads(before.data), given), max_bytes),
        version=before.version + 1,
        updated_ms=now_ms,
        touched_ms=now_ms,
    ).kept()
    return Change(after, _event(after, "updated", patch=given))


def share(scope: TenantScope, before: Session, access: Access, now_ms: int) -> Change:
    """Gives the session other readers and writers."""
    require_active(before)
    after = replace(before, access=access, version=before.version + 1, updated_ms=now_ms).kept()
    moved = list(_sharing(scope, before, before.access, access))
    review_ms = now_ms + REVIEW_AFTER_MS if _loses_readers(before.access, access) else None
    return Change(after, _event(after, "updated", patch={}, access=access.as_dict()), moved, review_ms=review_ms)


def end(scope: TenantScope, before: Session, now_ms: int) -> Change:
    """Readable from now on, no more."""
    require_active(before)
    return replace(_over(scope, before, Status.ENDED, now_ms), review_ms=now_ms + REVIEW_AFTER_MS)


def expire(scope: TenantScope, before: Session, now_ms: int) -> Change:
    """Those who hear of it, if any, must then be let go."""
    return _over(scope, before, Status.EXPIRED, now_ms)


def delete(scope: TenantScope, before: Session, now_ms: int) -> Change:
    """Nothing is left, and whoever listens is told."""
    after = replace(before, version=before.version + 1)
    review_ms = now_ms + REVIEW_AFTER_MS
    return Change(after, _event(after, "deleted"), _removed(scope, before), delete=True, review_ms=review_ms)


def forget(scope: TenantScope, before: Session) -> Change:
    """The tombstone goes, silently."""
    return Change(before, "", _removed(scope, before), delete=True)


def require_active(session: Session) -> None:
    if session.status is not Status.ACTIVE:
        raise Conflict(
            f"the session is {session.status}: it can be read, and nothing more", session_status=session.status
        )


def encoded_data(data: Mapping[str, Any], max_bytes: int) -> str:
    """The data as JSON text; raises TooLarge above `max_bytes`."""
    try:
        text = compact(data)
    except RecursionError as error:
        raise Invalid("the data is nested too deeply") from error
    size = len(text.encode())
    if size > max_bytes:
        raise TooLarge(f"a session's data has at most {max_bytes} bytes, this is {size}", limit=max_bytes)
    return text


def _over(scope: TenantScope, before: Session, status: Status, now_ms: int) -> Change:
    after = replace(before, status=status, version=before.version + 1, updated_ms=now_ms).kept()
    moved = [
        *_live(scope, before, "remove"),
        IndexChange(kept_key(scope), "add", before.id, after.forgotten_ms),
    ]
    return Change(after, _event(after, str(status)), moved)


def _loses_readers(before: Access, after: Access) -> bool:
    return after.tenant is None and (before.tenant is not None or not before.users.keys() <= after.users.keys())


def _removed(scope: TenantScope, session: Session) -> list[IndexChange]:
    return [
        IndexChange(list_key(scope), "remove", place(session)),
        IndexChange(list_key(scope, session.owner), "remove", place(session)),
        IndexChange(kept_key(scope), "remove", session.id),
        *_live(scope, session, "remove"),
        *_sharing(scope, session, session.access, _NOBODY),
    ]


def _live(scope: TenantScope, session: Session, what: str) -> Iterator[IndexChange]:
    for key in (live_key(scope), live_key(scope, session.owner)):
        yield IndexChange(key, what, session.id, session.expires_ms)


def _sharing(scope: TenantScope, session: Session, before: Access, after: Access) -> Iterator[IndexChange]:
    if bool(before.tenant) != bool(after.tenant):
        yield IndexChange(shared_key(scope), "add" if after.tenant else "remove", place(session))
    for user in sorted(before.users.keys() ^ after.users.keys()):
        yield IndexChange(shared_key(scope, user), "add" if user in after.users else "remove", place(session))


def _event(session: Session, what: str, **members: Any) -> str:
    """The event's data as JSON text; a patch that would make it too large for a frame stays out."""
    head = {"type": f"session.{what}", "session_id": session.id, "version": session.version}
    text = compact({**head, **members})
    if len(text.encode()) > MAX_EVENT_BYTES:
        return compact({**head, "truncated": True})
    return text
