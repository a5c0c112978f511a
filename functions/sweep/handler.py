"""Every minute: does what time makes due, for the tenants that have something due, and only for them."""

import time
from typing import Any, Final

from functions.sweep.visits import visits
from shared.auth.due import SOCKET, Due
from shared.observe.log import failed, info
from shared.observe.metrics import measured
from shared.realtime.realtime import Realtime
from shared.settings import settings

_STOP_AFTER_S: Final = 50.0
# Nobody's work may use up the time of the others.
_VISIT_S: Final = 15.0
_ENTRIES_A_SHARD: Final = 5_000
_SOCKETS_AT_ONCE: Final = 200

realtime = Realtime.from_settings(settings())
VISITS: Final = visits(realtime)


@measured
def handler(event: dict[str, Any], context: Any) -> None:
    if not realtime.due.begin_sweep():
        return
    until = time.monotonic() + _STOP_AFTER_S
    entries = list(realtime.due.due(_ENTRIES_A_SHARD))
    sockets = [entry for entry in entries if entry.kind == SOCKET]
    tenants = [entry for entry in entries if entry.kind != SOCKET]
    # Tenants first: sockets without identity can be opened by anybody, in any number.
    for entry in tenants:
        if time.monotonic() < until:
            visit(entry, min(until, time.monotonic() + _VISIT_S), context)
    for start in range(0, len(sockets), _SOCKETS_AT_ONCE):
        if time.monotonic() < until:
            close_unproven(sockets[start : start + _SOCKETS_AT_ONCE], context)
    realtime.due.end_sweep()
    info("sweep.done", tenants=len(tenants), sockets=len(sockets))


def close_unproven(sockets: list[Due], context: Any) -> None:
    try:
        realtime.upkeep.prove_or_close([entry.name for entry in sockets])
        realtime.due.drop(sockets)
    except Exception as error:
        failed("sweep.sockets", error, context)


def visit(entry: Due, until: float, context: Any) -> None:
    """One tenant's failure keeps its entry due and leaves the others alone."""
    if entry.kind not in VISITS:
        return  # A later version of the code knows it.
    mark = realtime.due.visit(entry)
    try:
        following = VISITS[entry.kind](entry, until)
    except Exception as error:
        failed("sweep", error, context)
    else:
        realtime.due.settle(entry, mark, following)
