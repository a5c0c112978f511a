"""The process of one environment: AWS's runtime client, tied to the life of the stack that started it.

Run as a script (`python -P worker.py HANDLER PARENT_PID`), so that functions see no package of the local stack.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Linux kills this process when the stack's thread ends; elsewhere the closed Runtime API ends it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    handler, parent = sys.argv[1:]
    die_with(int(parent))
    del sys.argv[1:]
    from awslambdaric.__main__ import main  # type: ignore[import-untyped]

    main(["awslambdaric", handler])
