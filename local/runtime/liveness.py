"""Whether a process can still take an event: asked right before one is handed over.

A worker that was killed keeps its place among the idle until its exit is reaped. An event given to it then would
fail although it never ran, which Lambda does not do.
"""

import os
from pathlib import Path

_EXITING, _SIGNALED = 0x4, 0x400
_SIGKILL_BIT = 1 << 8
_PROC = Path("/proc")


def is_doomed(pid: int) -> bool:
    """True once a SIGKILL has been sent to the (not yet reaped) child, even if it has not acted on it."""
    if _is_zombie(pid):
        return True
    try:
        return _is_exiting((_PROC / str(pid) / "stat").read_text()) or _has_sigkill_pending(pid)
    except OSError:
        return _PROC.joinpath("self").exists()


def _is_zombie(pid: int) -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _is_exiting(stat: str) -> bool:
    fields = stat.rpartition(")")[2].split()
    return fields[0] in "ZX" or bool(int(fields[6]) & (_EXITING | _SIGNALED))


def _has_sigkill_pending(pid: int) -> bool:
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    pending = (line.partition(":")[2] for line in lines if line.startswith(("SigPnd", "ShdPnd")))
    return any(int(mask, 16) & _SIGKILL_BIT for mask in pending)
