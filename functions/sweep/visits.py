"""What sweep does for each kind of due entry; a visit returns its next deadline (unix ms) or None."""

import time
from collections.abc import Callable
from typing import Final

from shared.auth.due import Due
from shared.files.filing import Filing
from shared.realtime.realtime import Realtime
from shared.sessions.audience import Audience
from shared.sessions.expiry import SessionExpiry
from shared.sessions.store import SessionStore

Visit = Callable[[Due, float], int | None]
_AT_ONCE: Final = 200


def visits(realtime: Realtime) -> dict[str, Visit]:
    """A visit by kind; its second argument is when to stop (time.monotonic)."""
    files = Filing(realtime)
    store = SessionStore(realtime.redis, realtime.due, realtime.delivery)
    sessions = SessionExpiry(store, Audience(store, realtime.channels, files.store.channels_of))

    def expired_sessions(entry: Due, until: float) -> int | None:
        while sessions.expire_due(entry.scope, _now_ms(), _AT_ONCE, until) and time.monotonic() < until:
            continue
        return sessions.next_due(entry.scope)

    def ended_sessions(entry: Due, until: float) -> None:
        realtime.session_ends.look_again(entry.scope)

    return {
        "revoked": ended_sessions,
        "lanes": lambda entry, until: realtime.upkeep.resume(entry.scope, until),
        "leases": lambda entry, until: realtime.upkeep.leases(entry.scope, until),
        "sessions": expired_sessions,
        "files": lambda entry, until: files.expiry.expire_due(entry.scope, _now_ms(), _AT_ONCE),
    }


def _now_ms() -> int:
    return int(time.time() * 1000)
