"""Every minute: does what time makes due, for the tenants that have something due, and only for them."""

import time
from typing import Any, Final

from functions.sweep.visits import visits
from shared.auth.due import Due
from shared.observe.log import failed, info
from shared.realtime.realtime import Realtime
from shared.settings import settings

_STOP_AFTER_S: Final = 50.0

realtime = Realtime.from_settings(settings())
VISITS: Final = visits(realtime)


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
