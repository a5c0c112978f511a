"""Who may see and who may change a session. What a caller may not see does not exist for him."""

from shared.auth.identity import Identity, Permission
from shared.errors import NotFound, PermissionDenied
from shared.sessions.model import Session
from shared.sessions.store import SessionStore


class SessionAccess:
    """A session is its owner's and the tenant's admins'; the owner may share it (`Access`)."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def readable(self, identity: Identity, session_id: str) -> Session:
        """The session as it is now, or NotFound."""
        session = self._store.read(identity, session_id)
        if session is None or not may(identity, session, "read"):
            raise NotFound
        return session.seen_at(self._store.now_ms())

    def writable(self, identity: Identity, session_id: str) -> Session:
        """The session of a caller who may change its data; PermissionDenied if he may only read it."""
        session = self.readable(identity, session_id)
        if not may(identity, session, "write"):
            raise PermissionDenied("the session is shared with you for reading only")
        return session

    def owned(self, identity: Identity, session_id: str) -> Session:
        """The session of a caller who may end, share and delete it."""
        session = self.readable(identity, session_id)
        if not owns(identity, session):
            raise PermissionDenied("only its owner may do that to the session")
        return session

    def may_read(self, identity: Identity, session_id: str) -> bool:
        """Whether the caller may subscribe to `session:<id>`; InvalidToken for a revoked token."""
        session = self._store.read(identity, session_id)
        return session is not None and identity.allows(Permission.READ) and may(identity, session, "read")


def owns(identity: Identity, session: Session) -> bool:
    return identity.is_admin or session.owner == identity.user


def may(identity: Identity, session: Session, what: str) -> bool:
    """Whether the session is there for the caller to `read` or `write`."""
    return owns(identity, session) or what in session.access.share_of(identity.user)
