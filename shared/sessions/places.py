"""Where sessions stand in a tenant's key space."""

from shared.sessions.model import Session
from shared.state.keys import Key
from shared.tenant.scope import TenantScope


def record_key(scope: TenantScope, session_id: str) -> Key:
    return scope.key("session", session_id)


def live_key(scope: TenantScope, owner: str | None = None) -> Key:
    """Active sessions, of the tenant or of one owner: id by the time when to look whether it expired (unix ms)."""
    return scope.key("sessions", "live") if owner is None else scope.key("sessions", "live", owner)


def kept_key(scope: TenantScope) -> Key:
    """Sessions that are over and still readable: id by the time when they go (unix ms)."""
    return scope.key("sessions", "kept")


def review_key(scope: TenantScope) -> Key:
    """Changes after which somebody may have to be let go: `review` by the time when sweep sees to it (unix ms)."""
    return scope.key("sessions", "reviews")


def list_key(scope: TenantScope, owner: str | None = None) -> Key:
    """The list of all sessions, or of an owner's."""
    return scope.key("sessions") if owner is None else scope.key("sessions", "owned", owner)


def shared_key(scope: TenantScope, user: str | None = None) -> Key:
    """The list of sessions shared with the whole tenant, or with one user by name."""
    return scope.key("sessions", "shared") if user is None else scope.key("sessions", "shared", user)


def place(session: Session) -> str:
    """The session's member in the lists; they are in the order of age."""
    return f"{session.created_ms:013d}:{session.id}"


def review(session: Session) -> str:
    """The change's member among the reviews."""
    return f"{session.id}:{session.version}"


def session_under(review: str) -> str:
    """The session's id."""
    return review.partition(":")[0]


def session_at(place: str) -> str:
    """The session's id."""
    return place.partition(":")[2]
