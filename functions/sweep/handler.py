"""Every minute: does what time makes due, for the tenants that have something due, and only for them."""

import time
from collections.abc import Callable
from typing import Any, Final

from shared.auth.due import SOCKET, Due
from shared.files.filing import Filing
from shared.observe.log import failed, info
from shared.realtime.realtime import Realtime
from shared.sessions.expiry import SessionExpiry
from shared.sessions.store import SessionStore
from shared.settings import settings

_STOP_AFTER_S: Final = 50.0
_AT_ONCE: Final = 200

realtime = Realtime.from_settings(settings())
sessions = SessionExpiry(SessionStore(realtime.redis, realtime.due, realtime.delivery))
files = Filing(realtime).expiry


def visit_socket(entry: Due, until: float) -> int | None:
    realtime.upkeep.prove_or_close(entry.name)
    return None


def visit_sessions(entry: Due, until: float) -> int | None:
    while sessions.expire_due(entry.scope, int(time.time() * 1000), _AT_ONCE) and time.monotonic() < until:
        pass
    return sessions.next_due(entry.scope)


def visit_files(entry: Due, until: float) -> int | None:
    return files.expire_due(entry.scope, int(time.time() * 1000), _AT_ONCE)


VISITS: Final[dict[str, Callable[[Due, float], int | None]]] = {
    SOCKET: visit_socket,
    "lanes": lambda entry, until: realtime.upkeep.resume(entry.scope, until),
    "leases": lambda entry, until: realtime.upkeep.leases(entry.scope, until),
    "sessions": visit_sessions,
    "files": visit_files,
}


def handler(event: dict[str, Any], context: Any) -> None:
    if not realtime.due.begin_sweep():
        return
    until, visited = time.monotonic() + _STOP_AFTER_S, 0
    for entry in realtime.due.due():
        if time.monotonic() >= until:
            break
        visit(entry, until, context)
        visited += 1
    realtime.due.end_sweep()
    info("sweep.done", visited=visited)


def visit(entry: Due, until: float, context: Any) -> None:
    """One tenant's failure keeps its entry due and leaves the others alone."""
    mark = realtime.due.visit(entry)
    try:
        following = VISITS[entry.kind](entry, until)
    except Exception as error:
        failed("sweep", error, context)
    else:
        realtime.due.settle(entry, mark, following)
