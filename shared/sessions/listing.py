"""Lists of sessions, newest first, in pages that stay right while sessions come and go."""

from dataclasses import dataclass
from typing import Final

from shared.auth.identity import Identity
from shared.sessions.access import may
from shared.sessions.model import Session
from shared.sessions.places import list_key, session_at, shared_key
from shared.sessions.store import SessionStore
from shared.state.keys import Key

# A filtered page reads this many records at most before it answers with what it has.
_SCANNED: Final = 500
# Lambda answers with 6 MB at most.
_PAGE_BYTES: Final = 3_000_000
_BATCH: Final = 50


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A list's filter; None lets everything pass."""

    owner: str | None = None
    status: str | None = None


class SessionLists:
    """What a caller may read: an admin everything, others their own sessions and those shared with them."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def page(self, identity: Identity, wanted: Wanted, after: str, limit: int) -> tuple[list[Session], str | None]:
        """Up to `limit` sessions behind the position `after`, and the position to go on from (None: the end).

        A page may be short, even empty, and still have a next one.
        """
        found: list[Session] = []
        scanned = size = 0
        while scanned < _SCANNED and size < _PAGE_BYTES:
            batch = min(_BATCH, limit + 1)
            places = self._store.members(identity, _indexes(identity, wanted), after, batch)
            sessions = self._store.read_many(identity.scope, [session_at(place) for place in places])
            for place, session in zip(places, sessions, strict=True):
                if len(found) == limit or size >= _PAGE_BYTES:
                    return found, after
                after = place
                if session is not None and (shown := self._shown(identity, wanted, session)):
                    found.append(shown)
                    size += len(shown.data)
            if len(places) < batch:
                return found, None
            scanned += len(places)
        return found, after

    def _shown(self, identity: Identity, wanted: Wanted, session: Session) -> Session | None:
        seen = session.seen_at(self._store.now_ms())
        fits = wanted.owner in (None, seen.owner) and wanted.status in (None, seen.status)
        return seen if fits and may(identity, seen, "read") else None


def _indexes(identity: Identity, wanted: Wanted) -> list[Key]:
    scope = identity.scope
    if identity.is_admin or wanted.owner == identity.user:
        return [list_key(scope, wanted.owner)]
    shared = [shared_key(scope), shared_key(scope, identity.user)]
    return shared if wanted.owner is not None else [*shared, list_key(scope, identity.user)]
