"""What the stack says to whoever watches it: lines on standard error."""

import contextlib
import sys


def say(line: str) -> None:
    """Nobody may be there to read it (a closed pipe): that stops nothing."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
